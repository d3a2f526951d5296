"""Storage commitment as peers ask this node for it: their requests, until the result has reached them.

References
----------
DICOM PS3.4 Annex J (Storage Commitment Service Class).
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from node.domain.lifecycle import OPEN_STATES
from node.store import notices
from node.store.connection.driver_statement import Lookup
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import CommitmentRequested
from node.store.working import queue, work


@dataclass(frozen=True, slots=True)
class ClaimedResult(work.Claim):
    """A request whose result this worker tells until `lease_until`."""

    calling_ae_title: str
    transaction_uid: str
    instances: tuple[tuple[str, str], ...]  #: SOP Class UID and SOP Instance UID of each


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """An instance whose file is held, as it was received."""

    sop_class_uid: str
    study_instance_uid: str
    path: str  #: relative to the data folder


def add(
    tx: Transaction,
    calling_ae_title: str,
    address: str,
    transaction_uid: str,
    instances: Sequence[tuple[str, str]],
    now: datetime,
) -> bool:
    """Keep a request; the same one twice is one. Return whether it is new."""
    values = {
        "calling_ae_title": calling_ae_title,
        "address": address,
        "transaction_uid": transaction_uid,
        "instances": [list(instance) for instance in instances],
        "requested_at": now,
    } | work.fresh(now, queue.LIVE)
    notices.tell(tx, notices.Work.COMMIT)
    adding = insert_into(tx, CommitmentRequested).values(**values).on_conflict_do_nothing()
    return tx.scalar(adding.returning(CommitmentRequested.id)) is not None


def held_among(tx: Transaction, sop_uids: Collection[str]) -> dict[str, HeldInstance]:
    """Return which of these instances are held, by their rows."""
    found = _HELD.rows(tx, list(dict.fromkeys(sop_uids))) if sop_uids else []
    return {uid: HeldInstance(sop_class, study, path) for uid, sop_class, study, path in found}


def claim(
    tx: Transaction, callers: Collection[str], now: datetime, lease_s: float, worker: str
) -> ClaimedResult | None:
    """Take the next result to tell to one of these callers, or None where none is due."""
    work.rescue(tx, CommitmentRequested, now, None)
    eligible = CommitmentRequested.calling_ae_title.in_(callers)
    taken = work.claim(tx, CommitmentRequested, eligible, now, lease_s, worker)
    if taken is None:
        return None
    row = tx.get_one(CommitmentRequested, taken, populate_existing=True)
    return ClaimedResult(
        id=row.id,
        attempt=row.attempt,
        failures=row.failures,
        max_attempts=None,
        lease_until=work.lease_end(row),
        last_error=row.last_error,
        calling_ae_title=row.calling_ae_title,
        transaction_uid=row.transaction_uid,
        instances=tuple((sop_class, uid) for sop_class, uid in row.instances),
    )


def finish(tx: Transaction, claimed: ClaimedResult, now: datetime) -> bool:
    """Settle a result as told; False where the lease was lost."""
    return work.finish(tx, CommitmentRequested, claimed, now, last_error="")


def fail(tx: Transaction, claimed: ClaimedResult, now: datetime, error: str, jitter: random.Random) -> bool:
    """Settle a result as not told: told after a backoff; False where the lease was lost."""
    state = work.fail(tx, CommitmentRequested, claimed, now, error, permanent=False, jitter=jitter)
    return state is not None


def waiting(tx: Transaction) -> int:
    """Return how many results have not been taken yet though they were told."""
    told = select(func.count()).where(CommitmentRequested.state.in_(OPEN_STATES), CommitmentRequested.failures > 0)
    return int(tx.scalar(told) or 0)


def rescue(tx: Transaction, now: datetime) -> int:
    """Take back the results that are being told, at the start of a node; return how many."""
    return len(work.rescue(tx, CommitmentRequested, now, None, everything=True))


def next_due_at(tx: Transaction, callers: Collection[str]) -> datetime | None:
    """Return when `claim` may next find a result, or None where only a new request can help."""
    return work.next_wake(tx, CommitmentRequested, CommitmentRequested.calling_ae_title.in_(callers))


_HELD = Lookup(
    lambda among: select(
        Instance.sop_instance_uid, Instance.sop_class_uid, Instance.study_instance_uid, Instance.path
    ).where(among(Instance.sop_instance_uid), Instance.removed_at.is_(None))
)
