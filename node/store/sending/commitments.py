"""Storage commitment as this node asks for it: which sent reports a peer is asked about, and what it answered.

Reports that a peer was sent are gathered into one request. Each time a peer is asked it is under a new transaction UID,
in a row of its own that names the same reports; the rows before stay, because an answer to them may still come and is
as true. It knows no association.

References
----------
DICOM PS3.4 Annex J (Storage Commitment Service Class).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from node.domain.lifecycle import State, next_due
from node.store import audit, notices
from node.store.database import Transaction
from node.store.sending import offered
from node.store.stopping import recalls
from node.store.tables.choices import Commitment, DeliveryKind
from node.store.tables.operation_tables import CommitmentAsked
from node.store.tables.result_tables import Analysis, Delivery, Rendition
from node.store.working import queue, work

MOST_REPORTS = 500
"""In one request; more go in the next."""

MakeUID = Callable[[], str]
"""Makes a transaction UID that nobody ever used."""


@dataclass(frozen=True, slots=True)
class ClaimedQuestion(work.Claim):
    """A request that this worker makes until `lease_until`."""

    peer: str
    transaction_uid: str
    instances: tuple[tuple[str, str], ...]  #: SOP Class UID and SOP Instance UID of each report


@dataclass(frozen=True, slots=True)
class Named:
    """What a peer says of the instances that it was asked about."""

    committed: frozenset[str]
    failed: Mapping[str, str]  #: SOP Instance UID -> the reason in words
    asked_again: frozenset[str]  #: those of which the transaction failed, not the instance


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer: how many reports the peer keeps, is sent again, and is asked about again."""

    peer: str
    committed: int
    failed: int
    asked_again: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A sent report whose commitment a peer was asked for."""

    delivery: Delivery
    sop_instance_uid: str
    study_instance_uid: str
    is_wanted: bool  #: False once it was taken back or recalled


def gather(tx: Transaction, peer: str, now: datetime, wait_s: float, new_uid: MakeUID) -> bool:
    """Make one request of what a peer was sent and not asked about, once the first of it has waited; say whether."""
    since = _first_sent_at(tx, peer)
    if since is None or since + timedelta(seconds=wait_s) > now:
        return False
    which = select(Delivery.id).where(_not_asked(peer)).order_by(Delivery.sent_at, Delivery.id).limit(MOST_REPORTS)
    ids = list(tx.scalars(which))
    identity = _add(tx, peer, now, new_uid, failures=0)
    tx.execute(update(Delivery).where(Delivery.id.in_(ids)).values(commitment_id=identity))
    return True


def claim(
    tx: Transaction, peer: str, now: datetime, lease_s: float, worker: str, new_uid: MakeUID
) -> ClaimedQuestion | None:
    """Take the next request to make of a peer, or None where none is due.

    One that was made already, and is due because no answer came, is given up for a new one.
    """
    work.rescue(tx, CommitmentAsked, now, None, which=CommitmentAsked.peer == peer)
    taken = work.claim(tx, CommitmentAsked, CommitmentAsked.peer == peer, now, lease_s, worker)
    if taken is None:
        return None
    row = tx.get_one(CommitmentAsked, taken, populate_existing=True)
    if row.asked_at is not None:
        identity = _give_up(tx, row, now, new_uid)
        taken = work.claim(tx, CommitmentAsked, CommitmentAsked.id == identity, now, lease_s, worker)
        row = tx.get_one(CommitmentAsked, identity, populate_existing=True)
    return _claimed(tx, row)


def note_asking(tx: Transaction, claimed: ClaimedQuestion, now: datetime) -> bool:
    """Note that a request is about to leave, so that it is never made twice; False where the lease was lost."""
    return bool(_changed(tx, claimed, {"asked_at": now}))


def await_answer(tx: Transaction, claimed: ClaimedQuestion, now: datetime, until: datetime) -> bool:
    """Note that a peer took a request: it is asked anew where no answer came by then; False where one came already."""
    if not work.release(tx, CommitmentAsked, claimed, now):
        return False
    tx.execute(update(CommitmentAsked).where(CommitmentAsked.id == claimed.id).values(due_at=until, last_error=""))
    for asked in _about(tx, Delivery.commitment_id == claimed.id):
        _note(tx, "commitment asked", asked, now, transaction_uid=claimed.transaction_uid)
    return True


def fail(tx: Transaction, claimed: ClaimedQuestion, now: datetime, error: str, jitter: random.Random) -> bool:
    """Settle a request as not made: made after a backoff; False where the lease was lost."""
    state = work.fail(tx, CommitmentAsked, claimed, now, error, permanent=False, jitter=jitter)
    if state is not None and error != claimed.last_error:
        for asked in _about(tx, Delivery.commitment_id == claimed.id):
            _note(tx, "commitment not asked", asked, now, error=error)
    return state is not None


def drop(tx: Transaction, claimed: ClaimedQuestion, now: datetime) -> bool:
    """Settle a request about nothing: an answer to an earlier one came, or its reports are sent again."""
    return work.withdraw(tx, CommitmentAsked, claimed, now, "nothing is left to ask about")


def answer(
    tx: Transaction, transaction_uid: str, named: Named, now: datetime, jitter: random.Random, new_uid: MakeUID
) -> Answered | None:
    """Keep what a peer says of a request, or return None where this node made none of this transaction UID.

    What it keeps is committed. What it does not hold goes back to waiting, after a backoff, and is sent again, but for
    what was taken back. What it says nothing about it is asked again. A success counts whichever request it answers; a
    failure only where it answers the latest, because the report may have been sent again since.
    """
    made = select(CommitmentAsked).where(CommitmentAsked.transaction_uid == transaction_uid)
    row = tx.scalar(made.with_for_update())
    if row is None:
        return None
    asked = _about(tx, and_(Delivery.peer == row.peer, Delivery.commitment_id.is_not(None)))
    kept = [one for one in asked if one.sop_instance_uid in named.committed]
    for one in kept:
        one.delivery.commitment = Commitment.COMMITTED
        _note(tx, "report committed", one, now, transaction_uid=transaction_uid)
    mine = [one for one in asked if one.delivery.commitment_id == row.id and one not in kept]
    notices.tell(tx, notices.Work.DELIVER)
    lost = [one for one in mine if one.sop_instance_uid in named.failed and _is_sent(one)]
    for one in lost:
        _send_again(tx, one, named.failed[one.sop_instance_uid], now, jitter)
    rest = [one for one in mine if one not in lost]
    _end(tx, row, now)
    if rest:
        failures = row.failures + 1
        _ask_again(tx, row, rest, next_due(now, failures, jitter), new_uid, failures=failures)
    return Answered(row.peer, len(kept), len(lost), len(rest))


def rescue(tx: Transaction, now: datetime) -> int:
    """Take back the requests that are being made, at the start of a node; return how many."""
    return len(work.rescue(tx, CommitmentAsked, now, None, everything=True))


def next_due_at(tx: Transaction, peer: str, wait_s: float) -> datetime | None:
    """Return when `gather` or `claim` may next find something for a peer, or None where only a report can help."""
    since = _first_sent_at(tx, peer)
    times = (
        None if since is None else since + timedelta(seconds=wait_s),
        work.next_wake(tx, CommitmentAsked, CommitmentAsked.peer == peer, CommitmentAsked.peer == peer),
    )
    return min((time for time in times if time is not None), default=None)


def _not_asked(peer: str) -> ColumnElement[bool]:
    return and_(
        Delivery.commitment == Commitment.ASKED,
        Delivery.peer == peer,
        Delivery.commitment_id.is_(None),
        Delivery.state == State.DONE,
    )


def _first_sent_at(tx: Transaction, peer: str) -> datetime | None:
    return tx.scalar(select(func.min(Delivery.sent_at)).where(_not_asked(peer)))


def _add(tx: Transaction, peer: str, due_at: datetime, new_uid: MakeUID, *, failures: int) -> int:
    fresh = work.fresh(due_at, queue.LIVE) | {"failures": failures}
    row = CommitmentAsked(peer=peer, transaction_uid=new_uid(), asked_at=None, answered_at=None, **fresh)
    tx.add(row)
    tx.flush()
    return row.id


def _give_up(tx: Transaction, row: CommitmentAsked, now: datetime, new_uid: MakeUID) -> int:
    """Let a request without an answer rest, and return the number of the one that takes its place."""
    asked = _about(tx, Delivery.commitment_id == row.id)
    row.state, row.settled_at, row.lease_until = State.CANCELLED, now, None
    if not row.last_error:  # the peer took it; where it did not, that is counted and told already
        row.failures, row.last_error = row.failures + 1, "no answer came"
        for one in asked:
            _note(tx, "commitment not answered", one, now, transaction_uid=row.transaction_uid, times=row.failures)
    return _ask_again(tx, row, asked, now, new_uid, failures=row.failures)


def _ask_again(
    tx: Transaction,
    row: CommitmentAsked,
    asked: Sequence[_Asked],
    due_at: datetime,
    new_uid: MakeUID,
    *,
    failures: int,
) -> int:
    identity = _add(tx, row.peer, due_at, new_uid, failures=failures)
    for one in asked:
        one.delivery.commitment_id = identity
    return identity


def _send_again(tx: Transaction, one: _Asked, reason: str, now: datetime, jitter: random.Random) -> None:
    delivery = one.delivery
    delivery.commitment, delivery.commitment_id = Commitment.FAILED, None
    failures = delivery.failures + 1
    if one.is_wanted:
        delivery.state, delivery.due_at, delivery.settled_at = State.WAITING, next_due(now, failures, jitter), None
        delivery.failures, delivery.waits_since = failures, now
        delivery.last_error = f"the peer does not keep it: {reason}"
    _note(tx, "commitment failed", one, now, reason=reason, times=failures, sent_again=one.is_wanted)


def _end(tx: Transaction, row: CommitmentAsked, now: datetime) -> None:
    row.answered_at = now
    if row.state in (State.WAITING, State.RUNNING):
        row.state, row.settled_at, row.lease_until = State.DONE, now, None
    tx.flush()


def _is_sent(one: _Asked) -> bool:
    return one.delivery.state is State.DONE


def _about(tx: Transaction, which: ColumnElement[bool]) -> list[_Asked]:
    """Return the reports of requests whose commitment is still open."""
    still_counts = and_(recalls.not_recalled(), ~offered.taken_back(Delivery.peer))
    is_wanted = or_(Delivery.kind == DeliveryKind.REJECTION_NOTE, still_counts)
    rows = tx.execute(
        select(Delivery, Rendition.sop_instance_uid, Analysis.study_instance_uid, is_wanted)
        .join(Rendition, Delivery.rendition_id == Rendition.id)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .where(which, Delivery.commitment == Commitment.ASKED)
        .order_by(Delivery.id)
    )
    return [_Asked(*row) for row in rows.all()]


def _claimed(tx: Transaction, row: CommitmentAsked) -> ClaimedQuestion:
    names = (
        select(Rendition.sop_class_uid, Rendition.sop_instance_uid)
        .join(Delivery, Delivery.rendition_id == Rendition.id)
        .where(Delivery.commitment_id == row.id, Delivery.commitment == Commitment.ASKED)
        .order_by(Delivery.id)
    )
    return ClaimedQuestion(
        id=row.id,
        attempt=row.attempt,
        failures=row.failures,
        max_attempts=None,
        lease_until=work.lease_end(row),
        last_error=row.last_error,
        peer=row.peer,
        transaction_uid=row.transaction_uid,
        instances=tuple((sop_class, uid) for sop_class, uid in tx.execute(names)),
    )


def _changed(tx: Transaction, claimed: ClaimedQuestion, values: Mapping[str, object]) -> list[int]:
    held = and_(
        CommitmentAsked.id == claimed.id,
        CommitmentAsked.attempt == claimed.attempt,
        CommitmentAsked.state == State.RUNNING,
    )
    changes = update(CommitmentAsked).where(held).values(**values).returning(CommitmentAsked.id)
    return list(tx.scalars(changes, execution_options={"synchronize_session": False}))


def _note(tx: Transaction, event: str, one: _Asked, now: datetime, **detail: object) -> None:
    who = {"peer": one.delivery.peer, "delivery": one.delivery.id}
    audit.add(tx, now, event, one.study_instance_uid, one.sop_instance_uid, **who, **detail)
