"""When each sender sent: what tells a sender that has fallen silent from one that pauses."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select

from node.store.database import Transaction
from node.store.tables import Instance, InstanceKind, Study

_LATEST_STUDIES = 1000


def times_of_studies(tx: Transaction, now: datetime, within: timedelta) -> Mapping[str, list[datetime]]:
    """Return when each sender's latest studies began, by calling AE title, in their order.

    Parameters
    ----------
    tx
        The transaction.
    now
        Aware.
    within
        How far back it looks.
    """
    began = (
        select(Study.study_instance_uid, Study.first_received_at)
        .where(Study.first_received_at >= now - within)
        .order_by(Study.first_received_at.desc())
        .limit(_LATEST_STUDIES)
        .subquery()
    )
    rows = tx.execute(
        select(func.min(Instance.calling_ae_title), began.c.first_received_at)
        .join(began, began.c.study_instance_uid == Instance.study_instance_uid)
        .where(Instance.kind == InstanceKind.IMAGE)
        .group_by(began.c.study_instance_uid, began.c.first_received_at)
        .order_by(began.c.first_received_at)
    )
    found: dict[str, list[datetime]] = {}
    for sender, at in rows:
        found.setdefault(sender, []).append(at)
    return found
