"""Which version of which model a site has validated: what lets it become active.

A validation is of one version: another one is another device, however alike, and begins without.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select

from node.store.database import Transaction
from node.store.tables.operation_tables import Validation


@dataclass(frozen=True, slots=True)
class RecordedValidation:
    """A site's approval of one version of one model."""

    model: str
    version: str
    approved_by: str
    approved_at: datetime
    page_digest: str  #: SHA-256 of the page that was signed, hexadecimal
    figures: Mapping[str, Any] = field(default_factory=dict)  #: what the page says, as JSON values


def record(tx: Transaction, validation: RecordedValidation) -> None:
    """Keep a validation; earlier ones stay."""
    values = {name: getattr(validation, name) for name in ("model", "version", "approved_by", "approved_at")}
    figures = {"page_digest": validation.page_digest, "figures": dict(validation.figures)}
    tx.execute(insert(Validation).values(**values | figures))


def latest(tx: Transaction, model: str, version: str) -> RecordedValidation | None:
    """Return the newest validation of this very version, or None where it has none."""
    return _first(tx, _newest_first(model).where(Validation.version == version))


def latest_of_any(tx: Transaction, model: str) -> RecordedValidation | None:
    """Return the newest validation of any version of a model, or None."""
    return _first(tx, _newest_first(model))


def _newest_first(model: str) -> Select[Validation]:
    return select(Validation).where(Validation.model == model).order_by(Validation.id.desc()).limit(1)


def _first(tx: Transaction, query: Select[Validation]) -> RecordedValidation | None:
    row = tx.scalar(query)
    if row is None:
        return None
    return RecordedValidation(row.model, row.version, row.approved_by, row.approved_at, row.page_digest, row.figures)
