"""The queue: instances to read and studies to compose.

A `read` job belongs to one instance and one model, a `compose` job to one study and one model. A compose is due when
its study is complete; that time stands in the row, so it survives any restart, and it waits for the reads of its
study and model, but not beyond the longest wait. An image that comes while the compose runs is not lost: settling puts
the job back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    case,
    cast,
    extract,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from node.domain.completion import Signal
from node.domain.lifecycle import OPEN_STATES, State
from node.store import notices
from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import Insert, insert_for
from node.store.database import Transaction
from node.store.tables.choices import JobKind
from node.store.tables.column_types import UID
from node.store.tables.image_tables import Study
from node.store.tables.work_tables import Job
from node.store.working import work

URGENT = 10
"""Priority of what an urgent sender brings; smaller is claimed first."""

LIVE = 100
"""Priority of what anybody else sends."""

BACKFILL = 1000
"""Priority of what this node fetched from an archive."""

READ_PRIORITY = LIVE
"""What a read has unless somebody says otherwise."""

COMPOSE_AFTER_READ = 1  # added to a priority: reads before the composes of the same urgency


@dataclass(frozen=True, slots=True)
class NewRead:
    """An instance for a model to read."""

    sop_instance_uid: str
    study_instance_uid: str
    model: str
    priority: int | None = None  #: smaller is claimed first; None: as that of all that are enqueued together


@dataclass(frozen=True, slots=True)
class Wait:
    """How long the compose of a study waits for more images."""

    until: datetime  #: nothing more is expected by then
    latest_at: datetime  #: it is due by then, whatever comes; of one that waits already, its own counts
    ask_at: datetime | None = None  #: when the sender is asked whether that was all
    priority: int = LIVE  #: of the reads


def enqueue_reads(
    tx: Transaction, reads: Collection[NewRead], now: datetime, *, priority: int = READ_PRIORITY, again: bool = False
) -> None:
    """Add the jobs to read stored instances; the same one twice is one job.

    Parameters
    ----------
    tx
        The transaction that also stores the instances.
    reads
        Instances that are stored, and their models.
    now
        When they are due: at once.
    priority
        Smaller is claimed first.
    again
        Put those that are settled back to waiting, for a new version of the model.
    """
    fresh = work.fresh(now, priority)
    _ADD.run(tx, [_read(read, fresh) for read in reads])
    if reads:
        notices.tell(tx, notices.Work.READ)
    for read in reads if again else ():
        this = and_(Job.kind == JobKind.READ, Job.subject_uid == read.sop_instance_uid, Job.model == read.model)
        work.put_back(tx, Job, and_(this, Job.state.not_in(OPEN_STATES)), now)


def schedule_composes(
    tx: Transaction,
    due: Mapping[tuple[str, str], datetime],
    *,
    priority: int = READ_PRIORITY + COMPOSE_AFTER_READ,
) -> None:
    """See that studies are composed when they are due: by a new job, or the one there is, put back to waiting.

    A running job stays with its worker and is put back when it settles, because what has just come is not in the
    result that is being made. One that waits for more images goes on counting as waiting for them.

    Parameters
    ----------
    tx
        The transaction of what makes a new result necessary.
    due
        When, by Study Instance UID and model.
    priority
        Smaller is claimed first.
    """
    nothing: dict[str, Any] = {"signal": "", "latest_at": None, "ask_at": None}
    # the same order in every process, so that none waits in a circle
    _ADD_OR_PUT_BACK.run(tx, [_compose(*pair, due[pair], priority) | nothing for pair in sorted(due)])
    notices.tell(tx, notices.Work.COMPOSE)


def await_completion(tx: Transaction, waits: Mapping[tuple[str, str], Wait]) -> None:
    """See that studies to which images came are composed once they are complete.

    Parameters
    ----------
    tx
        The transaction that stores the images.
    waits
        How long, by Study Instance UID and model.
    """
    _ADD_OR_PUT_BACK.run(tx, [_awaiting(*pair, waits[pair]) for pair in sorted(waits)])


def _read(read: NewRead, fresh: Mapping[str, Any]) -> dict[str, Any]:
    values = {**_new(JobKind.READ, read.sop_instance_uid, read.study_instance_uid, read.model), **fresh}
    return values if read.priority is None else {**values, "priority": read.priority}


def _compose(study_uid: str, model: str, due_at: datetime, priority: int) -> dict[str, Any]:
    return _new(JobKind.COMPOSE, study_uid, study_uid, model) | work.fresh(due_at, priority)


def _awaiting(study_uid: str, model: str, wait: Wait) -> dict[str, Any]:
    signal = Signal.QUIET_PERIOD if wait.until <= wait.latest_at else Signal.LONGEST_WAIT
    compose = _compose(study_uid, model, min(wait.until, wait.latest_at), wait.priority + COMPOSE_AFTER_READ)
    asks: dict[str, Any] = {"signal": signal.value, "latest_at": wait.latest_at, "ask_at": wait.ask_at}
    return compose | asks


def _new(kind: JobKind, subject_uid: str, study_uid: str, model: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "subject_uid": subject_uid,
        "study_instance_uid": study_uid,
        "of_study": study_uid,
        "model": model,
    }


def _insert(dialect: str) -> Insert:
    this = Study.study_instance_uid == bindparam("of_study", type_=UID)
    return insert_for(dialect, Job).values(study_order=select(-_milliseconds(dialect)).where(this).scalar_subquery())


def _milliseconds(dialect: str) -> ColumnElement[int]:
    """Return the time since 1970 at which a study began."""
    if dialect == "sqlite":  # times are text there
        return cast((func.julianday(Study.first_received_at) - 2440587.5) * 86_400_000, BigInteger)
    return cast(extract("epoch", Study.first_received_at) * 1000, BigInteger)


def _put_back(insert: Insert) -> Insert:
    new = insert.excluded
    running, waiting = Job.state == State.RUNNING, Job.state == State.WAITING
    is_open = or_(*(Job.state == state for state in OPEN_STATES))  # each a parameter of its own: compiled ahead
    # the wait began with the first image that no result holds; what a running compose waited for, its result holds
    goes_on = and_(Job.latest_at.is_not(None), or_(waiting, and_(running, Job.again_due_at.is_not(None))))
    latest_at = case((goes_on, Job.latest_at), else_=new.latest_at)
    stays = _waits_longer(goes_on, running, new)
    is_last = latest_at < new.due_at
    due_at = case((is_last, latest_at), (stays, _awaited(running)), else_=new.due_at)
    signal = case((or_(new.signal == "", stays), Job.signal), (is_last, Signal.LONGEST_WAIT.value), else_=new.signal)
    return insert.on_conflict_do_update(
        index_elements=["kind", "subject_uid", "model"],
        set_={
            "state": case((running, Job.state), else_=new.state),
            "priority": case((and_(is_open, Job.priority < new.priority), Job.priority), else_=new.priority),
            "due_at": case((running, Job.due_at), else_=due_at),
            "again_due_at": case((running, due_at), else_=null()),
            "latest_at": latest_at,
            "ask_at": case((stays, Job.ask_at), else_=new.ask_at),
            "signal": signal,
            "failures": case((is_open, Job.failures), else_=0),
            "lapses": case((is_open, Job.lapses), else_=0),
            "settled_at": null(),
        },
    )


def _waits_longer(
    goes_on: ColumnElement[bool], running: ColumnElement[bool], new: ReadOnlyColumnCollection[str, Any]
) -> ColumnElement[bool]:
    """Return the condition that a compose already waits for a slower sender than that of the images that came.

    After a failure `due_at` is its backoff, which says nothing of a sender; and what makes a new result necessary
    otherwise than by images waits for none.
    """
    of_images = or_(running, Job.failures == 0)
    return and_(goes_on, new.signal != "", of_images, _awaited(running) > new.due_at)


def _awaited(running: ColumnElement[bool]) -> ColumnElement[datetime]:
    return case((running, Job.again_due_at), else_=Job.due_at)


_COLUMNS = ("kind", "subject_uid", "study_instance_uid", "model", *work.FRESH)
_ADD = Statement(lambda dialect: _insert(dialect).on_conflict_do_nothing(), _COLUMNS)
_ADD_OR_PUT_BACK = Statement(lambda dialect: _put_back(_insert(dialect)), (*_COLUMNS, "signal", "latest_at", "ask_at"))
