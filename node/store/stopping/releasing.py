"""What gathered behind a hold or was kept back by itself: let go, or discarded; every step in the timelines.

It moves deliveries; the holds themselves are in `node.store.stopping.holds`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from node.domain.lifecycle import OPEN_STATES, HeldFor, State
from node.store import audit
from node.store.database import Transaction
from node.store.sending import offered
from node.store.stopping.holds import ALL_MODELS
from node.store.tables.choices import RESULTS, DeliveryKind
from node.store.tables.result_tables import Analysis, Delivery
from node.store.working import work

NOT_LEFT = (*OPEN_STATES, State.HELD, State.BURIED)
"""The states from which something may leave, by itself or by an operator's word."""

_PIECE = 500


@dataclass(frozen=True, slots=True)
class Gathered:
    """A delivery that has not left."""

    id: int
    peer: str
    study_instance_uid: str
    model: str
    kind: DeliveryKind
    state: State
    last_error: str
    held_for: str  #: of `node.domain.lifecycle.HeldFor`
    waived: list[str]


def of_model(tx: Transaction, model: str) -> list[Gathered]:
    """Return what waits or is under way of a model, or with `ALL_MODELS` of all."""
    return _gathered(tx, and_(_of(model), Delivery.state.in_(OPEN_STATES)))


def of_version(tx: Transaction, model: str, version: str) -> list[Gathered]:
    """Return what waits, is held, buried or under way of the reports of one version of a model."""
    of_version = and_(_of(model), Analysis.version == version, Delivery.kind.in_(RESULTS))
    return _gathered(tx, and_(of_version, Delivery.state.in_(NOT_LEFT)))


def held(tx: Transaction, ids: Collection[int], *, or_buried: bool = False) -> list[Gathered]:
    """Return those of these deliveries that are kept back by themselves, or with `or_buried` were given up."""
    states = (State.HELD, State.BURIED) if or_buried else (State.HELD,)
    return _gathered(tx, and_(Delivery.id.in_(ids), Delivery.state.in_(states)))


def running(tx: Transaction, model: str, version: str | None = None) -> list[str]:
    """Return the peer of each delivery that is under way of a model, or of one version of it."""
    of_version = Analysis.version == version if version is not None else Analysis.id.is_not(None)
    found = select(Delivery.peer).join(Analysis, Delivery.analysis_id == Analysis.id).order_by(Delivery.peer)
    return list(tx.scalars(found.where(_of(model), of_version, Delivery.state == State.RUNNING)))


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


def let_go(
    tx: Transaction, gathered: Sequence[Gathered], now: datetime, waiving: Collection[HeldFor]
) -> list[Gathered]:
    """Put held deliveries back to waiting, and return them; what held each does not again, where it may be waived.

    Everything else is asked anew. What is not among `waiving` is asked anew, too: it may have been put right.
    """
    released = []
    for one in gathered:
        waived = sorted({*one.waived, one.held_for} & {*one.waived, *waiving})
        values = {"waived": waived, "held_for": "", "released_at": now, "waits_since": now, "last_error": ""}
        this = and_(Delivery.id == one.id, Delivery.state == State.HELD)
        released += [one] if work.put_back(tx, Delivery, this, now, **values) else []
    return released


def discard(
    tx: Transaction,
    gathered: Sequence[Gathered],
    now: datetime,
    reason: str,
    *,
    states: Collection[State] = (*OPEN_STATES, State.HELD),
    **detail: Any,
) -> list[Gathered]:
    """Cancel deliveries, and return those that were; where the peer may have one, its entry says so.

    One statement does each piece, whatever became of its rows since they were looked at: what is being sent is ended
    under the hands of its worker, which settles nothing any more, and what the peer has answered to stays as it is.

    Parameters
    ----------
    tx, gathered, now
        A transaction, what is cancelled, and when.
    reason
        Why, for the timelines.
    states
        In which it is cancelled.
    **detail
        What else explains it.
    """
    ended: dict[int, datetime | None] = {}
    for these in _in_pieces(gathered):
        cancelled = work.cancel(tx, Delivery, these, now, states, **offered.marked(now, if_running=True))
        ended |= _offered(tx, cancelled)
    done = [one for one in gathered if one.id in ended]
    for is_sure in (True, False):
        those = [one for one in done if (ended[one.id] is None) is is_sure]
        note(tx, those, "delivery cancelled", now, reason=offered.said(reason, None if is_sure else now), **detail)
    return done


def _offered(tx: Transaction, ids: Collection[int]) -> dict[int, datetime | None]:
    rows = tx.execute(select(Delivery.id, Delivery.offered_at).where(Delivery.id.in_(ids))).all()
    return {row.id: row.offered_at for row in rows}


def _in_pieces(gathered: Sequence[Gathered]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that name these rows, each with no more values than any database takes."""
    for start in range(0, len(gathered), _PIECE):
        yield Delivery.id.in_([one.id for one in gathered[start : start + _PIECE]])


def _of(model: str) -> ColumnElement[bool]:
    return Analysis.id.is_not(None) if model == ALL_MODELS else Analysis.model == model


def _gathered(tx: Transaction, which: ColumnElement[bool]) -> list[Gathered]:
    columns = Delivery.id, Delivery.peer, Analysis.study_instance_uid, Analysis.model
    query = select(*columns, Delivery.kind, Delivery.state, Delivery.last_error, Delivery.held_for, Delivery.waived)
    rows = tx.execute(query.join(Analysis, Delivery.analysis_id == Analysis.id).where(which).order_by(Delivery.id))
    return [Gathered(*row) for row in rows]
