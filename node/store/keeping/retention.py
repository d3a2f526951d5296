"""Which studies' files may be removed for their age, and the rows of those that are.

Rows, reports and identities stay; files go, of whole studies, and with them the pictures of their heat maps. What must
stay is one list of reasons here, `KEPT_FOR`: each names what is still to be done with a study, or who still needs its
images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from node.domain.lifecycle import OPEN_STATES, State
from node.store import audit
from node.store.database import Transaction
from node.store.tables.choices import Commitment, CopyKind, InstanceKind
from node.store.tables.image_tables import Instance, InstanceCopy, Study
from node.store.tables.label_tables import LabelObject, LabelRow
from node.store.tables.learning_tables import TrainingExample
from node.store.tables.operation_tables import BackfillStudy, RejectionNote
from node.store.tables.result_tables import Analysis, Delivery
from node.store.tables.work_tables import Job
from node.store.working import pictures

_UNDONE = (*OPEN_STATES, State.BURIED, State.HELD)


@dataclass(frozen=True, slots=True)
class OldStudy:
    """A study whose newest image came long enough ago."""

    study_instance_uid: str
    newest_at: datetime  #: when its newest image came
    instances: int  #: that have files
    size_bytes: int  #: of all their copies


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed of a study in the rows: its files may go now."""

    paths: tuple[str, ...]
    size_bytes: int


def _job() -> ColumnElement[bool]:
    return exists().where(Job.study_instance_uid == Study.study_instance_uid, Job.state.in_(_UNDONE))


def _delivery(which: ColumnElement[bool]) -> ColumnElement[bool]:
    of_study = and_(Delivery.analysis_id == Analysis.id, Analysis.study_instance_uid == Study.study_instance_uid)
    return exists().where(of_study, which)


def _quarantined() -> ColumnElement[bool]:
    of_study = and_(
        InstanceCopy.sop_instance_uid == Instance.sop_instance_uid,
        Instance.study_instance_uid == Study.study_instance_uid,
    )
    return exists().where(of_study, InstanceCopy.kind == CopyKind.QUARANTINED)


def _note() -> ColumnElement[bool]:
    of_study = and_(
        RejectionNote.sop_instance_uid == Instance.sop_instance_uid,
        Instance.study_instance_uid == Study.study_instance_uid,
    )
    return exists().where(of_study, RejectionNote.state.in_(_UNDONE))


def _labelled() -> ColumnElement[bool]:
    held, counts = aliased(Instance), LabelRow.withdrawn_at.is_(None)
    of_study = held.study_instance_uid == Study.study_instance_uid
    numbered = and_(LabelRow.accession_number != "", LabelRow.accession_number == Study.accession_number)
    named = or_(
        exists().where(LabelRow.study_instance_uid == Study.study_instance_uid, counts),
        exists().where(of_study, LabelRow.sop_instance_uid == held.sop_instance_uid, counts),
        exists().where(of_study, LabelRow.series_instance_uid == held.series_instance_uid, counts),
        exists().where(numbered, counts),
    )
    kept = exists().where(TrainingExample.sop_instance_uid == held.sop_instance_uid)
    not_kept = exists().where(of_study, held.kind == InstanceKind.IMAGE, held.removed_at.is_(None), ~kept)
    return and_(named, not_kept)


def _label_object() -> ColumnElement[bool]:
    return exists().where(LabelObject.study_instance_uid == Study.study_instance_uid, LabelObject.state.in_(_UNDONE))


def _backfilled() -> ColumnElement[bool]:
    return exists().where(
        BackfillStudy.study_instance_uid == Study.study_instance_uid, BackfillStudy.state.in_(OPEN_STATES)
    )


KEPT_FOR: tuple[tuple[str, ColumnElement[bool]], ...] = (
    ("work on it waits, runs, or was given up", _job()),
    ("a result has not reached its peer", _delivery(Delivery.state.in_(_UNDONE))),
    ("a peer is asked to commit to a result", _delivery(Delivery.commitment == Commitment.ASKED)),
    ("a copy in quarantine contradicts an image of it", _quarantined()),
    ("a rejection note in it is not applied", _note()),
    ("it is being fetched from an archive", _backfilled()),
    ("an object in it may carry labels and is not read", _label_object()),
    ("it is labelled, and what models may learn from it is not kept yet", _labelled()),
)
"""Why the files of a study stay, however old it is: a sentence, and the studies of which it is true."""


