"""What gathered behind a hold or was kept back by itself: let go, or discarded; every step in the timelines.

It moves deliveries; the holds themselves are in `node.store.holds`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update

from node.domain.lifecycle import OPEN_STATES, State
from node.store import audit, work
from node.store.database import Transaction
from node.store.holds import ALL_MODELS
from node.store.tables import Analysis, Delivery, DeliveryKind

_PIECE = 500


@dataclass(frozen=True, slots=True)
class Gathered:
    """A delivery that has not left."""

    id: int
    attempt: int
    peer: str
    study_instance_uid: str
    model: str
    kind: DeliveryKind
    state: State
    last_error: str


def of_model(tx: Transaction, model: str) -> list[Gathered]:
    """Return what waits or is under way of a model, or with `ALL_MODELS` of all."""
    return _gathered(tx, and_(_of(model), Delivery.state.in_(OPEN_STATES)))


def of_version(tx: Transaction, model: str, version: str) -> list[Gathered]:
    """Return what waits, is held or is under way of the reports of one version of a model."""
    of_version = and_(_of(model), Analysis.version == version, Delivery.kind == DeliveryKind.REPORT)
    return _gathered(tx, and_(of_version, Delivery.state.in_((*OPEN_STATES, State.HELD))))


def held(tx: Transaction, ids: Collection[int]) -> list[Gathered]:
    """Return those of these deliveries that are kept back by themselves."""
    return _gathered(tx, and_(Delivery.id.in_(ids), Delivery.state == State.HELD))


def count_running(tx: Transaction, model: str, version: str | None = None) -> int:
    """Return how many deliveries of a model, or of one version of it, are under way."""
    of_version = Analysis.version == version if version is not None else Analysis.id.is_not(None)
    running = select(func.count()).select_from(Delivery).join(Analysis, Delivery.analysis_id == Analysis.id)
    return tx.execute(running.where(_of(model), of_version, Delivery.state == State.RUNNING)).scalar_one()


def note(tx: Transaction, gathered: Sequence[Gathered], event: str, now: datetime, **detail: Any) -> None:
    """Add an entry for each delivery to the timeline of its study."""
    audit.add_all(
        tx,
        [
            audit.Entry(
                now,
                event,
                one.study_instance_uid,
                detail={"delivery": one.id, "peer": one.peer, "model": one.model} | detail,
            )
            for one in gathered
        ],
    )


def let_go(tx: Transaction, gathered: Sequence[Gathered], now: datetime) -> None:
    """Put held deliveries back to waiting, so that what held them does not hold them again."""
    for these in _in_pieces(gathered):
        work.put_back(tx, Delivery, and_(these, Delivery.state == State.HELD), now)
        tx.execute(update(Delivery).where(these).values(released_at=now))


def discard(tx: Transaction, gathered: Sequence[Gathered], now: datetime, reason: str, **detail: Any) -> None:
    """Cancel deliveries; of one that is under way nobody knows whether the peer has it, and its entry says so.

    Parameters
    ----------
    tx, gathered, now
        A transaction, what is cancelled, and when.
    reason
        Why, for the timelines.
    **detail
        What else explains it.
    """
    waiting = [one for one in gathered if one.state is not State.RUNNING]
    for these in _in_pieces(waiting):
        work.cancel(tx, Delivery, these, now)
    note(tx, waiting, "delivery cancelled", now, reason=reason, **detail)
    for one in gathered:
        if one.state is State.RUNNING and work.withdraw(tx, Delivery, _claim(one, now), now, reason):
            note(tx, [one], "delivery cancelled", now, reason=f"{reason}; the peer may have got it", **detail)


def _in_pieces(gathered: Sequence[Gathered]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that name these rows, each with no more values than any database takes."""
    for start in range(0, len(gathered), _PIECE):
        yield Delivery.id.in_([one.id for one in gathered[start : start + _PIECE]])


def _of(model: str) -> ColumnElement[bool]:
    return Analysis.id.is_not(None) if model == ALL_MODELS else Analysis.model == model


def _gathered(tx: Transaction, which: ColumnElement[bool]) -> list[Gathered]:
    columns = Delivery.id, Delivery.attempt, Delivery.peer, Analysis.study_instance_uid, Analysis.model
    query = select(*columns, Delivery.kind, Delivery.state, Delivery.last_error)
    rows = tx.execute(query.join(Analysis, Delivery.analysis_id == Analysis.id).where(which).order_by(Delivery.id))
    return [Gathered(*row) for row in rows]


def _claim(one: Gathered, now: datetime) -> work.Claim:
    """Return the claim of whoever sends a delivery: settled under it, nobody settles it after."""
    return work.Claim(one.id, one.attempt, 0, None, now, one.last_error)
