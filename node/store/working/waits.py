"""Studies that wait for more images: what says that no more come, and what their composes have not seen yet.

How long one waits stands in the row of its compose, which `node.store.working.queue` writes; here it is moved.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ScalarSelect, SQLColumnExpression, and_, bindparam, exists, func, null, or_, select, update
from sqlalchemy.sql import Update

from node.domain.completion import WITHOUT_IMAGES, Signal
from node.domain.lifecycle import OPEN_STATES, State
from node.store import notices
from node.store.connection.driver_statement import Lookup, Statement
from node.store.database import Transaction
from node.store.tables.choices import InstanceKind, JobKind
from node.store.tables.column_types import UID, UTCDateTime
from node.store.tables.image_tables import Instance
from node.store.tables.work_tables import Job
from node.store.working import work


@dataclass(frozen=True, slots=True)
class Question:
    """A study whose sender is to be asked whether that was all."""

    study_instance_uid: str
    calling_ae_title: str  #: who sent its newest image
    held: dict[str, int]  #: how many instances are held, by Series Instance UID; of series of images alone
    total: int  #: how many are held of any kind, but for this node's own reports


def bring_forward(tx: Transaction, study_uid: str, at: datetime, signal: Signal) -> None:
    """Let a study count as complete at a time, by a signal, where it would wait for longer.

    Only what waits for more images is moved: neither a compose that waits after a failure, nor one that waits for its
    images to be read. Where nothing waits, nothing happens.
    """
    values = {"study": study_uid, "at": at, "signal_given": signal.value}
    _BRING_FORWARD.run(tx, [values])
    _BRING_FORWARD_AGAIN.run(tx, [values])
    notices.tell(tx, notices.Work.COMPOSE)


def waits_for_images(tx: Transaction, study_uid: str, now: datetime) -> bool:
    """Return whether a compose of a study is due only later, because more images may come."""
    compose = Job.study_instance_uid == study_uid, Job.kind == JobKind.COMPOSE
    later = and_(Job.state == State.WAITING, Job.due_at > now, Job.failures == 0)
    return bool(tx.scalar(select(exists().where(*compose, or_(later, Job.again_due_at > now)))))


def ask_sooner(tx: Transaction, study_uid: str, at: datetime) -> None:
    """Ask the sender of a study that waits for more images at this time, where it would be asked later."""
    _ASK_SOONER.run(tx, [{"study": study_uid, "at": at}])


def next_question(tx: Transaction, titles: Collection[str]) -> datetime | None:
    """Return when the next question to senders of these AE titles is due, or None where none is."""
    asked = Job.ask_at.is_not(None), _newest_title(Job.study_instance_uid).in_(titles)
    return tx.scalar(select(Job.ask_at).where(*asked).order_by(Job.ask_at).limit(1))


def take_question(tx: Transaction, now: datetime, titles: Collection[str]) -> Question | None:
    """Return a study whose sender, of these AE titles, is to be asked now, and ask no more of it.

    None where none is due, or the time for the first that is was over.
    """
    due = Job.ask_at.is_not(None), Job.ask_at <= now, _newest_title(Job.study_instance_uid).in_(titles)
    study_uid = tx.scalar(select(Job.study_instance_uid).where(*due).order_by(Job.ask_at).limit(1))
    if study_uid is None:
        return None
    waits = waits_for_images(tx, study_uid, now)
    asked = update(Job).where(Job.study_instance_uid == study_uid, Job.ask_at.is_not(None)).values(ask_at=None)
    tx.execute(asked, execution_options={"synchronize_session": False})
    return question(tx, study_uid) if waits else None


def question(tx: Transaction, study_uid: str) -> Question | None:
    """Return what is to be asked of a study as it stands now, or None where it holds no image."""
    title = tx.scalar(select(_newest_title(study_uid)))
    if title is None:
        return None
    by_series = Instance.series_instance_uid, Instance.modality
    others = Instance.study_instance_uid == study_uid, Instance.kind != InstanceKind.OWN
    rows = tx.execute(select(*by_series, func.count()).where(*others).group_by(*by_series)).all()
    held: Counter[str] = Counter()
    for uid, modality, count in rows:
        held[uid] += 0 if modality in WITHOUT_IMAGES else count
    return Question(study_uid, title, dict(+held), sum(count for *_, count in rows))


def _newest_title(study_uid: str | SQLColumnExpression[str]) -> ScalarSelect[str]:
    """Return who sent the newest image of a study."""
    images = Instance.study_instance_uid == study_uid, Instance.kind == InstanceKind.IMAGE
    newest = select(Instance.calling_ae_title).where(*images).order_by(Instance.received_at.desc()).limit(1)
    return newest.scalar_subquery()


def studies_named_whole(tx: Transaction, studies: Collection[str], named: Collection[str], sender: str) -> list[str]:
    """Return those of these studies of which a sender sent images that some model reads, and has named all of them.

    What nobody reads completes nothing, and neither does what another sent: of that a sender knows nothing.
    """
    sent: dict[str, set[str]] = {}
    for study, uid, title in _READ.rows(tx, sorted(studies)) if studies else []:
        if title == sender:
            sent.setdefault(study, set()).add(uid)
    return sorted(study for study, uids in sent.items() if uids.issubset(named))


def unread(tx: Transaction, study_uid: str, model: str) -> list[str]:
    """Return the SOP Instance UIDs of a study that are still to be read by a model."""
    reads = Job.study_instance_uid == study_uid, Job.model == model, Job.kind == JobKind.READ
    return list(tx.scalars(select(Job.subject_uid).where(*reads, Job.state.in_(OPEN_STATES)).order_by(Job.subject_uid)))


def wait_for_reads(tx: Transaction, study_uid: str, model: str, now: datetime, latest_at: datetime) -> None:
    """Put back a compose that is done with a part of its images: it is done again once the others are read."""
    done = Job.study_instance_uid == study_uid, Job.model == model, Job.kind == JobKind.COMPOSE, Job.state == State.DONE
    for identity in work.put_back(tx, Job, and_(*done), now):
        tx.execute(update(Job).where(Job.id == identity).values(latest_at=latest_at))


def _brought_forward(*, running: bool) -> Update:
    due = Job.again_due_at if running else Job.due_at
    at = bindparam("at", type_=UTCDateTime)
    compose = and_(Job.study_instance_uid == bindparam("study", type_=UID), Job.kind == JobKind.COMPOSE)
    waits = and_(Job.state == (State.RUNNING if running else State.WAITING), due > at)
    # `due_at` after a failure is its backoff
    waits = waits if running else and_(waits, Job.failures == 0)
    values = {due.key: at, "signal": bindparam("signal_given"), "ask_at": null()}
    return update(Job.__table__).where(compose, waits).values(values)  # type: ignore[arg-type]


def _asked_sooner() -> Update:
    at = bindparam("at", type_=UTCDateTime)
    compose = and_(Job.study_instance_uid == bindparam("study", type_=UID), Job.kind == JobKind.COMPOSE)
    waits = and_(Job.state == State.WAITING, Job.ask_at > at)
    return update(Job.__table__).where(compose, waits).values(ask_at=at)  # type: ignore[arg-type]


_READ = Lookup(
    lambda among: select(Instance.study_instance_uid, Instance.sop_instance_uid, Instance.calling_ae_title).where(
        among(Instance.study_instance_uid),
        Instance.removed_at.is_(None),
        exists().where(Job.subject_uid == Instance.sop_instance_uid, Job.kind == JobKind.READ),
    )
)
_BRING_FORWARD = Statement(lambda _: _brought_forward(running=False), ())
_ASK_SOONER = Statement(lambda _: _asked_sooner(), ())
_BRING_FORWARD_AGAIN = Statement(lambda _: _brought_forward(running=True), ())
