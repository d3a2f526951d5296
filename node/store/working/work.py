"""Claiming and settling, the same for jobs and deliveries.

A claim takes the first row that is due, under a lease and a fresh attempt number. Whoever settles must still hold
that attempt: after the lease ran out, the next claim takes the row over under the next number, and the late worker
settles nothing. So a result and the end of its work can be committed together, and are committed once.

This module moves the columns of `node.store.tables.base.Lifecycle`; what a row means is its callers' business.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, case, select, true, tuple_, update

from node.domain.lifecycle import State, next_due
from node.store.database import Transaction
from node.store.tables.base import Lifecycle

Order = tuple[SQLColumnExpression[Any], ...]
"""What claims are sorted by."""

_LAPSES_PER_ATTEMPT = 4  # work that ends the whole node each time it is begun is buried in the end
_LONGEST_ERROR = 2000  # characters; a message may quote what a peer sent


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker holds: the row, and the attempt under which it may settle it."""

    id: int
    attempt: int  #: the fence, 1 or more
    failures: int  #: how often it has failed since it was last put to waiting
    max_attempts: int | None  #: None: without a limit
    lease_until: datetime
    last_error: str


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms rows are claimed: at this time, for so long, by this worker."""

    now: datetime
    lease_s: float
    worker: str


@dataclass(frozen=True, slots=True)
class Lapse:
    """A row whose lease ran out, as the rescue left it."""

    id: int
    attempt: int
    state: State  #: waiting, or buried where its attempts are used up
    error: str


def claim(
    tx: Transaction,
    table: type[Lifecycle],
    eligible: ColumnElement[bool],
    now: datetime,
    lease_s: float,
    worker: str,
) -> int | None:
    """Take the first waiting row that is due and eligible; return its number, or None where there is none.

    Two claimers never get the same row: SQLite has one writer, and PostgreSQL skips rows that another one has locked.
    """
    order = (table.priority, table.due_at, table.id)
    taken = claim_some(tx, table, eligible, Terms(now, lease_s, worker), order=order, limit=1)
    return taken[0] if taken else None


def claim_some(
    tx: Transaction, table: type[Lifecycle], eligible: ColumnElement[bool], terms: Terms, *, order: Order, limit: int
) -> list[int]:
    """Take the first waiting rows that are due and eligible, in this order; return their numbers in it."""
    now = terms.now
    first = due(table, eligible, now, order, limit).with_for_update(skip_locked=True, of=table)
    taken = {
        "state": State.RUNNING,
        "attempt": table.attempt + 1,
        "lease_until": now + timedelta(seconds=terms.lease_s),
        "worker": terms.worker,
    }
    while found := list(tx.scalars(first)):
        # asked once more under the lock: what makes a row eligible may stand in other rows, written since the look
        claimable = and_(table.id.in_(found), table.state == State.WAITING, table.due_at <= now, eligible)
        if got := set(_changed(tx, table, claimable, taken)):
            return [number for number in found if number in got]
    return []


def due(table: type[Lifecycle], eligible: ColumnElement[bool], now: datetime, order: Order, limit: int) -> Select[int]:
    """Return the query for the numbers of the first waiting rows that are due and eligible."""
    claimable = and_(table.state == State.WAITING, table.due_at <= now, eligible)
    return select(table.id).where(claimable).order_by(*order).limit(limit)


def rescue(
    tx: Transaction,
    table: type[Lifecycle],
    now: datetime,
    max_attempts: int | None,
    *,
    everything: bool = False,
    which: ColumnElement[bool] | None = None,
) -> list[Lapse]:
    """Take back every row whose lease ran out (or, with `everything`, every running one), among `which`.

    It goes to waiting, due as it was, or is buried where its attempts are used up.
    """
    over = and_(true() if everything else table.lease_until < now, true() if which is None else which)
    lapsed = (
        select(table.id, table.attempt, table.failures, table.lapses)
        .where(table.state == State.RUNNING, over)
        .with_for_update(skip_locked=True, of=table)
    )
    taken_back = []
    for identity, attempt, failures, lapses in tx.execute(lapsed).all():
        # a node that starts again is rarely the fault of the work in hand: that lapse is not a failed attempt
        counted = failures if everything else failures + 1
        state, error = _after_lapse(counted, lapses + 1, max_attempts)
        counts = {"failures": counted, "lapses": lapses + 1, "last_error": error}
        settled = _settled(state, now)
        settled.pop("due_at", None)  # it was due before it was claimed, and keeps its place
        _changed(tx, table, table.id == identity, settled | counts)
        taken_back.append(Lapse(identity, attempt, state, error))
    return taken_back


def _after_lapse(failures: int, lapses: int, max_attempts: int | None) -> tuple[State, str]:
    error = "the lease ran out (the worker died)"
    if max_attempts is None or (failures < max_attempts and lapses < max_attempts * _LAPSES_PER_ATTEMPT):
        return State.WAITING, error
    if lapses >= failures:
        return State.BURIED, f"lease ran out {lapses} times (the worker died)"
    return State.BURIED, f"attempts used up: last error: {error}"


def finish(tx: Transaction, table: type[Lifecycle], claim: Claim, now: datetime, **values: Any) -> bool:
    """Settle as done; False, and nothing changed, where the claim no longer holds."""
    return _settles(tx, table, claim, _settled(State.DONE, now) | values)


def finish_all(tx: Transaction, table: type[Lifecycle], claims: Collection[Claim], now: datetime) -> set[int]:
    """Settle several as done; return the numbers of those whose claim still holds."""
    held = tuple_(table.id, table.attempt).in_([(claim.id, claim.attempt) for claim in claims])
    return set(_changed(tx, table, and_(held, table.state == State.RUNNING), _settled(State.DONE, now)))


def fail(  # noqa: PLR0913 - how it failed is exactly this
    tx: Transaction,
    table: type[Lifecycle],
    claim: Claim,
    now: datetime,
    error: str,
    *,
    permanent: bool,
    jitter: random.Random,
    not_before: datetime | None = None,
    **values: Any,
) -> State | None:
    """Settle as failed: back to waiting after a backoff, or buried; None where the claim no longer holds.

    With `not_before` it is not due earlier, whatever the backoff.
    """
    failures = claim.failures + 1
    used_up = claim.max_attempts is not None and failures >= claim.max_attempts
    state = State.BURIED if permanent or used_up else State.WAITING
    reason = error if permanent or not used_up else f"attempts used up: last error: {error}"
    settled = _settled(state, now) | {"failures": failures, "last_error": reason[:_LONGEST_ERROR]} | values
    if state is State.WAITING:
        settled["due_at"] = max(next_due(now, failures, jitter), not_before or now)
    return state if _settles(tx, table, claim, settled) else None


def withdraw(tx: Transaction, table: type[Lifecycle], claim: Claim, now: datetime, reason: str) -> bool:
    """Settle as cancelled what was claimed and is no longer wanted; False where the claim no longer holds."""
    return _settles(tx, table, claim, _settled(State.CANCELLED, now) | {"last_error": reason})


def hold(tx: Transaction, table: type[Lifecycle], claim: Claim, now: datetime, reason: str, **values: Any) -> bool:
    """Keep back what was claimed until an operator decides; False where the claim no longer holds."""
    return _settles(tx, table, claim, _settled(State.HELD, now) | {"last_error": reason[:_LONGEST_ERROR]} | values)


def release(tx: Transaction, table: type[Lifecycle], claim: Claim, now: datetime, **values: Any) -> bool:
    """Put back what was claimed, at once and without counting a failure; False where the claim no longer holds."""
    return _settles(tx, table, claim, _settled(State.WAITING, now) | values)


def extend(tx: Transaction, table: type[Lifecycle], claim: Claim, now: datetime, lease_s: float) -> bool:
    """Let the lease run until `lease_s` from now; False where the claim no longer holds and the work must stop."""
    return _settles(tx, table, claim, {"lease_until": now + timedelta(seconds=lease_s)})


def put_back(
    tx: Transaction, table: type[Lifecycle], which: ColumnElement[bool], now: datetime, **values: Any
) -> list[int]:
    """Put rows back to waiting, due now, with fresh attempts; return their numbers.

    The attempt number goes on counting: a worker from before must not settle what comes after.
    """
    return _changed(tx, table, which, _settled(State.WAITING, now) | {"failures": 0, "lapses": 0} | values)


def cancel(
    tx: Transaction,
    table: type[Lifecycle],
    which: ColumnElement[bool],
    now: datetime,
    states: Collection[State] = (State.WAITING, State.HELD),
    **values: Any,
) -> list[int]:
    """Cancel what is in one of these states among `which`; return the numbers. Why it was held is of no more use."""
    error = case((table.state == State.HELD, ""), else_=table.last_error)
    ended = _settled(State.CANCELLED, now) | {"last_error": error} | values
    return _changed(tx, table, and_(which, table.state.in_(states)), ended)


def next_wake(
    tx: Transaction,
    table: type[Lifecycle],
    eligible: ColumnElement[bool] | None = None,
    which: ColumnElement[bool] | None = None,
) -> datetime | None:
    """Return the earliest time at which a claim may find something: a due time or the end of a lease.

    Parameters
    ----------
    tx, table
        Where to look.
    eligible
        What a waiting row must be; None for any.
    which
        Whose leases count; None for all.
    """
    waiting = select(table.due_at).where(table.state == State.WAITING, true() if eligible is None else eligible)
    running = select(table.lease_until).where(table.state == State.RUNNING, table.lease_until.is_not(None))
    times = (
        tx.scalar(waiting.order_by(table.due_at).limit(1)),
        tx.scalar((running if which is None else running.where(which)).order_by(table.lease_until).limit(1)),
    )
    return min((time for time in times if time is not None), default=None)


def among(table: type[Lifecycle], ids: Collection[int] | None, state: State) -> ColumnElement[bool]:
    """Return the condition for rows in `state`, all of them or those with these numbers."""
    return table.state == state if ids is None else and_(table.state == state, table.id.in_(ids))


def lease_end(row: Lifecycle) -> datetime:
    """Return the end of a claimed row's lease."""
    if row.lease_until is None:
        raise LookupError(f"row {row.id} is not claimed")
    return row.lease_until


