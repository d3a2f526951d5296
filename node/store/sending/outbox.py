"""The outbox: each report on its way to each destination.

A delivery sends one rendition (`node.store.sending.pinning`), and retries send the same bytes. Transient failures are
tried again for as long as it takes; permanent ones are buried where the operator sees them. What is to wait for an
operator's word is held.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from node.domain.identifiers import StudyInstanceUID
from node.domain.lifecycle import HeldFor, State
from node.store import audit, notices
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.sending import offered
from node.store.stopping import holds
from node.store.tables.choices import RESULTS, Commitment, DeliveryKind
from node.store.tables.result_tables import Analysis, Delivery
from node.store.working import work
from node.store.working.analyses import Rendition, rendition

PRIORITY = 100
"""Smaller is claimed first."""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery(work.Claim):
    """A delivery that this worker holds until `lease_until`, with all that sending needs."""

    peer: str
    analysis_id: int
    study_instance_uid: StudyInstanceUID
    model: str
    kind: DeliveryKind
    rendition: Rendition
    waits_since: datetime  #: when it was made, let go by an operator, or put back to be sent again
    created_at: datetime
    waived: frozenset[str]  #: what an operator let go of `node.domain.lifecycle.HeldFor`
    is_pinned: bool  #: whether `rendition` is what leaves, and not only what its peer's profile prefers


def add(  # noqa: PLR0913 - what a delivery is made of
    tx: Transaction,
    analysis_id: int,
    peer: str,
    rendition_id: int,
    now: datetime,
    *,
    kind: DeliveryKind = DeliveryKind.REPORT,
    priority: int = PRIORITY,
    is_pinned: bool = True,
    waived: Collection[str] = (),
) -> bool:
    """Send a rendition to a peer; the same one twice is one delivery.

    Unless `is_pinned`, another form of the same report may take its place before anything leaves.

    Returns
    -------
    bool
        Whether it is a new delivery.
    """
    what = {"analysis_id": analysis_id, "peer": peer, "rendition_id": rendition_id, "kind": kind, "created_at": now}
    what |= {"pinned_at": now if is_pinned else None, "waived": sorted(waived)}
    values = what | work.fresh(now, priority)
    added = insert_into(tx, Delivery).values(**values).on_conflict_do_nothing().returning(Delivery.id)
    notices.tell(tx, notices.Work.DELIVER)
    return tx.scalar(added) is not None


def claim(
    tx: Transaction, now: datetime, lease_s: float, worker: str, peers: Collection[str]
) -> ClaimedDelivery | None:
    """Take the next delivery to one of these peers that no hold keeps back, or None where nothing is due.

    Parameters
    ----------
    tx
        A transaction of its own: the delivery is held once it is committed.
    now
        Aware.
    lease_s
        How long it is held before another worker may take it over.
    worker
        Who holds it, for the operator's listing.
    peers
        Names of the peers that may be sent to now.
    """
    rescue(tx, now)
    taken = work.claim(tx, Delivery, and_(_to(peers), holds.not_held()), now, lease_s, worker)
    return None if taken is None else _claimed(tx, taken)


def rescue(tx: Transaction, now: datetime, *, everything: bool = False) -> int:
    """Take back deliveries whose lease ran out, or all that run; `node.store.working.job_claims.rescue` says when."""
    lapses = work.rescue(tx, Delivery, now, max_attempts=None, everything=everything)
    if lapses:
        lapsed = Delivery.id.in_([lapse.id for lapse in lapses])
        tx.execute(update(Delivery).where(lapsed).values(**offered.marked(now)))
    for lapse in lapses:
        _note(tx, lapse.id, "delivery rescued", now, attempt=lapse.attempt, state=lapse.state, error=lapse.error)
    return len(lapses)


def finish(
    tx: Transaction,
    claimed: ClaimedDelivery,
    now: datetime,
    status: int,
    *,
    comment: str = "",
    commitment: Commitment = Commitment.NONE,
) -> bool:
    """Settle a delivery as sent; False where the lease was lost.

    Parameters
    ----------
    tx, claimed, now
        The transaction, what is settled, and when.
    status, comment
        What the peer answered: the DIMSE status and the (0000,0902) Error Comment.
    commitment
        `Commitment.ASKED` where the peer is to be asked for storage commitment.
    """
    answer = {"last_status": status, "last_comment": comment, "last_error": "", "sent_at": now} | offered.marked(now)
    return work.finish(tx, Delivery, claimed, now, commitment=commitment, **answer)


def fail(  # noqa: PLR0913 - how it failed is exactly this
    tx: Transaction,
    claimed: ClaimedDelivery,
    now: datetime,
    error: str,
    *,
    permanent: bool,
    jitter: random.Random,
    not_before: datetime | None = None,
    status: int | None = None,
    comment: str = "",
    is_told: bool = True,
    may_have_left: bool = True,
) -> State | None:
    """Settle a delivery as failed: tried again after a backoff, or buried; return which, None where the lease was lost.

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
    not_before
        Where nothing is tried at the peer before, the end of that pause.
    status, comment
        What the peer answered, where it did.
    is_told
        Whether the timeline of the study tells of it; it always does where the delivery is buried.
    may_have_left
        Whether the peer may hold it all the same; False only where nothing left, or the peer refused it.
    """
    values: dict[str, Any] = {} if status is None else {"last_status": status, "last_comment": comment}
    values |= offered.marked(now) if may_have_left else {}
    values |= {"permanent": permanent, "jitter": jitter, "not_before": not_before}
    state = work.fail(tx, Delivery, claimed, now, error, **values)
    if state is None:
        return None
    # a peer that is down for days fails each delivery hundreds of times in the same words: one entry tells it
    if state is State.BURIED or (is_told and error != claimed.last_error):
        _note(tx, claimed.id, "delivery failed", now, attempt=claimed.attempt, state=state, error=error, status=status)
    return state


def hold(tx: Transaction, claimed: ClaimedDelivery, now: datetime, reason: str, held_for: HeldFor) -> bool:
    """Keep a delivery back until an operator decides; False where the lease was lost.

    Parameters
    ----------
    tx, claimed, now
        As for `finish`.
    reason
        One sentence for the operator, without patient data.
    held_for
        The same for `node.store.stopping.releasing`, which waives just this.
    """
    held = work.hold(tx, Delivery, claimed, now, reason, held_for=held_for.value)
    if held:
        _note(tx, claimed.id, "delivery held", now, attempt=claimed.attempt, reason=reason)
    return held


def release(tx: Transaction, claimed: ClaimedDelivery, now: datetime, *, may_have_left: bool = False) -> bool:
    """Put back a delivery without counting a failure; False where the lease was lost.

    With `may_have_left` it was stopped on its way, and the timeline says that the peer may have it.
    """
    released = work.release(tx, Delivery, claimed, now, **(offered.marked(now) if may_have_left else {}))
    if released and may_have_left:
        reason = offered.said("it was stopped on its way", now)
        _note(tx, claimed.id, "delivery stopped", now, attempt=claimed.attempt, reason=reason)
    return released


def withdraw(tx: Transaction, claimed: ClaimedDelivery, now: datetime, reason: str) -> bool:
    """Settle a delivery as cancelled before it is sent; False where the lease was lost."""
    withdrawn = work.withdraw(tx, Delivery, claimed, now, reason)
    if withdrawn:
        _note(tx, claimed.id, "delivery cancelled", now, reason=reason)
    return withdrawn


def cancel_waiting(
    tx: Transaction,
    study_uid: str,
    model: str,
    peer: str,
    now: datetime,
    reason: str = "a newer report takes its place",
    states: Collection[State] = (State.WAITING, State.HELD),
) -> int:
    """Cancel what waits or is held of a study's and model's reports to a peer, or is in other states; return how many.

    What is under way is left to its worker, which asks before it sends whether the report is still the current one.
    """
    of_study = select(Analysis.id).where(Analysis.study_instance_uid == study_uid, Analysis.model == model)
    which = and_(Delivery.analysis_id.in_(of_study), Delivery.peer == peer, Delivery.kind.in_(RESULTS))
    cancelled = work.cancel(tx, Delivery, which, now, states)
    for identity in cancelled:
        _note(tx, identity, "delivery cancelled", now, reason=reason)
    return len(cancelled)


def next_due(tx: Transaction, peers: Collection[str] | None = None) -> datetime | None:
    """Return when a claim may next find a delivery (to one of `peers`), or None where only a new one can help.

    What a hold keeps back is left out: letting it go is new.
    """
    of_peers = holds.not_held() if peers is None else and_(_to(peers), holds.not_held())
    return work.next_wake(tx, Delivery, of_peers)


def _to(peers: Collection[str]) -> ColumnElement[bool]:
    # one peer is asked for as such: then the index gives its rows in the order of claiming
    return Delivery.peer == next(iter(peers)) if len(peers) == 1 else Delivery.peer.in_(peers)


def _claimed(tx: Transaction, identity: int) -> ClaimedDelivery:
    delivery = tx.get_one(Delivery, identity, populate_existing=True)
    analysis = tx.get_one(Analysis, delivery.analysis_id)
    return ClaimedDelivery(
        id=delivery.id,
        attempt=delivery.attempt,
        failures=delivery.failures,
        max_attempts=None,
        lease_until=work.lease_end(delivery),
        last_error=delivery.last_error,
        peer=delivery.peer,
        analysis_id=analysis.id,
        study_instance_uid=StudyInstanceUID(analysis.study_instance_uid),
        model=analysis.model,
        kind=delivery.kind,
        rendition=rendition(tx, delivery.rendition_id),
        created_at=delivery.created_at,
        waits_since=delivery.waits_since or delivery.created_at,
        waived=frozenset(delivery.waived),
        is_pinned=delivery.pinned_at is not None,
    )


def _note(tx: Transaction, identity: int, event: str, now: datetime, **detail: Any) -> None:
    of_delivery = (
        select(Delivery.peer, Analysis.study_instance_uid, Analysis.model, Delivery.offered_at)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .where(Delivery.id == identity)
    )
    peer, study_uid, model, offered_at = tx.execute(of_delivery).one()
    if event == "delivery cancelled":
        detail["reason"] = offered.said(detail["reason"], offered_at)
    audit.add(tx, now, event, study_uid, delivery=identity, peer=peer, model=model, **detail)
