"""When each sender sent: what tells a sender that has fallen silent from one that pauses."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select

from node.store.database import Transaction
from node.store.tables import Instance, InstanceKind, Study

_LATEST = 200  # studies of each sender


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
        select(func.min(Instance.calling_ae_title).label("sender"), Study.first_received_at.label("at"))
        .join(Study, Study.study_instance_uid == Instance.study_instance_uid)
        .where(Instance.kind == InstanceKind.IMAGE, Study.first_received_at >= now - within)
        .group_by(Study.study_instance_uid, Study.first_received_at)
        .subquery()
    )
    place = func.row_number().over(partition_by=began.c.sender, order_by=began.c.at.desc()).label("place")
    placed = select(began.c.sender, began.c.at, place).subquery()
    latest = select(placed.c.sender, placed.c.at).where(placed.c.place <= _LATEST).order_by(placed.c.at)
    found: dict[str, list[datetime]] = {}
    for sender, at in tx.execute(latest):
        found.setdefault(sender, []).append(at)
    return found
