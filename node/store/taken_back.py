"""Reports that peers hold, and the rejection notes that take them back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import aliased

from node.domain.lifecycle import State
from node.store import analyses, audit, outbox, rejections, work
from node.store.analyses import NewRendition
from node.store.database import Transaction
from node.store.tables import Analysis, Commitment, Delivery, DeliveryKind, Rendition

MAY_BE_THERE = (State.DONE, State.RUNNING)
"""The states of a delivery whose report a peer holds, or may hold."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One report at one peer, or on its way there."""

    delivery_id: int
    analysis_id: int
    rendition_id: int
    peer: str
    model: str
    version: str
    study_instance_uid: str
    sop_instance_uid: str  #: of the report
    state: State
    sent_at: datetime | None
    last_status: int | None
    commitment: Commitment
    note: State | None  #: how far the note that takes it back has come


def of_version(tx: Transaction, model: str, version: str) -> list[Delivered]:
    """Return every report of one version of a model that was to go anywhere, but for what was cancelled."""
    of_model = Analysis.model == model, Analysis.version == version
    return _delivered(tx, and_(*of_model, Delivery.state != State.CANCELLED))


def untrue(tx: Transaction, studies: Collection[str]) -> list[Delivered]:
    """Return the reports of studies that rest on rejected images and are at a peer, or may be."""
    of_studies = Analysis.study_instance_uid.in_(studies)
    return _delivered(tx, and_(of_studies, Delivery.state.in_(MAY_BE_THERE), rejections.rests_on_rejected()))


def order(tx: Transaction, report: Delivered, note: NewRendition, now: datetime, *, despite_holds: bool) -> bool:
    """Send a rejection note after a report; the same one twice is one, and one that was given up is tried again.

    Parameters
    ----------
    tx
        A transaction.
    report
        What is taken back, and where.
    note
        Its bytes.
    now
        Aware.
    despite_holds
        Whether an operator ordered it, so that it leaves under holds that are in force now.

    Returns
    -------
    bool
        Whether it was not under way before.
    """
    rendition_id = analyses.add_rendition(tx, report.analysis_id, note)
    kind = DeliveryKind.REJECTION_NOTE
    added = outbox.add(tx, report.analysis_id, report.peer, rendition_id, now, kind=kind)
    this = and_(Delivery.rendition_id == rendition_id, Delivery.peer == report.peer)
    given_up = and_(this, Delivery.state.in_((State.CANCELLED, State.BURIED)))
    added = bool(work.put_back(tx, Delivery, given_up, now)) or added
    if despite_holds:
        is_open = and_(this, Delivery.state != State.DONE)
        tx.execute(update(Delivery).where(is_open).values(released_at=now))
    if added:
        named = {"peer": report.peer, "model": report.model, "report": report.sop_instance_uid}
        audit.add(tx, now, "rejection note ordered", report.study_instance_uid, note.sop_instance_uid, **named)
    return added


def report_bytes(tx: Transaction, rendition_id: int) -> bytes:
    """Return a report as it was sent."""
    return analyses.rendition(tx, rendition_id).dataset


def _delivered(tx: Transaction, which: ColumnElement[bool]) -> list[Delivered]:
    note = aliased(Delivery)
    of_note = and_(note.analysis_id == Delivery.analysis_id, note.peer == Delivery.peer)
    newest = (
        select(note.state)
        .where(of_note, note.kind == DeliveryKind.REJECTION_NOTE)
        .order_by(note.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(Delivery, Analysis, Rendition.sop_instance_uid, newest)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .join(Rendition, Delivery.rendition_id == Rendition.id)
        .where(Delivery.kind == DeliveryKind.REPORT, which)
        .order_by(Delivery.id)
    )
    return [_row(delivery, analysis, uid, state) for delivery, analysis, uid, state in rows]


def _row(delivery: Delivery, analysis: Analysis, sop_uid: str, note: State | None) -> Delivered:
    return Delivered(
        delivery_id=delivery.id,
        analysis_id=analysis.id,
        rendition_id=delivery.rendition_id,
        peer=delivery.peer,
        model=analysis.model,
        version=analysis.version,
        study_instance_uid=analysis.study_instance_uid,
        sop_instance_uid=sop_uid,
        state=delivery.state,
        sent_at=delivery.sent_at,
        last_status=delivery.last_status,
        commitment=delivery.commitment,
        note=note,
    )
