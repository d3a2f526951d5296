"""Backfills: searches in an archive, and the studies that are fetched of them, one row each.

A search is kept in one transaction with all that it found, so there are no half ones. What fetches a study holds its
row under a lease, as for any other work (`node.store.working.work`), and gives it up when its attempts are used up. It
knows no association; who asks the archive, and what an answer means, is `node.pipeline.fetching.backfill`'s business.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, insert, or_, select, update

from node.domain.lifecycle import OPEN_STATES, State
from node.store import audit, notices
from node.store.connection.driver_statement import Lookup
from node.store.database import Transaction
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import Backfill, BackfillStudy
from node.store.tables.work_tables import Job
from node.store.working import queue, work

ATTEMPTS = 5
"""How often the archive may fail to send one study before it is buried."""


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that an archive says it holds, and how many instances, None where it does not say."""

    study_instance_uid: str
    expected: int | None


@dataclass(frozen=True, slots=True)
class ClaimedStudy(work.Claim):
    """A study that this worker fetches until `lease_until`."""

    backfill_id: int
    study_instance_uid: str
    expected: int | None


def begin(
    tx: Transaction, peer: str, query: Mapping[str, str], studies: Sequence[FoundStudy], now: datetime, *, sends: bool
) -> int:
    """Keep a search and what it found, and return its number.

    Parameters
    ----------
    tx
        The transaction.
    peer
        Name of the archive.
    query
        What was asked, by keyword.
    studies
        What was found, in the order in which it is to be fetched; no study twice.
    now
        Aware.
    sends
        Whether results of what it fetches leave.
    """
    over = None if studies else now
    row = Backfill(peer=peer, query=dict(query), sends=sends, created_at=now, searched_at=now, ended_at=over)
    tx.add(row)
    tx.flush()
    fresh = work.fresh(now, queue.BACKFILL)
    values = [
        {"backfill_id": row.id, "study_instance_uid": one.study_instance_uid, "expected": one.expected, "fetched": None}
        for one in studies
    ]
    if values:
        tx.execute(insert(BackfillStudy), [fresh | one for one in values])
        notices.tell(tx, notices.Work.FETCH)
    return row.id


def open_like(tx: Transaction, peer: str, query: Mapping[str, str], *, sends: bool) -> int | None:
    """Return the number of a backfill that asks the same and has not ended, or None."""
    same = select(Backfill).where(Backfill.peer == peer, Backfill.sends == sends, Backfill.ended_at.is_(None))
    return next((row.id for row in tx.scalars(same.order_by(Backfill.id)) if row.query == dict(query)), None)


def open_for(tx: Transaction, study_uids: Collection[str]) -> frozenset[str]:
    """Return which of these studies a backfill is fetching: from its first request for one to the last answer.

    A study that waits for its turn is not among them: what comes of it meanwhile was sent by somebody else.
    """
    return frozenset(uid for (uid,) in _FETCHED_NOW.rows(tx, list(study_uids))) if study_uids else frozenset()


def sends(tx: Transaction, study_uid: str) -> bool:
    """Return whether results of a study that was fetched may leave: some backfill that named it says so."""
    saying = exists().where(
        BackfillStudy.backfill_id == Backfill.id,
        BackfillStudy.study_instance_uid == study_uid,
        BackfillStudy.state != State.CANCELLED,
        Backfill.sends,
    )
    return bool(tx.scalar(select(saying)))


def claim(tx: Transaction, peer: str, now: datetime, lease_s: float, worker: str) -> ClaimedStudy | None:
    """Take the next study to fetch from a peer, or None where none is due."""
    identity = work.claim(tx, BackfillStudy, _of(peer), now, lease_s, worker)
    if identity is None:
        return None
    row = tx.get_one(BackfillStudy, identity, populate_existing=True)
    return ClaimedStudy(
        id=row.id,
        attempt=row.attempt,
        failures=row.failures,
        max_attempts=ATTEMPTS,
        lease_until=work.lease_end(row),
        last_error=row.last_error,
        backfill_id=row.backfill_id,
        study_instance_uid=row.study_instance_uid,
        expected=row.expected,
    )


def rescue(tx: Transaction, now: datetime, *, everything: bool = False) -> int:
    """Take back the studies whose lease ran out, or all that are under way; return how many."""
    lapses = work.rescue(tx, BackfillStudy, now, ATTEMPTS, everything=everything)
    buried = [lapse.id for lapse in lapses if lapse.state is State.BURIED]
    for backfill_id in set(tx.scalars(select(BackfillStudy.backfill_id).where(BackfillStudy.id.in_(buried)))):
        _close(tx, backfill_id, now)
    return len(lapses)


