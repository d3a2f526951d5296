"""What a rejection note does to this node's work: jobs and reports that rest on what it names end here.

Nothing that was delivered is touched: who got what stands in `node.store.stopping.taken_back`.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true

from node.domain.lifecycle import State
from node.domain.rejection import RejectionCode
from node.store import audit
from node.store.database import Transaction
from node.store.sending import offered
from node.store.stopping import recalls, rejection_notes
from node.store.tables.choices import RESULTS, DeliveryKind, JobKind
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import Rejection
from node.store.tables.result_tables import Analysis, Delivery, Rendition
from node.store.tables.work_tables import Job
from node.store.working import queue, work

_REPORT_REJECTED = "the report was rejected by a note"

_Pair = tuple[str, str]  # Study Instance UID and model


def end_work(tx: Transaction, note_uid: str, code: RejectionCode, now: datetime) -> set[str]:
    """Cancel the work that rests on what a note names, and compose again what remains.

    Parameters
    ----------
    tx
        The transaction that keeps what the note names (`node.store.stopping.rejection_notes.put`), or a later one.
    note_uid
        SOP Instance UID of the note.
    code
        Its title.
    now
        Aware.

    Returns
    -------
    set of str
        The studies that hold an image which the note names and a model was to read.
    """
    pairs = _touched(tx, note_uid)
    reads = and_(Job.kind == JobKind.READ, Job.subject_uid.in_(_named(note_uid)))
    work.put_back(tx, Job, and_(reads, Job.state == State.BURIED), now)  # what was given up is not wanted, either
    work.cancel(tx, Job, reads, now)
    # first the job, then the deliveries: the compose that is being settled holds the job's row, and is seen afterwards
    again = {pair for pair in pairs if code.is_wrong and _has_result(tx, pair)}
    queue.schedule_composes(tx, dict.fromkeys(again, now))
    for pair in pairs:
        _end(tx, pair, code, now, composes=pair not in again)
    _cancel(tx, _brings(note_uid), now, _REPORT_REJECTED)
    return {study for study, _ in pairs}


def note_all(tx: Transaction, note_uid: str, code: RejectionCode, caller: str, now: datetime) -> None:
    """Add an entry to the timeline of each study of which a note names instances."""
    counted = select(Rejection.study_instance_uid, func.count()).where(Rejection.note_sop_instance_uid == note_uid)
    for study, count in tx.execute(counted.group_by(Rejection.study_instance_uid)).all():
        said = {"code": code.value, "meaning": code.meaning, "instances": count, "calling_ae_title": caller}
        audit.add(tx, now, "instances rejected", study, note_uid, **said)


def put_back(tx: Transaction, study_uid: str, now: datetime) -> None:
    """Let the reports on a study wait again that did not leave because its images were removed for their age."""
    of_study = select(Analysis.id).where(Analysis.study_instance_uid == study_uid)
    removed = Delivery.last_error == _reason(RejectionCode.RETENTION)
    cancelled = and_(Delivery.analysis_id.in_(of_study), Delivery.state == State.CANCELLED, removed)
    work.put_back(tx, Delivery, and_(cancelled, recalls.not_recalled()), now, waits_since=now, last_error="")


def put_back_reports(tx: Transaction, note_uid: str, now: datetime) -> None:
    """Let this node's own reports wait again that a note named, and that did not leave for that reason."""
    ended = and_(Delivery.state == State.CANCELLED, Delivery.last_error == _REPORT_REJECTED)
    these = and_(_brings(note_uid), ended, recalls.not_recalled())
    work.put_back(tx, Delivery, these, now, waits_since=now, last_error="")


def _reason(code: RejectionCode) -> str:
    return f"an image that it rests on was taken back: {code.meaning}"


def _named(note_uid: str) -> Select[str]:
    return select(Rejection.sop_instance_uid).where(Rejection.note_sop_instance_uid == note_uid)


def _brings(note_uid: str) -> ColumnElement[bool]:
    """Return the condition for deliveries of what a note names; of a report, in whichever form, and beside it."""
    named = Rendition.sop_instance_uid.in_(_named(note_uid))
    reports = select(Rendition.analysis_id).where(named, Rendition.kind == DeliveryKind.REPORT)
    of_report = and_(Delivery.analysis_id.in_(reports), Delivery.kind.in_(RESULTS))
    return or_(of_report, Delivery.rendition_id.in_(select(Rendition.id).where(named)))


def _touched(tx: Transaction, note_uid: str) -> Collection[_Pair]:
    reads = and_(Job.kind == JobKind.READ, Job.subject_uid.in_(_named(note_uid)))
    query = select(Job.study_instance_uid, Job.model).where(reads).distinct()
    return sorted(tx.execute(query.order_by(Job.study_instance_uid, Job.model)).all())


def _has_result(tx: Transaction, pair: _Pair) -> bool:
    """Return whether a result exists, or one is being made."""
    study, model = pair
    of_pair = Job.kind == JobKind.COMPOSE, Job.subject_uid == study, Job.model == model
    is_being_made = exists().where(*of_pair, Job.state == State.RUNNING)
    exists_already = exists().where(Analysis.study_instance_uid == study, Analysis.model == model)
    return tx.scalar(select(is_being_made | exists_already)) is True


def _end(tx: Transaction, pair: _Pair, code: RejectionCode, now: datetime, *, composes: bool) -> None:
    """Cancel the reports that wait, and, with `composes`, a compose to which no image is left."""
    study, model = pair
    is_left = _has_images(tx, pair)
    if composes and not is_left:
        compose = and_(Job.kind == JobKind.COMPOSE, Job.subject_uid == study, Job.model == model)
        work.cancel(tx, Job, compose, now, last_error=_reason(code))
    if not code.is_wrong and is_left:
        return  # it was true when it was made, and what it rests on was removed for its age alone
    which = rejection_notes.rests_on_rejected() if code.is_wrong else true()
    analyses = select(Analysis.id).where(Analysis.study_instance_uid == study, Analysis.model == model, which)
    reports = and_(Delivery.analysis_id.in_(analyses), Delivery.kind.in_(RESULTS))
    _cancel(tx, reports, now, _reason(code))


def _has_images(tx: Transaction, pair: _Pair) -> bool:
    study, model = pair
    reads = select(Instance.sop_instance_uid).join(Job, Job.subject_uid == Instance.sop_instance_uid)
    of_pair = Job.kind == JobKind.READ, Job.study_instance_uid == study, Job.model == model
    return tx.scalar(reads.where(*of_pair, rejection_notes.not_rejected()).limit(1)) is not None


def _cancel(tx: Transaction, which: ColumnElement[bool], now: datetime, reason: str) -> None:
    """Cancel deliveries; the reason stands in their rows, too, because some may come back."""
    of_delivery = select(Delivery.peer, Analysis.study_instance_uid, Analysis.model, Delivery.offered_at)
    for identity in work.cancel(tx, Delivery, which, now, last_error=reason):
        of_this = of_delivery.join(Analysis, Delivery.analysis_id == Analysis.id).where(Delivery.id == identity)
        peer, study, model, offered_at = tx.execute(of_this).one()
        said = {"peer": peer, "model": model, "reason": offered.said(reason, offered_at)}
        audit.add(tx, now, "delivery cancelled", study, delivery=identity, **said)
