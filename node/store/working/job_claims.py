"""Claiming and settling jobs: who works on what, under which lease, and what becomes of it.

What there is to do is `node.store.working.queue`'s business; how a row is claimed and settled is
`node.store.working.work`'s.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, null, or_, select, update
from sqlalchemy.orm import aliased

from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID
from node.domain.lifecycle import OPEN_STATES, State
from node.store import audit
from node.store.database import Transaction
from node.store.stopping import rejection_notes
from node.store.tables.choices import JobKind
from node.store.tables.operation_tables import Rejection
from node.store.tables.work_tables import Job
from node.store.working import work


@dataclass(frozen=True, slots=True)
class ClaimedJob(work.Claim):
    """A job that this worker holds until `lease_until`."""

    kind: JobKind
    subject_uid: str  #: SOP Instance UID of a read, Study Instance UID of a compose
    study_instance_uid: StudyInstanceUID
    model: str
    signal: str = ""  #: of a compose: what completed its study

    @property
    def sop_instance_uid(self) -> SOPInstanceUID:
        """The instance of a read job; "" for a compose job."""
        return SOPInstanceUID(self.subject_uid if self.kind is JobKind.READ else "")


def claim_some(
    tx: Transaction,
    kinds: Collection[str],
    now: datetime,
    lease_s: float,
    worker: str,
    *,
    limit: int,
    max_attempts: int = 5,
) -> list[ClaimedJob]:
    """Take the next jobs of these kinds, at most `limit`: what is due now, waiting for no more.

    Reads come before composes of the same priority; within a priority the newest study comes first, then what has been
    due longest. Jobs whose lease ran out are taken back here, so that no other clockwork is needed; those that have
    used up their attempts are buried.

    Parameters
    ----------
    tx
        A transaction of its own: the jobs are held once it is committed.
    kinds
        Of `node.store.tables.choices.JobKind`. Of one kind, an index gives the order and nothing is sorted.
    now
        Aware.
    lease_s
        How long a job is held before another worker may take it over.
    worker
        Who holds it, for the operator's listing.
    limit
        The most that are taken, 1 or more.
    max_attempts
        After how many failed or lapsed attempts a job is buried.
    """
    rescue(tx, now, max_attempts=max_attempts)
    terms = work.Terms(now, lease_s, worker)
    taken = work.claim_some(tx, Job, _eligible(kinds, now), terms, order=_ORDER, limit=limit)
    return _claimed(tx, taken, max_attempts) if taken else []


def rescue(tx: Transaction, now: datetime, *, max_attempts: int = 5, everything: bool = False) -> int:
    """Take back the jobs whose lease ran out; return how many.

    Every claim does this by itself. With `everything` all running jobs are taken back, whatever their lease: for the
    start of a node that holds the lock on its data folder, when no other worker can be alive.
    """
    lapses = work.rescue(tx, Job, now, max_attempts, everything=everything, which=_of(tuple(JobKind)))
    for lapse in lapses:
        _note(tx, lapse.id, "job rescued", lapse.state, now, attempt=lapse.attempt, error=lapse.error)
    _run_again(tx, [lapse.id for lapse in lapses])
    return len(lapses)


def finish(tx: Transaction, claimed: ClaimedJob, now: datetime) -> bool:
    """Settle a job as done, in the transaction that keeps its results.

    Returns
    -------
    bool
        False where the lease was lost: then another worker's result counts, and the caller keeps nothing of its own.
    """
    finished = work.finish(tx, Job, claimed, now)
    if finished:
        _run_again(tx, [claimed.id])
    return finished


def finish_all(tx: Transaction, claimed: Collection[ClaimedJob], now: datetime) -> set[int]:
    """Settle jobs as done, in the transaction that keeps their results; return the numbers of those still held.

    What belongs to the others is not to be kept: another worker's result counts.
    """
    finished = work.finish_all(tx, Job, claimed, now)
    _run_again(tx, finished)
    return finished


def fail(
    tx: Transaction, claimed: ClaimedJob, now: datetime, error: str, *, permanent: bool, jitter: random.Random
) -> State | None:
    """Settle a job as failed: tried again after a backoff, or buried; return which, or None where the lease was lost.

    Parameters
    ----------
    tx, claimed, now
        As for `finish`.
    error
        One sentence for the operator, without patient data.
    permanent
        Whether trying again is of no use.
    jitter
        The random source of the backoff.
    """
    state = work.fail(tx, Job, claimed, now, error, permanent=permanent, jitter=jitter)
    if state is None:
        return None
    if state is State.BURIED or error != claimed.last_error:
        _note(tx, claimed.id, "job failed", state, now, attempt=claimed.attempt, error=error)
    _run_again(tx, [claimed.id])
    return state


def release(tx: Transaction, claimed: ClaimedJob, now: datetime) -> bool:
    """Put back a job that was not begun, without counting a failure; False where the lease was lost."""
    released = work.release(tx, Job, claimed, now)
    if released:
        _run_again(tx, [claimed.id])
    return released


def extend_all(tx: Transaction, claimed: Collection[ClaimedJob], now: datetime, lease_s: float) -> None:
    """Hold jobs for `lease_s` more from now, as far as they are held; the others' results will not be kept."""
    for job in claimed:
        work.extend(tx, Job, job, now, lease_s)


