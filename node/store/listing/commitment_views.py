"""What is seen of storage commitment beside the deliveries: what peers owe an answer for, and who was asked."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from node.domain.lifecycle import State
from node.store.database import Transaction
from node.store.tables.choices import Commitment
from node.store.tables.operation_tables import CommitmentAsked
from node.store.tables.result_tables import Analysis, Delivery


@dataclass(frozen=True, slots=True)
class Open:
    """What a peer was sent and has not committed to."""

    peer: str
    reports: int
    since: datetime  #: when the first of them was sent
    failed: int  #: how many of them it said that it does not keep
    times: int  #: how often in a row it was asked in vain
    last_error: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked under a transaction UID, and about reports of which studies, where that is still open."""

    peer: str
    studies: tuple[str, ...]


def asked_under(tx: Transaction, transaction_uid: str) -> Asked | None:
    """Return whom this node asked under a transaction UID, or None where it asked nobody."""
    asked = tx.execute(
        select(CommitmentAsked.id, CommitmentAsked.peer).where(CommitmentAsked.transaction_uid == transaction_uid)
    ).one_or_none()
    if asked is None:
        return None
    studies = select(Analysis.study_instance_uid).distinct().join(Delivery, Delivery.analysis_id == Analysis.id)
    ordered = studies.where(Delivery.commitment_id == asked.id).order_by(Analysis.study_instance_uid)
    return Asked(asked.peer, tuple(tx.scalars(ordered)))


def still_open(tx: Transaction) -> list[Open]:
    """Return what peers were sent, asked about or not, and have not committed to; a peer each."""
    unsettled = (Commitment.ASKED, Commitment.FAILED)
    failed = func.count().filter(Delivery.commitment == Commitment.FAILED)
    times = func.coalesce(func.max(CommitmentAsked.failures), 0)
    rows = tx.execute(
        select(
            Delivery.peer,
            func.count(),
            func.min(Delivery.sent_at),
            failed,
            times,
            func.coalesce(func.max(CommitmentAsked.last_error), ""),
        )
        .outerjoin(CommitmentAsked, Delivery.commitment_id == CommitmentAsked.id)
        .where(Delivery.commitment.in_(unsettled), Delivery.sent_at.is_not(None))
        .where(Delivery.state.in_((State.DONE, State.WAITING, State.RUNNING)))
        .group_by(Delivery.peer)
        .order_by(Delivery.peer)
    )
    return [
        Open(peer, reports, since, lost, vain, error)
        for peer, reports, since, lost, vain, error in rows
        if since is not None
    ]
