"""Times in rows that a clock has left which was ahead, and then was set right.

Work that is due far ahead would stand still until the clock has caught up, in silence. What lies further ahead than any
wait can explain is due now. It knows no clock, and not how long anything may wait.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, update

from node.domain.lifecycle import State
from node.store.database import Transaction
from node.store.tables.base import Lifecycle
from node.store.tables.choices import JobKind
from node.store.tables.operation_tables import (
    BackfillStudy,
    CommitmentAsked,
    CommitmentRequested,
    Destination,
    RejectionNote,
)
from node.store.tables.result_tables import Delivery
from node.store.tables.work_tables import Job

_SKEW = timedelta(seconds=60)  # hosts that share a database do not agree to the second
_LEASE, _LONGEST_LEASE = timedelta(seconds=60), timedelta(days=1)

_TABLES: Sequence[type[Lifecycle]] = (Job, Delivery, RejectionNote, CommitmentAsked, CommitmentRequested, BackfillStudy)


def bring_back(tx: Transaction, now: datetime, longest_wait_s: float) -> int:
    """Let all that is due too far ahead be due now, and return how many rows that were.

    A read that has not failed is due as soon as its image is stored, and waits for nothing. Leases are cut to a minute,
    which whoever still works extends; a destination that was given a rest is tried.

    Parameters
    ----------
    tx
        The transaction.
    now
        The time now, aware.
    longest_wait_s
        The longest that anything may wait: a backoff, a quiet period, a longest wait, an answer.
    """
    latest = now + timedelta(seconds=longest_wait_s) + _SKEW
    unfailed_read = and_(Job.kind == JobKind.READ, Job.failures == 0, Job.due_at > now + _SKEW)
    brought = sum(_due_now(tx, table, table.due_at > latest, now) for table in _TABLES)
    brought += _due_now(tx, Job, unfailed_read, now)
    again = update(Job).where(Job.again_due_at > latest).values(again_due_at=now)
    rest = update(Destination).where(Destination.open_until > latest).values(open_until=now)
    return brought + sum(tx.execute(each, execution_options=_UNSEEN).rowcount for each in (again, rest))  # type: ignore[attr-defined]


def _due_now(tx: Transaction, table: type[Lifecycle], is_ahead: ColumnElement[bool], now: datetime) -> int:
    waiting = update(table).where(table.state == State.WAITING, is_ahead).values(due_at=now)
    held = update(table).where(table.state == State.RUNNING, table.lease_until > now + _LONGEST_LEASE)
    tx.execute(held.values(lease_until=now + _LEASE), execution_options=_UNSEEN)
    count: int = tx.execute(waiting, execution_options=_UNSEEN).rowcount  # type: ignore[attr-defined]
    return count


_UNSEEN = {"synchronize_session": False}
