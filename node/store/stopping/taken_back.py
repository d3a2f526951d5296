"""Reports that peers hold, what went there beside them, and the rejection notes that take both back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from node.domain.lifecycle import OPEN_STATES, State
from node.store import audit
from node.store.database import Transaction
from node.store.sending import offered, outbox
from node.store.stopping import holds, rejection_notes
from node.store.tables.choices import RESULTS, Commitment, DeliveryKind
from node.store.tables.result_tables import Analysis, Delivery, Rendition
from node.store.working import analyses, work
from node.store.working.analyses import NewRendition


@dataclass(frozen=True, slots=True)
class Delivered:
    """One report at one peer, or on its way there, or what goes beside one."""

    delivery_id: int
    analysis_id: int
    rendition_id: int
    peer: str
    model: str
    version: str
    study_instance_uid: str
    kind: DeliveryKind
    sop_instance_uid: str  #: of the report, or of what goes beside it
    state: State
    sent_at: datetime | None
    offered_at: datetime | None  #: when it may last have left
    last_status: int | None
    commitment: Commitment
    note: State | None  #: how far the note that takes it back has come

    @property
    def is_settled_there(self) -> bool:
        """Whether the peer has it, or may have it, and nothing more is under way there."""
        return self.state is State.DONE or (self.offered_at is not None and self.state not in OPEN_STATES)


def of_version(tx: Transaction, model: str, version: str) -> list[Delivered]:
    """Return every report of one version of a model that is to go anywhere, is at a peer, or may be."""
    of_model = Analysis.model == model, Analysis.version == version
    return _delivered(tx, and_(*of_model, or_(Delivery.state != State.CANCELLED, offered.may_be_there())))


def untrue(tx: Transaction, studies: Collection[str]) -> list[Delivered]:
    """Return the reports of studies that rest on rejected images and are at a peer, or may be."""
    of_studies = Analysis.study_instance_uid.in_(studies)
    return _delivered(tx, and_(of_studies, offered.may_be_there(), rejection_notes.rests_on_rejected()))


def of_analyses(tx: Transaction, ids: Collection[int]) -> list[Delivered]:
    """Return the reports of these analyses that are at a peer, or may be."""
    return _delivered(tx, and_(Delivery.analysis_id.in_(ids), offered.may_be_there()))


def heat_maps(tx: Transaction, study_uid: str, model: str) -> list[Delivered]:
    """Return the heat maps of a study by a model that are at a peer, or may be, and that no note takes back."""
    of_model = Analysis.study_instance_uid == study_uid, Analysis.model == model
    found = _delivered(tx, and_(*of_model, Delivery.kind == DeliveryKind.HEATMAP, offered.may_be_there()))
    return [one for one in found if one.note is None]


def outlived(tx: Transaction, study_uid: str) -> list[Delivered]:
    """Return the heat maps of a study that are at a peer, or may be, and of which a newer result has taken the place.

    That is so where the peer has or is to get a newer report, and where the newest result says something else although
    the peer is not told of it.
    """
    newer, report = aliased(Analysis), aliased(Delivery)
    of_model = newer.study_instance_uid == Analysis.study_instance_uid, newer.model == Analysis.model
    at_peer = report.analysis_id == newer.id, report.peer == Delivery.peer, report.kind == DeliveryKind.REPORT
    counts = or_(report.state != State.CANCELLED, report.offered_at.is_not(None))
    has_newer = exists().where(*of_model, newer.id > Analysis.id, *at_peer, counts).correlate(Analysis, Delivery)
    is_map = Analysis.study_instance_uid == study_uid, Delivery.kind == DeliveryKind.HEATMAP
    return _delivered(tx, and_(*is_map, offered.may_be_there(), or_(has_newer, _is_no_longer_so())))


def _is_no_longer_so() -> ColumnElement[bool]:
    """Return the condition that the newest result of its study and model says otherwise than an analysis."""
    newest, later = aliased(Analysis), aliased(Analysis)
    same_model = later.study_instance_uid == Analysis.study_instance_uid, later.model == Analysis.model
    last = select(func.max(later.id)).where(*same_model).correlate(Analysis).scalar_subquery()
    differs = or_(newest.conclusion != Analysis.conclusion, newest.patient_key != Analysis.patient_key)
    return exists().where(newest.id == last, differs).correlate(Analysis)


def order(
    tx: Transaction,
    report: Delivered,
    note: NewRendition,
    why: str,
    now: datetime,
    *,
    by: str = "",
    despite_holds: bool = False,
) -> bool:
    """Send a rejection note after a report; the same one twice is one, and one that was given up is tried again.

    Parameters
    ----------
    tx
        A transaction.
    report
        What is taken back, and where.
    note
        Its bytes.
    why
        What the timeline gives as the reason: a sentence without patient data.
    now
        Aware.
    by
        Who ordered it, "" where no operator did.
    despite_holds
        Whether an operator wants that, so that it leaves under holds that are in force now.

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
    added = bool(work.put_back(tx, Delivery, given_up, now, waits_since=now)) or added
    if despite_holds:
        is_open = and_(this, Delivery.state != State.DONE)
        tx.execute(update(Delivery).where(is_open).values(released_at=now, past_hold=holds.newest(tx)))
    if added:
        named = {"peer": report.peer, "model": report.model, "report": report.sop_instance_uid, "reason": why}
        named |= {"by": by} if by else {}
        audit.add(tx, now, "rejection note ordered", report.study_instance_uid, note.sop_instance_uid, **named)
    return added


def objects(tx: Transaction, delivered: Delivered) -> tuple[bytes, bytes | None]:
    """Return what a peer holds as it was sent, and where it went beside a report, a form of that."""
    sent = analyses.rendition(tx, delivered.rendition_id).dataset
    if delivered.kind is DeliveryKind.REPORT:
        return sent, None
    report = analyses.first_form(tx, delivered.analysis_id)
    return sent, None if report is None else report.dataset


def _delivered(tx: Transaction, which: ColumnElement[bool]) -> list[Delivered]:
    note, made = aliased(Delivery), aliased(Rendition)
    of_note = and_(note.analysis_id == Delivery.analysis_id, note.peer == Delivery.peer)
    is_about_it = or_(Delivery.kind == DeliveryKind.HEATMAP, made.profile != offered.HEAT_MAP_NOTE)
    newest = (
        select(note.state)
        .join(made, made.id == note.rendition_id)
        .where(of_note, note.kind == DeliveryKind.REJECTION_NOTE, is_about_it)
        .order_by(note.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(Delivery, Analysis, Rendition.sop_instance_uid, newest)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .join(Rendition, Delivery.rendition_id == Rendition.id)
        .where(Delivery.kind.in_(RESULTS), which)
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
        kind=delivery.kind,
        sop_instance_uid=sop_uid,
        state=delivery.state,
        sent_at=delivery.sent_at,
        offered_at=delivery.offered_at,
        last_status=delivery.last_status,
        commitment=delivery.commitment,
        note=note,
    )
