"""Studies that are open or closed: open while an image is in no result yet, closed by the signal that completed it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Exists, and_, bindparam, exists, func, null, or_, select, update

from node.domain.lifecycle import State
from node.store.connection.driver_statement import Statement
from node.store.database import Transaction
from node.store.tables.choices import InstanceKind, JobKind, Origin
from node.store.tables.column_types import UID
from node.store.tables.image_tables import Instance, Study
from node.store.tables.work_tables import Job


@dataclass(frozen=True, slots=True)
class Closed:
    """A study that has just been closed."""

    images: int  #: that some model reads
    last_image_at: datetime  #: when the last of them came
    is_backfill: bool  #: the node fetched it


def reopen(tx: Transaction, study_uids: Collection[str]) -> None:
    """Let studies be open: something came that their results do not hold."""
    _REOPEN.run(tx, [{"study": uid} for uid in sorted(study_uids)])


def lock(tx: Transaction, study_uid: str) -> None:
    """Let no other transaction change a study before this one ends."""
    tx.get(Study, study_uid, with_for_update=True)


def close(tx: Transaction, study_uid: str, signal: str, now: datetime) -> Closed | None:
    """Close a study and return what it holds; None where it is closed already, or holds no image that is read.

    Where something came while its result was made, the study stays open: it is closed once more, by another signal.
    """
    study = tx.get(Study, study_uid, populate_existing=True, with_for_update=True)
    if study is None or study.closed_at is not None:
        return None
    of_study = Instance.study_instance_uid == study_uid, Instance.kind == InstanceKind.IMAGE
    counted = select(func.count(), func.max(Instance.received_at)).where(*of_study, is_read())
    images, last_image_at = tx.execute(counted).one()
    if not images:
        return None
    if not tx.scalar(select(_waits_for_more(study_uid, now))):
        study.closed_by, study.closed_at = signal, now
    return Closed(images, last_image_at, study.origin is Origin.BACKFILL)


def is_read() -> Exists:
    """Return the condition that some model reads an instance: what nobody reads is waited for by no study."""
    return exists().where(Job.kind == JobKind.READ, Job.subject_uid == Instance.sop_instance_uid)


def _waits_for_more(study_uid: str, now: datetime) -> Exists:
    """Return the condition that a compose of the study was put back, or is to be, for what came meanwhile."""
    later = and_(Job.state == State.WAITING, Job.due_at > now)
    compose = Job.study_instance_uid == study_uid, Job.kind == JobKind.COMPOSE
    return exists().where(*compose, or_(later, Job.again_due_at.is_not(None)))


_REOPEN = Statement(
    lambda _: (
        update(Study.__table__)  # type: ignore[arg-type]
        .where(Study.study_instance_uid == bindparam("study", type_=UID), Study.closed_at.is_not(None))
        .values(closed_by="", closed_at=null())
    ),
    (),
)
