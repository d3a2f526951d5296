"""Single rows as the operator's listings show them: plain dicts of JSON values, times as ISO 8601 in UTC."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select, true

from node.domain.lifecycle import OPEN_STATES
from node.store.database import Transaction
from node.store.stopping.holds import HoldInForce
from node.store.tables.base import Lifecycle
from node.store.tables.choices import DeliveryKind, JobKind
from node.store.tables.image_tables import Instance, InstanceCopy
from node.store.tables.operation_tables import AuditEntry
from node.store.tables.result_tables import Analysis, Delivery, Rendition
from node.store.tables.work_tables import InstanceReading, Job

Listed = dict[str, Any]
"""One row of a listing."""


def iso(time: datetime | None) -> str | None:
    """Return a time as a listing shows it."""
    return None if time is None else time.isoformat()


def instance(row: Instance) -> Listed:
    """Return a stored instance."""
    return {
        "sop_instance_uid": row.sop_instance_uid,
        "study_instance_uid": row.study_instance_uid,
        "series_instance_uid": row.series_instance_uid,
        "sop_class_uid": row.sop_class_uid,
        "transfer_syntax_uid": row.transfer_syntax_uid,
        "kind": row.kind.value,
        "modality": row.modality,
        "path": row.path,
        "size_bytes": row.size_bytes,
        "calling_ae_title": row.calling_ae_title,
        "called_ae_title": row.called_ae_title,
        "address": row.address,
        "received_at": iso(row.received_at),
        "removed_at": iso(row.removed_at),
        "turned_away": row.turned_away,
        "synthetic": row.synthetic,
        "header_synthetic": row.header.get("synthetic") is True,
    }


def instance_copy(row: InstanceCopy) -> Listed:
    """Return a later copy of a held UID."""
    return {
        "sop_instance_uid": row.sop_instance_uid,
        "kind": row.kind.value,
        "reason": row.reason,
        "transfer_syntax_uid": row.transfer_syntax_uid,
        "path": row.path,
        "size_bytes": row.size_bytes,
        "calling_ae_title": row.calling_ae_title,
        "received_at": iso(row.received_at),
    }


def job(row: Job) -> Listed:
    """Return a job."""
    return {
        "id": row.id,
        "kind": row.kind.value,
        "model": row.model,
        "study_instance_uid": row.study_instance_uid,
        "sop_instance_uid": row.subject_uid if row.kind is JobKind.READ else "",
        "signal": row.signal,
        **_lifecycle(row),
    }


def delivery(row: Delivery, analysis: Analysis, form: Sequence[str], holds: Iterable[HoldInForce] = ()) -> Listed:
    """Return a delivery with what it delivers, and which of these holds keeps it back.

    `form` is what `deliveries_with_reports` says of the rendition.
    """
    sop_instance_uid, sop_class_uid, profile, language = form
    hold = next((hold for hold in holds if hold.covers(analysis.model, row)), None)
    return {
        "id": row.id,
        "peer": row.peer,
        "model": analysis.model,
        "version": analysis.version,
        "study_instance_uid": analysis.study_instance_uid,
        "analysis_id": analysis.id,
        "sop_instance_uid": sop_instance_uid,
        "sop_class_uid": sop_class_uid,
        "profile": profile,
        "language": language,
        "pinned_at": iso(row.pinned_at),
        "hold": hold.said if hold and row.state in OPEN_STATES else None,
        "kind": row.kind.value,
        "created_at": iso(row.created_at),
        "sent_at": iso(row.sent_at),
        "offered_at": iso(row.offered_at),
        "waits_since": iso(row.waits_since or row.created_at),
        "released_at": iso(row.released_at),
        "held_for": row.held_for,
        "waived": row.waived,
        "last_status": row.last_status,
        "last_comment": row.last_comment,
        "commitment": row.commitment.value,
        **_lifecycle(row),
    }


def deliveries_with_reports() -> Select[Delivery, Analysis, str, str, str, str]:
    """Return the query whose rows hold what `delivery` takes; the reports' bytes stay where they are."""
    form = Rendition.sop_instance_uid, Rendition.sop_class_uid, Rendition.profile, Rendition.language
    return (
        select(Delivery, Analysis, *form)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .join(Rendition, Delivery.rendition_id == Rendition.id)
    )


def reading(row: InstanceReading) -> Listed:
    """Return what one version said of one instance."""
    return {"sop_instance_uid": row.sop_instance_uid, "model": row.model, "version": row.version, **row.reading}


def analysis(tx: Transaction, row: Analysis) -> Listed:
    """Return a composed result with the UIDs of its reports as they leave, or would leave where none has yet."""
    forms = _report_uids(row, Rendition.id.in_(select(Delivery.rendition_id).where(Delivery.pinned_at.is_not(None))))
    uids = list(tx.scalars(forms)) or list(tx.scalars(_report_uids(row, true()).limit(1)))
    return {
        "id": row.id,
        "model": row.model,
        "version": row.version,
        "outcome": row.outcome.value,
        "conclusion": row.conclusion,
        "findings": row.findings,
        "created_at": iso(row.created_at),
        "predecessor_id": row.predecessor_id,
        "sop_instance_uids": uids,
    }


def _report_uids(row: Analysis, which: ColumnElement[bool]) -> Select[str]:
    is_report = Rendition.analysis_id == row.id, Rendition.kind == DeliveryKind.REPORT
    return select(Rendition.sop_instance_uid).where(*is_report, which).order_by(Rendition.id)


def audit_entry(row: AuditEntry) -> Listed:
    """Return one entry of the timeline."""
    return {"at": iso(row.at), "event": row.event, "sop_instance_uid": row.sop_instance_uid, "detail": row.detail}


def _lifecycle(row: Lifecycle) -> Listed:
    return {
        "state": row.state.value,
        "priority": row.priority,
        "due_at": iso(row.due_at),
        "attempt": row.attempt,
        "failures": row.failures,
        "lapses": row.lapses,
        "lease_until": iso(row.lease_until),
        "worker": row.worker,
        "last_error": row.last_error,
        "settled_at": iso(row.settled_at),
    }