FRESH = (
    *("state", "priority", "due_at", "attempt", "failures", "lapses"),
    *("lease_until", "worker", "last_error", "settled_at"),
)
"""The lifecycle columns that a new row has."""


def fresh(due_at: datetime, priority: int) -> dict[str, Any]:
    """Return the lifecycle columns of a new row."""
    return {
        "state": State.WAITING,
        "priority": priority,
        "due_at": due_at,
        "attempt": 0,
        "failures": 0,
        "lapses": 0,
        "lease_until": None,
        "worker": "",
        "last_error": "",
        "settled_at": None,
    }


def _settles(tx: Transaction, table: type[Lifecycle], claim: Claim, values: dict[str, Any]) -> bool:
    held = and_(table.id == claim.id, table.state == State.RUNNING, table.attempt == claim.attempt)
    return bool(_changed(tx, table, held, values))


def _settled(state: State, now: datetime) -> dict[str, Any]:
    if state is State.WAITING:
        return {"state": state, "due_at": now, "lease_until": None, "worker": "", "settled_at": None}
    return {"state": state, "lease_until": None, "settled_at": now}


def _changed(tx: Transaction, table: type[Lifecycle], where: ColumnElement[bool], values: dict[str, Any]) -> list[int]:
    changes = update(table).where(where).values(**values).returning(table.id)
    return list(tx.scalars(changes, execution_options={"synchronize_session": False}).all())
