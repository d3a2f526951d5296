"""What an operator does to work that was given up."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, and_, exists, or_, select, true
from sqlalchemy.orm import aliased

from node.domain.lifecycle import State
from node.store import audit
from node.store.database import Transaction
from node.store.sending import pinning
from node.store.stopping import recalls
from node.store.tables.choices import JobKind
from node.store.tables.result_tables import Analysis, Delivery
from node.store.tables.work_tables import Job
from node.store.working import queue, work

_DISCARDED = "discarded by an operator"


def retry(tx: Transaction, kind: Literal["job", "delivery"], ids: Collection[int] | None, now: datetime) -> int:
    """Put buried work back to waiting, due now, with fresh attempts.

    A study whose read is put back is composed again afterwards. A report that never left is offered anew in every form.

    Parameters
    ----------
    tx
        A transaction.
    kind
        Which listing the numbers are from.
    ids
        Row numbers; None for all that is buried, but for images of which an operator wants no result. What is not
        buried is left alone, and so are reports of a version that was recalled.
    now
        Aware.

    Returns
    -------
    int
        How many were put back.
    """
    if kind == "job":
        return _retry_jobs(tx, ids, now)
    wanted = and_(work.among(Delivery, ids, State.BURIED), recalls.not_recalled())
    put_back = work.put_back(tx, Delivery, wanted, now, waits_since=now, **pinning.UNPINNED_AGAIN)
    of_deliveries = (
        select(Delivery.id, Delivery.peer, Analysis.study_instance_uid)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .where(Delivery.id.in_(put_back))
    )
    for identity, peer, study_uid in tx.execute(of_deliveries):
        audit.add(tx, now, "delivery retried", study_uid, delivery=identity, peer=peer)
    return len(put_back)


def discard(tx: Transaction, ids: Collection[int], who: str, now: datetime) -> list[int]:
    """Cancel composes that were given up, and return the numbers of those that were; an image that comes wants anew.

    Images of theirs that were given up stay so: a report that is made after all says that they could not be read.

    Parameters
    ----------
    tx
        A transaction.
    ids
        Row numbers. What is no compose, or is not buried, is left alone.
    who, now
        Who says so, for the timeline, and when.
    """
    these = and_(Job.id.in_(ids), Job.kind == JobKind.COMPOSE)
    of_these = select(Job.id, Job.study_instance_uid, Job.model, Job.last_error).where(these).order_by(Job.id)
    named = tx.execute(of_these).all()
    cancelled = work.cancel(tx, Job, these, now, (State.BURIED,), last_error=_DISCARDED)
    for number, study_uid, model, error in named:
        if number in cancelled:
            said = {"reason": _DISCARDED, "error": error, "by": who}
            audit.add(tx, now, "job cancelled", study_uid, job=number, model=model, **said)
    return cancelled


def discarded_models(tx: Transaction, study_uid: str) -> set[str]:
    """Return the models of which an operator wants no result on a study, until an image of it comes."""
    is_discarded = Job.state == State.CANCELLED, Job.last_error == _DISCARDED
    of_study = Job.kind == JobKind.COMPOSE, Job.subject_uid == study_uid
    return set(tx.scalars(select(Job.model).where(*of_study, *is_discarded)))


def unreported(tx: Transaction) -> list[str]:
    """Return the studies of jobs that were given up, one for each, but for images that a report speaks of.

    A report says of an image that it could not be read; where none was made since, somebody waits for it, unless an
    operator has discarded it.
    """
    waited_for = or_(Job.kind == JobKind.COMPOSE, ~_has_compose(State.DONE, State.CANCELLED))
    return list(tx.scalars(select(Job.study_instance_uid).where(Job.state == State.BURIED, waited_for)))


def _has_compose(*states: State) -> ColumnElement[bool]:
    """Return the condition for jobs to whose study and model there is a compose in one of these states."""
    compose = aliased(Job)
    of_these = compose.study_instance_uid == Job.study_instance_uid, compose.model == Job.model
    return exists().where(*of_these, compose.kind == JobKind.COMPOSE, compose.state.in_(states)).correlate(Job)


def _retry_jobs(tx: Transaction, ids: Collection[int] | None, now: datetime) -> int:
    wanted = true() if ids is not None else ~_has_compose(State.CANCELLED)  # by its number even what was discarded
    put_back = work.put_back(tx, Job, and_(work.among(Job, ids, State.BURIED), wanted), now)
    jobs = tx.execute(
        select(Job.id, Job.kind, Job.subject_uid, Job.study_instance_uid, Job.model).where(Job.id.in_(put_back))
    ).all()
    for job in jobs:
        sop_uid = job.subject_uid if job.kind is JobKind.READ else ""
        audit.add(tx, now, "job retried", job.study_instance_uid, sop_uid, job=job.id, kind=job.kind, model=job.model)
    again = {(job.study_instance_uid, job.model) for job in jobs if job.kind is JobKind.READ}
    queue.schedule_composes(tx, dict.fromkeys(again, now))
    return len(put_back)