def used_bytes(tx: Transaction) -> int:
    """Return the size of all files that rows refer to."""
    first = select(func.coalesce(func.sum(Instance.size_bytes), 0)).where(Instance.removed_at.is_(None))
    later = select(func.coalesce(func.sum(InstanceCopy.size_bytes), 0)).join(Instance)
    has_file = and_(Instance.removed_at.is_(None), _own_file())
    return int(tx.scalar(first) or 0) + int(tx.scalar(later.where(has_file)) or 0)


def removable(tx: Transaction, before: datetime, limit: int | None = None) -> list[OldStudy]:
    """Return studies whose newest image came before a time and that nothing keeps, the oldest first."""
    kept = or_(*(reason for _, reason in KEPT_FOR))
    return [_old(row) for row in tx.execute(_old_studies(before).where(~kept).limit(limit))]


def kept(tx: Transaction, before: datetime) -> list[tuple[OldStudy, str]]:
    """Return studies whose newest image came before a time and whose files stay, each with why, the oldest first."""
    columns = [reason.label(f"kept_{number}") for number, (_, reason) in enumerate(KEPT_FOR)]
    query = _old_studies(before).add_columns(*columns).where(or_(*(reason for _, reason in KEPT_FOR)))
    sentences = [sentence for sentence, _ in KEPT_FOR]
    return [
        (
            _old(row),
            "; ".join(sentence for sentence, is_so in zip(sentences, row[-len(sentences) :], strict=True) if is_so),
        )
        for row in tx.execute(query)
    ]


def remove(tx: Transaction, study_uid: str, before: datetime, now: datetime) -> Removal | None:
    """Say in the rows that the files of a study are gone, and return which; None where they stay after all.

    Whoever calls removes the files after the commit: a kill in between leaves files that the next start removes.
    """
    locked = select(Study.study_instance_uid).where(Study.study_instance_uid == study_uid).with_for_update()
    tx.execute(locked)  # what arrives meanwhile waits for this row, and stays
    nothing_keeps = ~or_(*(reason for _, reason in KEPT_FOR))
    old = tx.execute(_old_studies(before).where(Study.study_instance_uid == study_uid, nothing_keeps)).first()
    if old is None:
        return None
    of_study = and_(Instance.study_instance_uid == study_uid, Instance.removed_at.is_(None))
    files = {path for row in tx.execute(select(Instance.path, Instance.newest_path).where(of_study)) for path in row}
    files.update(tx.scalars(select(InstanceCopy.path).join(Instance).where(of_study)))
    size_bytes, drawn = _old(old).size_bytes, pictures.remove(tx, study_uid)
    gone = update(Instance).where(of_study).values(removed_at=now)
    tx.execute(gone, execution_options={"synchronize_session": False})
    audit.add(tx, now, "files removed", study_uid, files=len(files), size_bytes=size_bytes, pictures=drawn)
    return Removal(tuple(sorted(files)), size_bytes)


def _old_studies(before: datetime) -> Select[Any]:
    newest = func.coalesce(Study.last_received_at, Study.first_received_at)
    held = aliased(Instance)
    of_study = and_(held.study_instance_uid == Study.study_instance_uid, held.removed_at.is_(None))
    copied = (
        select(func.coalesce(func.sum(InstanceCopy.size_bytes), 0))
        .join(Instance)
        .where(Instance.study_instance_uid == Study.study_instance_uid, Instance.removed_at.is_(None), _own_file())
        .correlate(Study)
        .scalar_subquery()
    )
    count = select(func.count()).where(of_study).correlate(Study).scalar_subquery()
    size = select(func.coalesce(func.sum(held.size_bytes), 0)).where(of_study).correlate(Study).scalar_subquery()
    columns = (Study.study_instance_uid, Study.last_received_at, Study.first_received_at, count, size + copied)
    return select(*columns).where(newest < before, exists().where(of_study)).order_by(newest, Study.study_instance_uid)


def _own_file() -> ColumnElement[bool]:
    """Return the condition that a copy lies in a file that neither its instance nor an earlier copy has named.

    Two senders that take turns bring the same bytes many times: each is a row, and all of them are one file.
    """
    earlier = aliased(InstanceCopy)
    named = and_(
        earlier.sop_instance_uid == InstanceCopy.sop_instance_uid,
        earlier.path == InstanceCopy.path,
        earlier.id < InstanceCopy.id,
    )
    return and_(InstanceCopy.path != Instance.path, ~exists().where(named))


def _old(row: Sequence[Any]) -> OldStudy:
    uid, last, first, count, size = row[:5]
    return OldStudy(uid, last or first, int(count), int(size))
