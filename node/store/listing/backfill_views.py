"""What an operator sees of backfills: plain dicts of JSON values, times as ISO 8601 in UTC."""

from collections import defaultdict
from typing import Any

from sqlalchemy import func, select

from node.domain.lifecycle import State
from node.store.database import Transaction
from node.store.listing.listings import Listed, iso
from node.store.tables.operation_tables import Backfill, BackfillStudy


def backfills(tx: Transaction) -> list[Listed]:
    """List all backfills, the newest first.

    Returns
    -------
    list of dict
        - ``id``, ``peer``, ``query`` (value by keyword), ``sends``, ``created_at``, ``searched_at``, ``ended_at``
        - ``studies``: how many there are; of these ``waiting``, ``running``, ``fetched``, ``buried``, ``cancelled``
        - ``instances``: how many the archive said they have, ``instances_held`` of those that were fetched
        - ``last_error``: the latest reason for which one waits or was buried; "" where there is none
    """
    counted = _counted(tx)
    return [_backfill(row, counted[row.id]) for row in tx.scalars(select(Backfill).order_by(Backfill.id.desc()))]


def studies(tx: Transaction, backfill_id: int) -> list[Listed]:
    """List the studies of a backfill in the order in which they are fetched.

    Returns
    -------
    list of dict
        ``study_instance_uid``, ``state``, ``expected`` (instances that the archive said it has, or null), ``fetched``
        (instances held once it was fetched, or null), ``attempt``, ``failures``, ``due_at``, ``last_error``,
        ``settled_at``
    """
    rows = select(BackfillStudy).where(BackfillStudy.backfill_id == backfill_id).order_by(BackfillStudy.id)
    return [_study(row) for row in tx.scalars(rows)]


def _counted(tx: Transaction) -> "defaultdict[int, dict[State, tuple[int, int, int, str]]]":
    """Return by backfill and state: studies, instances said, instances held, and an error."""
    counting = select(
        BackfillStudy.backfill_id,
        BackfillStudy.state,
        func.count(),
        func.coalesce(func.sum(BackfillStudy.expected), 0),
        func.coalesce(func.sum(BackfillStudy.fetched), 0),
        func.max(BackfillStudy.last_error),
    ).group_by(BackfillStudy.backfill_id, BackfillStudy.state)
    counted: defaultdict[int, dict[State, tuple[int, int, int, str]]] = defaultdict(dict)
    for backfill_id, state, count, expected, fetched, error in tx.execute(counting):
        counted[backfill_id][state] = (count, int(expected or 0), int(fetched or 0), error)
    return counted


def _backfill(row: Backfill, counted: dict[State, tuple[int, int, int, str]]) -> Listed:
    def of(state: State) -> int:
        return counted[state][0] if state in counted else 0

    errors = [counted[state][3] for state in (State.RUNNING, State.WAITING, State.BURIED) if state in counted]
    counts: dict[str, Any] = {
        "studies": sum(count for count, *_ in counted.values()),
        "waiting": of(State.WAITING),
        "running": of(State.RUNNING),
        "fetched": of(State.DONE),
        "buried": of(State.BURIED),
        "cancelled": of(State.CANCELLED),
        "instances": sum(expected for _, expected, _, _ in counted.values()),
        "instances_held": sum(fetched for _, _, fetched, _ in counted.values()),
    }
    return {
        "id": row.id,
        "peer": row.peer,
        "query": row.query,
        "sends": row.sends,
        "created_at": iso(row.created_at),
        "searched_at": iso(row.searched_at),
        "ended_at": iso(row.ended_at),
        **counts,
        "last_error": next(filter(None, errors), ""),
    }


def _study(row: BackfillStudy) -> Listed:
    return {
        "study_instance_uid": row.study_instance_uid,
        "state": row.state.value,
        "expected": row.expected,
        "fetched": row.fetched,
        "attempt": row.attempt,
        "failures": row.failures,
        "due_at": iso(row.due_at),
        "last_error": row.last_error,
        "settled_at": iso(row.settled_at),
    }
