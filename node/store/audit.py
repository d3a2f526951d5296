"""What happened, in order: the timeline that explains a study without a log file."""

from datetime import datetime
from typing import Any

from node.store.database import Transaction
from node.store.tables import AuditEntry
from node.store.upsert import prepared


def add(tx: Transaction, at: datetime, event: str, study_uid: str = "", sop_uid: str = "", **detail: Any) -> None:
    """Add one entry.

    Parameters
    ----------
    tx
        The transaction of what happened, so that both are kept or neither is.
    at
        When, aware.
    event
        What, in a few plain words.
    study_uid, sop_uid
        What it concerns; empty where nothing is known.
    **detail
        Whatever explains it; JSON values without patient data.
    """
    entry = {"at": at, "event": event, "study_instance_uid": study_uid, "sop_instance_uid": sop_uid, "detail": detail}
    tx.execute(_ADD(tx), entry)


_ADD = prepared(AuditEntry, lambda insert: insert)
