"""Holds: an operator's word that nothing leaves, of all models or of one.

A hold is a row, so it survives any restart and binds every process on the database at once: what sends asks for it
before it claims and before it sends. Nothing else asks: receiving, reading and composing go on.

A rejection note that an operator ordered while the hold was in force is the one thing that leaves under it: its
delivery names the newest hold that there was then (`past_hold`). Numbers are compared and no times: a command and the
node may run on hosts whose clocks differ.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from node.store.database import Transaction
from node.store.tables.choices import DeliveryKind
from node.store.tables.operation_tables import Hold
from node.store.tables.result_tables import Analysis, Delivery

ALL_MODELS = ""
"""What stands for a model's name in a hold of everything."""


@dataclass(frozen=True, slots=True)
class HoldInForce:
    """A hold that nobody has released."""

    id: int
    model: str  #: "" for all
    reason: str
    held_by: str  #: user of the operating system
    held_at: datetime

    @property
    def said(self) -> str:
        """One sentence for a listing, or a delivery that waits for it."""
        return f"{self.in_short}: {self.reason}"

    @property
    def in_short(self) -> str:
        """One for the log: without the reason, because what an operator types may name a patient."""
        what = f"model {self.model}" if self.model else "everything that leaves"
        return f"{what} is held since {self.held_at:%Y-%m-%d %H:%M:%S} UTC by {self.held_by}"

    def covers(self, model: str, delivery: Delivery) -> bool:
        """Return whether it keeps back what has not left of a model's deliveries; `not_held` of a row at hand."""
        if self.model not in (ALL_MODELS, model):
            return False
        past = delivery.past_hold if delivery.kind is DeliveryKind.REJECTION_NOTE else None
        return past is None or past < self.id


def in_force(tx: Transaction) -> list[HoldInForce]:
    """Return the holds that are in force, the oldest first."""
    return _found(tx, Hold.released_at.is_(None))


def newest(tx: Transaction) -> int:
    """Return the number of the newest hold there ever was, 0 where there was none: what is ordered now goes past it."""
    return tx.scalar(select(func.max(Hold.id))) or 0


def holding(tx: Transaction, model: str) -> HoldInForce | None:
    """Return the hold that keeps a model's results back, the oldest of several, or None."""
    found = _found(tx, Hold.released_at.is_(None), Hold.model.in_((ALL_MODELS, model)))
    return found[0] if found else None


def not_held() -> ColumnElement[bool]:
    """Return the condition for deliveries that no hold keeps back; `Delivery` is all that its query needs to name."""
    return ~exists().where(_covers()).correlate(Delivery)


def place(tx: Transaction, model: str, reason: str, who: str, now: datetime) -> HoldInForce:
    """Hold a model's results, or with `ALL_MODELS` everything; one that is held already is held twice."""
    row = Hold(model=model, reason=reason, held_by=who, held_at=now, released_at=None, released_by="", released_how="")
    tx.add(row)
    tx.flush()
    return _hold(row)


def lift(tx: Transaction, model: str, how: str, who: str, now: datetime) -> list[HoldInForce]:
    """Release the holds that were placed on exactly this model, or with `ALL_MODELS` on everything; return them.

    Parameters
    ----------
    tx, model, now
        As for `place`.
    how
        "sent" or "discarded": what becomes of what gathered, which is for the caller to do.
    who
        Who releases it.
    """
    lifted = _found(tx, Hold.released_at.is_(None), Hold.model == model)
    released = {"released_at": now, "released_by": who, "released_how": how}
    tx.execute(update(Hold).where(Hold.id.in_([hold.id for hold in lifted])).values(**released))
    return lifted


def _covers() -> ColumnElement[bool]:
    """Return the condition for a hold that keeps a delivery back."""
    analysis = aliased(Analysis)
    model = select(analysis.model).where(analysis.id == Delivery.analysis_id).correlate(Delivery).scalar_subquery()
    ordered_since = and_(Delivery.kind == DeliveryKind.REJECTION_NOTE, Delivery.past_hold >= Hold.id)
    return and_(
        Hold.released_at.is_(None),
        or_(Hold.model == ALL_MODELS, Hold.model == model),
        or_(Delivery.past_hold.is_(None), ~ordered_since),
    )


def _found(tx: Transaction, *where: ColumnElement[bool]) -> list[HoldInForce]:
    return [_hold(row) for row in tx.scalars(select(Hold).where(*where).order_by(Hold.id))]


def _hold(row: Hold) -> HoldInForce:
    return HoldInForce(row.id, row.model, row.reason, row.held_by, row.held_at)
