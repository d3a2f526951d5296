"""Listings of what an operator or a peer has stopped: holds, rejection notes, and what peers got before.

Times are ISO 8601 in UTC; nothing here names a patient.
"""

from collections import Counter

from sqlalchemy import ColumnElement, select

from node.domain.lifecycle import State
from node.domain.rejection import RejectionCode
from node.store.database import Transaction
from node.store.listing.listings import Listed, iso
from node.store.stopping import recalls, taken_back
from node.store.stopping import rejection_notes as rejections_of
from node.store.stopping.taken_back import Delivered
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import Hold, Rejection, RejectionNote

_PIECE = 500
_STATES = {State.DONE: "applied", State.BURIED: "refused", State.CANCELLED: "undone"}


def holds(tx: Transaction) -> list[Listed]:
    """List the holds, the oldest first, those that were released too; then the versions that were recalled.

    Returns
    -------
    list of dict
        ``model`` ("" for all), ``version`` (of a recall, which is never released; "" of a hold), ``reason``,
        ``held_by``, ``held_at``; ``released_by``, ``released_how`` ("sent" or "discarded", both "" while it holds) and
        ``released_at`` (null while it holds).
    """
    placed = [_hold(row) for row in tx.scalars(select(Hold).order_by(Hold.id))]
    return placed + [_recall(recalled) for recalled in recalls.in_force(tx)]


def rejections(tx: Transaction) -> list[Listed]:
    """List the rejection notes that came, the newest first; Key Object Selections with other titles are left out.

    Returns
    -------
    list of dict
        - ``sop_instance_uid`` of the note, ``calling_ae_title`` of who sent it, ``received_at``
        - ``state``: "waiting" (it is about to be read or applied), "applied" or "refused" (it could not be read, and
          moves nothing) or "undone" (an operator took it for wrong), ``error``: why
        - ``code_value``, ``meaning`` of its title; "" until it is read
        - ``instances``: as `of_study` lists them; those that are not held here are kept for when they come
        - ``delivered``: the reports that peers had got by then: `delivered` names the keys
    """
    notes = (
        select(RejectionNote, Instance)
        .join(Instance, Instance.sop_instance_uid == RejectionNote.sop_instance_uid)
        .where((RejectionNote.state != State.DONE) | (RejectionNote.code_value != ""))
        .order_by(RejectionNote.id.desc())
    )
    return [_note(tx, note, instance) for note, instance in tx.execute(notes).all()]


def of_study(tx: Transaction, study_uid: str) -> list[Listed]:
    """List the instances of a study that a note names, whether they are held or not.

    Returns
    -------
    list of dict
        ``sop_instance_uid``, ``study_instance_uid``, ``held`` (true or false), ``code_value``, ``meaning``,
        ``note_sop_instance_uid``, ``calling_ae_title``, ``rejected_at``; ``undone_by`` ("" while it counts) and
        ``undone_at`` (null while it counts).
    """
    return _instances(tx, Rejection.study_instance_uid == study_uid)


def untrue(tx: Transaction, study_uid: str) -> list[Listed]:
    """List the reports on a study that rest on rejected images and are at a peer, or may be, as `delivered`."""
    return [delivered(report) for report in taken_back.untrue(tx, [study_uid])]


def outlived(tx: Transaction, study_uid: str) -> list[Listed]:
    """List the heat maps of a study at a peer that has or is to get a newer report, or may be, as `delivered`."""
    return [delivered(one) for one in taken_back.outlived(tx, study_uid)]


def count_untrue(tx: Transaction) -> dict[str, int]:
    """Return by peer how many reports there rest on rejected images and are not, nor will be, taken back."""
    studies = select(Instance.study_instance_uid).join(
        Rejection, Rejection.sop_instance_uid == Instance.sop_instance_uid
    )
    named = list(tx.scalars(studies.where(rejections_of.calls_wrong()).distinct()))
    pieces = (named[start : start + _PIECE] for start in range(0, len(named), _PIECE))
    reports = (report for piece in pieces for report in taken_back.untrue(tx, piece))
    return dict(Counter(one.peer for one in reports if one.note in (None, State.BURIED, State.CANCELLED)))


def delivered(report: Delivered) -> Listed:
    """Return a report at a peer.

    Returns
    -------
    dict
        ``delivery``, ``kind`` ("report", "text" or "heatmap"), ``peer``, ``model``, ``version``,
        ``study_instance_uid``, ``sop_instance_uid`` of the report, or of what went beside it, ``state`` of its
        delivery, ``sent_at``, ``offered_at`` (when it may last have left), ``last_status``, ``commitment``,
        ``rejection_note``: the state of the delivery of this node's note that takes it back, or null where none was
        ordered.
    """
    return {
        "delivery": report.delivery_id,
        "kind": report.kind.value,
        "peer": report.peer,
        "model": report.model,
        "version": report.version,
        "study_instance_uid": report.study_instance_uid,
        "sop_instance_uid": report.sop_instance_uid,
        "state": report.state.value,
        "sent_at": iso(report.sent_at),
        "offered_at": iso(report.offered_at),
        "last_status": report.last_status,
        "commitment": report.commitment.value,
        "rejection_note": report.note.value if report.note else None,
    }


def _hold(row: Hold) -> Listed:
    return {
        "model": row.model,
        "version": "",
        "reason": row.reason,
        "held_by": row.held_by,
        "held_at": iso(row.held_at),
        "released_by": row.released_by,
        "released_how": row.released_how,
        "released_at": iso(row.released_at),
    }


def _recall(recalled: recalls.Recalled) -> Listed:
    return {
        "model": recalled.model,
        "version": recalled.version,
        "reason": recalled.reason,
        "held_by": recalled.recalled_by,
        "held_at": iso(recalled.recalled_at),
        "released_by": "",
        "released_how": "",
        "released_at": None,
    }


def _note(tx: Transaction, note: RejectionNote, instance: Instance) -> Listed:
    named = _instances(tx, Rejection.note_sop_instance_uid == note.sop_instance_uid)
    studies = {row["study_instance_uid"] for row in named}
    code = RejectionCode(note.code_value or named[0]["code_value"]) if named else None
    reports = taken_back.untrue(tx, studies) if code is not None and code.is_wrong else []
    return {
        "sop_instance_uid": note.sop_instance_uid,
        "calling_ae_title": instance.calling_ae_title,
        "received_at": iso(instance.received_at),
        "state": _STATES.get(note.state, "waiting"),
        "error": note.last_error,
        "code_value": code.value if code else "",
        "meaning": code.meaning if code else "",
        "instances": named,
        "delivered": [delivered(report) for report in reports],
    }


def _instances(tx: Transaction, which: ColumnElement[bool]) -> list[Listed]:
    held = select(Rejection, Instance.sop_instance_uid).outerjoin(
        Instance, Instance.sop_instance_uid == Rejection.sop_instance_uid
    )
    return [
        {
            "sop_instance_uid": row.sop_instance_uid,
            "study_instance_uid": row.study_instance_uid,
            "held": uid is not None,
            "code_value": row.code_value,
            "meaning": RejectionCode(row.code_value).meaning,
            "note_sop_instance_uid": row.note_sop_instance_uid,
            "calling_ae_title": row.calling_ae_title,
            "rejected_at": iso(row.rejected_at),
            "undone_by": row.undone_by,
            "undone_at": iso(row.undone_at),
        }
        for row, uid in tx.execute(held.where(which).order_by(Rejection.id)).all()
    ]
