"""What an operator does to work that was given up."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from sqlalchemy import and_, exists, or_, select
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
        Row numbers; None for all that is buried. What is not buried is left alone, and so are reports of a version that
        was recalled.
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
    cancelled = work.cancel(tx, Job, these, now, (State.BURIED,))
    of_these = select(Job.id, Job.study_instance_uid, Job.model, Job.last_error).where(Job.id.in_(cancelled))
    for number, study_uid, model, error in tx.execute(of_these.order_by(Job.id)).all():
        how = "discarded by an operator"
        audit.add(tx, now, "job cancelled", study_uid, job=number, model=model, reason=how, error=error, by=who)
    return cancelled


def unreported(tx: Transaction) -> list[str]:
    """Return the studies of jobs that were given up, one for each, but for images that a report speaks of.

    A report says of an image that it could not be read; where none was made since, somebody waits for it, unless an
    operator has discarded it.
    """
    compose = aliased(Job)
    of_these = compose.study_instance_uid == Job.study_instance_uid, compose.model == Job.model
    is_settled = compose.kind == JobKind.COMPOSE, compose.state.in_((State.DONE, State.CANCELLED))
    waited_for = or_(Job.kind == JobKind.COMPOSE, ~exists().where(*of_these, *is_settled).correlate(Job))
    return list(tx.scalars(select(Job.study_instance_uid).where(Job.state == State.BURIED, waited_for)))


def _retry_jobs(tx: Transaction, ids: Collection[int] | None, now: datetime) -> int:
    put_back = work.put_back(tx, Job, work.among(Job, ids, State.BURIED), now)
    jobs = tx.execute(
        select(Job.id, Job.kind, Job.subject_uid, Job.study_instance_uid, Job.model).where(Job.id.in_(put_back))
    ).all()
    for job in jobs:
        sop_uid = job.subject_uid if job.kind is JobKind.READ else ""
        audit.add(tx, now, "job retried", job.study_instance_uid, sop_uid, job=job.id, kind=job.kind, model=job.model)
    again = {(job.study_instance_uid, job.model) for job in jobs if job.kind is JobKind.READ}
    queue.schedule_composes(tx, dict.fromkeys(again, now))
    return len(put_back)
