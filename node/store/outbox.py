"""The outbox: each report on its way to each destination.

A delivery pins the rendition that its peer was first offered; retries send the same bytes. Transient failures are
tried again for as long as it takes; permanent ones are buried where the operator sees them.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from node.domain.identifiers import StudyInstanceUID
from node.domain.lifecycle import OPEN_STATES, State
from node.store import analyses, audit, work
from node.store.analyses import Rendition, rendition
from node.store.database import Transaction
from node.store.tables import Analysis, Delivery
from node.store.upsert import insert_into

PRIORITY = 100
"""Smaller is claimed first."""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery(work.Claim):
    """A delivery that this worker holds until `lease_until`, with all that sending needs."""

    peer: str
    analysis_id: int
    study_instance_uid: StudyInstanceUID
    model: str
    rendition: Rendition


def add(
    tx: Transaction, analysis_id: int, peer: str, rendition_id: int, now: datetime, *, priority: int = PRIORITY
) -> bool:
    """Send a rendition to a peer; the same one twice is one delivery.

    Returns
    -------
    bool
        Whether it is a new delivery.
    """
    what = {"analysis_id": analysis_id, "peer": peer, "rendition_id": rendition_id, "created_at": now}
    values = what | work.fresh(now, priority)
    added = insert_into(tx, Delivery).values(**values).on_conflict_do_nothing().returning(Delivery.id)
    return tx.scalar(added) is not None


def claim(
    tx: Transaction, now: datetime, lease_s: float, worker: str, peers: Collection[str]
) -> ClaimedDelivery | None:
    """Take the next delivery to one of these peers, or None where nothing is due.

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
    taken = work.claim(tx, Delivery, Delivery.peer.in_(peers), now, lease_s, worker)
    return None if taken is None else _claimed(tx, taken)


def rescue(tx: Transaction, now: datetime, *, everything: bool = False) -> int:
    """Take back deliveries whose lease ran out, or all that are running; `node.store.job_claims.rescue` says when."""
    lapses = work.rescue(tx, Delivery, now, max_attempts=None, everything=everything)
    for lapse in lapses:
        _note(tx, lapse.id, "delivery rescued", now, attempt=lapse.attempt, state=lapse.state, error=lapse.error)
    return len(lapses)


def finish(tx: Transaction, claimed: ClaimedDelivery, now: datetime, status: int) -> bool:
    """Settle a delivery as sent, with the peer's status; False where the lease was lost."""
    return bool(work.finish(tx, Delivery, claimed, now, last_status=status))


def fail(
    tx: Transaction,
    claimed: ClaimedDelivery,
    now: datetime,
    error: str,
    *,
    permanent: bool,
    jitter: random.Random,
    status: int | None = None,
) -> bool:
    """Settle a delivery as failed: tried again after a backoff, or buried; False where the lease was lost.

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
    status
        The peer's status, where it answered with one.
    """
    values = {} if status is None else {"last_status": status}
    state = work.fail(tx, Delivery, claimed, now, error, permanent=permanent, jitter=jitter, **values)
    if state is None:
        return False
    # a peer that is down for days fails each delivery hundreds of times in the same words: one entry tells it
    if state is State.BURIED or error != claimed.last_error:
        _note(tx, claimed.id, "delivery failed", now, attempt=claimed.attempt, state=state, error=error, status=status)
    return True


def release(tx: Transaction, claimed: ClaimedDelivery, now: datetime) -> bool:
    """Put back a delivery that was not begun, without counting a failure; False where the lease was lost."""
    return work.release(tx, Delivery, claimed, now)


def extend(tx: Transaction, claimed: ClaimedDelivery, now: datetime, lease_s: float) -> bool:
    """Hold a delivery for `lease_s` more from now; False where the lease was lost and sending must stop."""
    return work.extend(tx, Delivery, claimed, now, lease_s)


def withdraw(tx: Transaction, claimed: ClaimedDelivery, now: datetime, reason: str) -> bool:
    """Settle a delivery as cancelled before it is sent; False where the lease was lost."""
    withdrawn = work.withdraw(tx, Delivery, claimed, now, reason)
    if withdrawn:
        _note(tx, claimed.id, "delivery cancelled", now, reason=reason)
    return withdrawn


def cancel_waiting(tx: Transaction, study_uid: str, model: str, peer: str, now: datetime) -> int:
    """Cancel what waits of a study's and model's reports to a peer; return how many.

    What is under way is left to its worker, which asks before it sends whether the report is still the current one.
    """
    of_study = select(Analysis.id).where(Analysis.study_instance_uid == study_uid, Analysis.model == model)
    which = and_(Delivery.analysis_id.in_(of_study), Delivery.peer == peer)
    cancelled = work.cancel(tx, Delivery, which, now)
    for identity in cancelled:
        _note(tx, identity, "delivery cancelled", now, reason="a newer report takes its place")
    return len(cancelled)


def told(tx: Transaction, study_uid: str, model: str, peer: str) -> analyses.Analysis | None:
    """Return the newest analysis whose report a peer holds or is about to get, or None where it knows of none."""
    counts = (State.DONE, *OPEN_STATES)
    newest = (
        select(Analysis.id)
        .join(Delivery, Delivery.analysis_id == Analysis.id)
        .where(Analysis.study_instance_uid == study_uid, Analysis.model == model)
        .where(Delivery.peer == peer, Delivery.state.in_(counts))
        .order_by(Analysis.id.desc())
        .limit(1)
    )
    found = tx.scalar(newest)
    return None if found is None else analyses.get(tx, found)


def next_due(tx: Transaction, peers: Collection[str] | None = None) -> datetime | None:
    """Return when a claim may next find a delivery (to one of `peers`), or None where only a new one can help."""
    return work.next_wake(tx, Delivery, None if peers is None else Delivery.peer.in_(peers))


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
        rendition=rendition(tx, delivery.rendition_id),
    )


def _note(tx: Transaction, identity: int, event: str, now: datetime, **detail: Any) -> None:
    of_delivery = (
        select(Delivery.peer, Analysis.study_instance_uid, Analysis.model)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .where(Delivery.id == identity)
    )
    peer, study_uid, model = tx.execute(of_delivery).one()
    audit.add(tx, now, event, study_uid, delivery=identity, peer=peer, model=model, **detail)
