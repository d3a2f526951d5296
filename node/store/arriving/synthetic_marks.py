"""Which studies are synthetic, and what stands where it should not: the rule as the database knows it.

The mark stays with an instance for good. A study is synthetic where an image of it has the mark and is read by a model:
what is only kept, such as a report that another program wrote, says nothing about the images that results are about.
"""

from collections.abc import Collection

from sqlalchemy import Select, and_, exists, select, update

from node.domain.lifecycle import State
from node.store.database import Transaction
from node.store.tables.choices import InstanceKind, JobKind
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import AuditEntry
from node.store.tables.result_tables import Analysis, Delivery
from node.store.tables.work_tables import Job

STANDS = "study turned synthetic; a report stands at "
"""The event of the timeline, before the peer's name."""


def among(tx: Transaction, studies: Collection[str] | Select[str]) -> set[str]:
    """Return those of these studies that are synthetic."""
    is_read = exists().where(Job.kind == JobKind.READ, Job.subject_uid == Instance.sop_instance_uid)
    marked = and_(Instance.synthetic, Instance.kind == InstanceKind.IMAGE, is_read)
    return set(tx.scalars(select(Instance.study_instance_uid).where(Instance.study_instance_uid.in_(studies), marked)))


def is_synthetic(tx: Transaction, study_uid: str) -> bool:
    """Return whether an image of a study that is read is synthetic, or was called so by another copy of it."""
    return bool(among(tx, [study_uid]))


def mark(tx: Transaction, sop_uid: str) -> None:
    """Call a stored instance synthetic, for good; its header stays as it is."""
    tx.execute(update(Instance).where(Instance.sop_instance_uid == sop_uid).values(synthetic=True))


def standing(tx: Transaction, study_uid: str, test_peers: Collection[str]) -> list[str]:
    """Return the peers, test peers aside, that hold a report about a study."""
    holding = (
        select(Delivery.peer)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .where(Analysis.study_instance_uid == study_uid, Delivery.state == State.DONE)
        .where(Delivery.peer.not_in(test_peers))
    )
    return list(tx.scalars(holding.distinct().order_by(Delivery.peer)))


def is_told(tx: Transaction, study_uid: str, peer: str) -> bool:
    """Return whether the timeline of a study says already that a report stands at a peer."""
    entry = exists().where(AuditEntry.study_instance_uid == study_uid, AuditEntry.event == STANDS + peer)
    return tx.scalar(select(entry)) is True


def unasked(tx: Transaction, after: str, limit: int) -> list[str]:
    """Return the next SOP Instance UIDs after `after` whose kept header does not say whether they are synthetic.

    A version that did not know the element stored them. Those whose files were removed for their age cannot be asked.
    """
    unsaid = Instance.header["synthetic"].as_string().is_(None)
    silent = and_(unsaid, Instance.removed_at.is_(None), Instance.sop_instance_uid > after)
    query = select(Instance.sop_instance_uid).where(silent).order_by(Instance.sop_instance_uid).limit(limit)
    return list(tx.scalars(query))


def answer(tx: Transaction, sop_uid: str, *, newest: bool | None, anyone: bool) -> None:
    """Keep what the files of an instance say: its newest copy (None where that says nothing), and any of its copies.

    What came meanwhile knows better: a header that says something by now stays.
    """
    row = tx.get_one(Instance, sop_uid)
    header = row.header if newest is None else {"synthetic": newest} | row.header
    values = {"header": header, "synthetic": row.synthetic or anyone}
    tx.execute(update(Instance).where(Instance.sop_instance_uid == sop_uid).values(**values))