def finish(tx: Transaction, claimed: ClaimedStudy, now: datetime, fetched: int) -> bool:
    """Settle a study as fetched, with how many instances of it are held; False where the lease was lost."""
    settled = work.finish(tx, BackfillStudy, claimed, now, fetched=fetched, last_error="")
    if settled:
        _close(tx, claimed.backfill_id, now)
    return settled


def fail(
    tx: Transaction, claimed: ClaimedStudy, now: datetime, error: str, *, permanent: bool, jitter: random.Random
) -> State | None:
    """Settle a study as failed: fetched again after a backoff, or buried; None where the lease was lost."""
    state = work.fail(tx, BackfillStudy, claimed, now, error, permanent=permanent, jitter=jitter)
    if state is State.BURIED:
        audit.add(tx, now, "study not fetched", claimed.study_instance_uid, backfill=claimed.backfill_id, error=error)
        _close(tx, claimed.backfill_id, now)
    return state


def put_off(tx: Transaction, claimed: ClaimedStudy, now: datetime, error: str) -> bool:
    """Put a study back for a cause that is not its own, without counting a failure; False where the lease was lost."""
    if not work.release(tx, BackfillStudy, claimed, now):
        return False
    tx.execute(update(BackfillStudy).where(BackfillStudy.id == claimed.id).values(last_error=error))
    return True


def extend(tx: Transaction, claimed: ClaimedStudy, now: datetime, lease_s: float) -> bool:
    """Hold a study for `lease_s` more from now; False where the lease was lost or the backfill was cancelled."""
    return is_wanted(tx, claimed) and work.extend(tx, BackfillStudy, claimed, now, lease_s)


def is_wanted(tx: Transaction, claimed: ClaimedStudy) -> bool:
    """Return whether the backfill goes on."""
    return tx.get_one(Backfill, claimed.backfill_id, populate_existing=True).ended_at is None


def withdraw(tx: Transaction, claimed: ClaimedStudy, now: datetime) -> bool:
    """Settle a study as no longer wanted; False where the lease was lost."""
    return work.withdraw(tx, BackfillStudy, claimed, now, "the backfill was cancelled")


def next_due(tx: Transaction, peer: str) -> datetime | None:
    """Return when a claim may next find a study of a peer, or None where only a new backfill can help."""
    return work.next_wake(tx, BackfillStudy, _of(peer))


def held(tx: Transaction, study_uid: str) -> int:
    """Return how many instances of a study are stored."""
    counting = select(func.count()).where(Instance.study_instance_uid == study_uid, Instance.removed_at.is_(None))
    return int(tx.scalar(counting.select_from(Instance)) or 0)


def live_work_waits(tx: Transaction, now: datetime) -> bool:
    """Return whether there is work for studies that somebody sent: due, or in hand."""
    due = or_(Job.state == State.RUNNING, and_(Job.state == State.WAITING, Job.due_at <= now))
    return bool(tx.scalar(select(exists().where(Job.priority < queue.BACKFILL, due))))


def cancel(tx: Transaction, backfill_id: int, now: datetime) -> int | None:
    """End a backfill; return how many studies are not fetched for it, or None where there is no such one.

    The study that is under way is broken off by its worker.
    """
    row = tx.get(Backfill, backfill_id)
    if row is None:
        return None
    row.ended_at = row.ended_at or now
    return len(work.cancel(tx, BackfillStudy, BackfillStudy.backfill_id == backfill_id, now))


def retry(tx: Transaction, backfill_id: int, now: datetime) -> int | None:
    """Put the buried studies of a backfill back to waiting; return how many, or None where there is no such one."""
    row = tx.get(Backfill, backfill_id)
    if row is None:
        return None
    buried = and_(BackfillStudy.backfill_id == backfill_id, BackfillStudy.state == State.BURIED)
    again = work.put_back(tx, BackfillStudy, buried, now)
    row.ended_at = None if again else row.ended_at
    notices.tell(tx, notices.Work.FETCH)
    return len(again)


def _of(peer: str) -> ColumnElement[bool]:
    going_on = select(Backfill.id).where(Backfill.peer == peer, Backfill.ended_at.is_(None))
    return BackfillStudy.backfill_id.in_(going_on)


def _close(tx: Transaction, backfill_id: int, now: datetime) -> None:
    """End a backfill of which nothing is left to fetch."""
    left = exists().where(BackfillStudy.backfill_id == backfill_id, BackfillStudy.state.in_(OPEN_STATES))
    ends = update(Backfill).where(Backfill.id == backfill_id, Backfill.ended_at.is_(None), ~left)
    tx.execute(ends.values(ended_at=now))


_FETCHED_NOW = Lookup(
    lambda among: (
        select(BackfillStudy.study_instance_uid)
        .distinct()
        .where(among(BackfillStudy.study_instance_uid))
        .where(or_(*(BackfillStudy.state == state for state in OPEN_STATES)), BackfillStudy.attempt > 0)
    )
)
