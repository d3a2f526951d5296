"""Jobs claimed one at a time."""

from collections.abc import Collection
from datetime import datetime

from node.store.database import Transaction
from node.store.working.job_claims import ClaimedJob, claim_some


def claim_one(
    tx: Transaction,
    kinds: Collection[str],
    now: datetime,
    lease_s: float,
    worker: str,
    *,
    max_attempts: int = 5,
) -> ClaimedJob | None:
    """Take the next job of these kinds, or None where nothing is due."""
    taken = claim_some(tx, kinds, now, lease_s, worker, limit=1, max_attempts=max_attempts)
    return taken[0] if taken else None
