"""Versions of models that were recalled: an operator's word that none of their results counts any more.

A recall is a row, so that it binds what comes after it, too: what waits, what is put back to waiting for whatever
reason, and what is composed. It is for good: what replaces a recalled version is a new version.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, exists, or_, select

from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.choices import DeliveryKind, Mode
from node.store.tables.operation_tables import Recall
from node.store.tables.result_tables import Analysis, Delivery
from node.store.tables.version_tables import RegisteredModel


@dataclass(frozen=True, slots=True)
class Recalled:
    """A version that was recalled."""

    model: str
    version: str
    reason: str  #: may be empty
    recalled_by: str  #: user of the operating system
    recalled_at: datetime

    @property
    def said(self) -> str:
        """One sentence for a listing, a timeline or a refusal."""
        why = f": {self.reason}" if self.reason else ""
        return f"version {self.version} of model {self.model} was recalled by {self.recalled_by}{why}"


def in_force(tx: Transaction) -> list[Recalled]:
    """Return every recall, the oldest first: none ever ends."""
    return [_recalled(row) for row in tx.scalars(select(Recall).order_by(Recall.id))]


def serving(tx: Transaction) -> list[Recalled]:
    """Return the recalled versions that a model which is not off still serves: all that they make stays here."""
    serves = and_(Recall.model == RegisteredModel.name, Recall.version == RegisteredModel.version)
    found = select(Recall).join(RegisteredModel, serves).where(RegisteredModel.mode != Mode.OFF).order_by(Recall.id)
    return [_recalled(row) for row in tx.scalars(found)]


def add(tx: Transaction, model: str, version: str, reason: str, who: str, now: datetime) -> bool:
    """Recall a version; return whether it was not recalled before."""
    values = {"model": model, "version": version, "reason": reason, "recalled_by": who, "recalled_at": now}
    added = insert_into(tx, Recall).values(**values).on_conflict_do_nothing().returning(Recall.id)
    return tx.scalar(added) is not None


def why(tx: Transaction, model: str, version: str) -> str:
    """Return why a version's results count no more, in a sentence, or "" where they do."""
    found = tx.execute(_RECALLED, {"model": model, "version": version}).one_or_none()
    if found is None:
        return ""
    return Recalled(model, version, *found).said


def not_recalled() -> ColumnElement[bool]:
    """Return the condition for deliveries that bring no result of a recalled version; its query names `Delivery`."""
    is_note = Delivery.kind == DeliveryKind.REJECTION_NOTE
    recalled = exists().where(Analysis.id == Delivery.analysis_id, of_recalled_version()).correlate(Delivery)
    return or_(is_note, ~recalled)


def of_recalled_version() -> ColumnElement[bool]:
    """Return the condition for analyses that a recalled version made; its query names `Analysis`."""
    return exists().where(_of_analysis()).correlate(Analysis)


def _recalled(row: Recall) -> Recalled:
    return Recalled(row.model, row.version, row.reason, row.recalled_by, row.recalled_at)


def _of_analysis() -> ColumnElement[bool]:
    return and_(Recall.model == Analysis.model, Recall.version == Analysis.version)


# asked for each report that leaves: building the statement takes longer than running it
_RECALLED = select(Recall.reason, Recall.recalled_by, Recall.recalled_at).where(
    Recall.model == bindparam("model"), Recall.version == bindparam("version")
)
