"""What happened, in order: the timeline that explains a study without a log file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import insert_for
from node.store.database import Transaction
from node.store.json_text import JSONText
from node.store.tables.operation_tables import AuditEntry


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    at: datetime  #: aware
    event: str  #: a few plain words
    study_uid: str = ""  #: what it concerns; "" where nothing is known
    sop_uid: str = ""
    detail: Mapping[str, Any] | JSONText = field(default_factory=dict)
    """What explains it; JSON values without patient data."""


def add(tx: Transaction, at: datetime, event: str, study_uid: str = "", sop_uid: str = "", **detail: Any) -> None:
    """Add one entry; its parts are those of `Entry`.

    Parameters
    ----------
    tx
        The transaction of what happened, so that both are kept or neither is.
    at, event, study_uid, sop_uid
        As of `Entry`.
    **detail
        Whatever explains it; JSON values without patient data.
    """
    add_all(tx, [Entry(at, event, study_uid, sop_uid, detail)])


def add_all(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Add entries in their order."""
    _ADD.run(tx, [_row(entry) for entry in entries])


def newest(tx: Transaction, event: str, model: str) -> tuple[datetime, dict[str, Any]] | None:
    """Return when this happened last to a model, and what explains it; None where it never did."""
    of_event = select(AuditEntry).where(AuditEntry.study_instance_uid == "", AuditEntry.event == event)
    for row in tx.scalars(of_event.order_by(AuditEntry.id.desc())):
        if row.detail.get("model") == model:
            return row.at, row.detail
    return None


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "event": entry.event,
        "study_instance_uid": entry.study_uid,
        "sop_instance_uid": entry.sop_uid,
        "detail": entry.detail if isinstance(entry.detail, JSONText) else dict(entry.detail),
    }


_ADD = Statement(
    lambda dialect: insert_for(dialect, AuditEntry), ("at", "event", "study_instance_uid", "sop_instance_uid", "detail")
)
