"""How each destination has answered lately: the circuit breaker, which survives restarts.

After a number of failures in a row of the connection kind, nothing is tried at a destination before a pause is over.
Then one delivery is tried: where the peer answers it, the breaker closes; where it does not, the pause doubles, up to
a bound. What an answer says of the report itself is no business of the breaker.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from node.store import audit
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables import operation_tables

_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures in a row open a breaker, and for how long."""

    failures: int = 3  #: 1 or more
    first_pause_s: float = 10.0
    longest_pause_s: float = 60.0  #: a peer that comes back is noticed within this

    def pause_s(self, failures: int) -> float:
        """Return the pause after so many failures in a row; 0 where the breaker stays closed."""
        beyond = failures - self.failures
        # the exponent is capped before it is raised: a peer may be away for weeks
        return 0.0 if beyond < 0 else min(self.first_pause_s * 2.0 ** min(beyond, 30), self.longest_pause_s)


@dataclass(frozen=True, slots=True)
class Destination:
    """How a peer has answered lately."""

    peer: str
    failures: int = 0  #: in a row, of the connection kind
    open_until: datetime | None = None  #: nothing is tried before; None while the breaker is closed
    last_error: str = ""  #: of the last such failure; kept when the peer is back
    last_failure_at: datetime | None = None
    last_success_at: datetime | None = None

    def paused_at(self, now: datetime) -> datetime | None:
        """Return when the pause is over in which nothing is tried, or None where something may be.

        A failure that lies ahead was noted while the clock was wrong, and pauses nothing.
        """
        if self.open_until is None or (self.last_failure_at is not None and self.last_failure_at > now):
            return None
        return self.open_until if self.open_until > now else None


def all(tx: Transaction) -> list[Destination]:  # noqa: A001 - read as destinations.all
    """Return every destination that something was tried at, by name."""
    rows = tx.scalars(select(operation_tables.Destination).order_by(operation_tables.Destination.peer))
    return [_destination(row) for row in rows]


def get(tx: Transaction, peer: str) -> Destination:
    """Return how a peer has answered lately; nothing has failed where nothing was tried."""
    row = tx.get(operation_tables.Destination, peer, populate_existing=True)
    return Destination(peer) if row is None else _destination(row)


def book_probe(tx: Transaction, destination: Destination, now: datetime, patience: Patience) -> None:
    """Let nobody else try at a destination whose pause is over: one delivery tells whether it is back."""
    if destination.open_until is not None:
        again_at = now + timedelta(seconds=patience.pause_s(destination.failures))
        _put(tx, destination.peer, open_until=again_at)


def failed(
    tx: Transaction, peer: str, now: datetime, error: str, patience: Patience, jitter: random.Random
) -> datetime | None:
    """Note that a peer was not reached, or fell silent; return until when nothing is tried, or None.

    Parameters
    ----------
    tx, peer, now
        Who, and when.
    error
        One sentence for the operator.
    patience
        When the breaker opens, and for how long.
    jitter
        The random source that makes a pause up to 20 % longer or shorter.
    """
    failures = get(tx, peer).failures + 1
    pause_s = patience.pause_s(failures) * jitter.uniform(1 - _JITTER, 1 + _JITTER)
    open_until = now + timedelta(seconds=pause_s) if pause_s else None
    _put(tx, peer, failures=failures, open_until=open_until, last_error=error, last_failure_at=now)
    if failures == patience.failures:
        audit.add(tx, now, "destination paused", peer=peer, failures=failures, error=error)
    return open_until


def answered(tx: Transaction, peer: str, now: datetime) -> None:
    """Note that a peer has answered, whatever it said: the breaker closes."""
    before = get(tx, peer)
    _put(tx, peer, failures=0, open_until=None, last_success_at=now)
    if before.open_until is not None and before.last_failure_at is not None:
        audit.add(tx, now, "destination back", peer=peer, failures=before.failures, error=before.last_error)


def _put(tx: Transaction, peer: str, **values: int | str | datetime | None) -> None:
    insert = insert_into(tx, operation_tables.Destination)
    fresh = {"failures": 0, "open_until": None, "last_error": "", "last_failure_at": None, "last_success_at": None}
    row = {"peer": peer} | fresh | values
    tx.execute(insert.values(**row).on_conflict_do_update(index_elements=["peer"], set_=values))


def _destination(row: operation_tables.Destination) -> Destination:
    return Destination(row.peer, row.failures, row.open_until, row.last_error, row.last_failure_at, row.last_success_at)