def next_due(tx: Transaction, kinds: Collection[str], now: datetime) -> datetime | None:
    """Return when a claim may next find a job of these kinds, or None where only a new job can help.

    A compose that waits for reads is left out: the end of its last read is what wakes it, or a look after its longest
    wait. Where a job is due, `now` is
    returned: it is found in the order of claims, past which it would take a look at all that is blocked.
    """
    eligible = _eligible(kinds, now)
    if tx.scalar(work.due(Job, eligible, now, _ORDER, 1)) is not None:
        return now
    return work.next_wake(tx, Job, and_(eligible, Job.due_at > now), _of(kinds))


_ORDER: work.Order = (Job.priority, Job.study_order, Job.due_at, Job.id)


def _of(kinds: Collection[str]) -> ColumnElement[bool]:
    chosen = [JobKind(kind) for kind in kinds]
    return Job.kind == chosen[0] if len(chosen) == 1 else Job.kind.in_(chosen)


def _eligible(kinds: Collection[str], now: datetime) -> ColumnElement[bool]:
    of_these = _of(kinds)
    if set(kinds) == {JobKind.READ}:
        return of_these
    waited_longest = and_(Job.latest_at <= now, _something_is_read())
    return and_(of_these, or_(_reads_are_over(), waited_longest))


@cache  # one expression for all: building it costs more than a claim
def _reads_are_over() -> ColumnElement[bool]:
    read = aliased(Job)
    still_open = exists().where(
        read.study_instance_uid == Job.study_instance_uid,
        read.model == Job.model,
        read.kind == JobKind.READ,
        read.state.in_(OPEN_STATES),
    )
    return or_(Job.kind == JobKind.READ, ~still_open)


@cache
def _something_is_read() -> ColumnElement[bool]:
    read = aliased(Job)
    return exists().where(
        read.study_instance_uid == Job.study_instance_uid,
        read.model == Job.model,
        read.kind == JobKind.READ,
        read.state.in_((State.DONE, State.BURIED)),
        ~exists().where(Rejection.sop_instance_uid == read.subject_uid, rejection_notes.calls_wrong()),
    )


def _claimed(tx: Transaction, numbers: Sequence[int], max_attempts: int) -> list[ClaimedJob]:
    rows = tx.scalars(select(Job).where(Job.id.in_(numbers)), execution_options={"populate_existing": True})
    jobs = {job.id: _held(job, max_attempts) for job in rows}
    return [jobs[number] for number in numbers]


def _held(job: Job, max_attempts: int) -> ClaimedJob:
    return ClaimedJob(
        id=job.id,
        attempt=job.attempt,
        failures=job.failures,
        max_attempts=max_attempts,
        lease_until=work.lease_end(job),
        last_error=job.last_error,
        kind=job.kind,
        subject_uid=job.subject_uid,
        study_instance_uid=StudyInstanceUID(job.study_instance_uid),
        model=job.model,
        signal=job.signal,
    )


def _run_again(tx: Transaction, ids: Collection[int]) -> None:
    """Put back the settled among these jobs for which something new came while they ran."""
    if not ids:
        return
    waiting = Job.state == State.WAITING
    later = case((and_(waiting, Job.due_at > Job.again_due_at), Job.due_at), else_=Job.again_due_at)
    values = {
        "state": State.WAITING,
        "due_at": later,
        "again_due_at": null(),
        "failures": case((waiting, Job.failures), else_=0),
        "lapses": case((waiting, Job.lapses), else_=0),
        "settled_at": null(),
    }
    tx.execute(
        update(Job).where(Job.id.in_(ids), Job.again_due_at.is_not(None)).values(**values),
        execution_options={"synchronize_session": False},
    )


def _note(tx: Transaction, identity: int, event: str, state: State, now: datetime, **detail: Any) -> None:
    job = tx.execute(
        select(Job.kind, Job.subject_uid, Job.study_instance_uid, Job.model).where(Job.id == identity)
    ).one()
    sop_uid = job.subject_uid if job.kind is JobKind.READ else ""
    audit.add(
        tx, now, event, job.study_instance_uid, sop_uid,
        job=identity, kind=job.kind, model=job.model, state=state, **detail,
    )  # fmt: skip
