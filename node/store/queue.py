"""The queue: instances to read and studies to compose.

A `read` job belongs to one instance and one model, a `compose` job to one study and one model. A compose is due when
its study is complete; that time stands in the row, so it survives any restart, and it waits for the reads of its
study and model. An image that comes while the compose runs is not lost: settling puts the job back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, null, or_

from node.domain.lifecycle import OPEN_STATES, State
from node.store import work
from node.store.database import Transaction
from node.store.statement import Statement
from node.store.tables import Job, JobKind
from node.store.upsert import Insert, insert_for

READ_PRIORITY = 100
"""Smaller is claimed first."""

COMPOSE_AFTER_READ = 1  # added to a priority: reads before the composes of the same urgency


@dataclass(frozen=True, slots=True)
class NewRead:
    """An instance for a model to read."""

    sop_instance_uid: str
    study_instance_uid: str
    model: str


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
    new = [_new(JobKind.READ, read.sop_instance_uid, read.study_instance_uid, read.model) for read in reads]
    _ADD.run(tx, [values | fresh for values in new])
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
    result that is being made.

    Parameters
    ----------
    tx
        The transaction of what makes a new result necessary.
    due
        When, by Study Instance UID and model.
    priority
        Smaller is claimed first.
    """
    composes = [
        _new(JobKind.COMPOSE, study, study, model) | work.fresh(due[study, model], priority)
        for study, model in sorted(due)  # the same order in every process, so that none waits in a circle
    ]
    _ADD_OR_PUT_BACK.run(tx, composes)


def _new(kind: JobKind, subject_uid: str, study_uid: str, model: str) -> dict[str, Any]:
    return {"kind": kind, "subject_uid": subject_uid, "study_instance_uid": study_uid, "model": model}


def _put_back(insert: Insert) -> Insert:
    running = Job.state == State.RUNNING
    is_open = or_(*(Job.state == state for state in OPEN_STATES))  # each a parameter of its own: compiled ahead
    wanted_at = insert.excluded.due_at
    return insert.on_conflict_do_update(
        index_elements=["kind", "subject_uid", "model"],
        set_={
            "state": case((running, Job.state), else_=insert.excluded.state),
            "due_at": case((running, Job.due_at), else_=wanted_at),
            "again_due_at": case((running, wanted_at), else_=null()),
            "failures": case((is_open, Job.failures), else_=0),
            "lapses": case((is_open, Job.lapses), else_=0),
            "settled_at": null(),
        },
    )


_COLUMNS = ("kind", "subject_uid", "study_instance_uid", "model", *work.FRESH)
_ADD = Statement(lambda dialect: insert_for(dialect, Job).on_conflict_do_nothing(), _COLUMNS)
_ADD_OR_PUT_BACK = Statement(lambda dialect: _put_back(insert_for(dialect, Job)), _COLUMNS)
