"""When each sender sent: what tells a sender that has fallen silent from one that pauses."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from node.store.database import Transaction
from node.store.tables.choices import InstanceKind, Origin
from node.store.tables.image_tables import Instance, Study


def studies_since(tx: Transaction, since: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield who sent each study with images, and when its first object came, in the order of time.

    What the node fetched itself is left out: nobody was to send it.

    Parameters
    ----------
    tx
        The transaction.
    since
        Aware.
    """
    images = Instance.study_instance_uid == Study.study_instance_uid, Instance.kind == InstanceKind.IMAGE
    first = select(Instance.calling_ae_title).where(*images).order_by(Instance.received_at).limit(1)
    query = (
        select(first.scalar_subquery(), Study.first_received_at)
        .where(Study.first_received_at >= since, Study.origin == Origin.LIVE)
        .order_by(Study.first_received_at)
    )
    for sender, at in tx.execute(query):
        if sender is not None:
            yield sender, at
