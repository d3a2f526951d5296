"""Patients merged by an operator, and taken apart again; reports follow whom their studies count as."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.lifecycle import State
from node.domain.rejection import RejectionCode
from node.pipeline.opened import open_database, read_once, write_once
from node.pipeline.stopping import misnamed
from node.pipeline.stopping.control import stopped
from node.pipeline.stopping.taking_back import NoteWriter
from node.store import audit
from node.store.arriving import merges
from node.store.arriving.merges import Merge, PatientName
from node.store.database import Transaction
from node.store.listing.listings import iso
from node.store.stopping import taken_back
from node.store.stopping.taken_back import Delivered
from node.store.working import queue

COLUMNS = (
    *("patient_id", "issuer", "into_patient_id", "into_issuer", "studies", "merged_by", "merged_at"),
    *("ended_by", "ended_at"),
)

_CODE = RejectionCode.WORKLIST
_WHY = "The report names a patient with whom its own patient was merged by mistake."


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Return every merge, the oldest first, those that were undone too.

    Returns
    -------
    list of dict
        ``patient_id`` and ``issuer`` ("" where headers name none) of who counts as ``into_patient_id`` and
        ``into_issuer``, ``studies`` (how many that concerns), ``merged_by``, ``merged_at``; ``ended_by`` ("" while it
        counts) and ``ended_at`` (null while it counts).
    """
    return read_once(settings, lambda tx: [_row(tx, merge) for merge in merges.all(tx)])


def merge(
    settings: Settings, patient: PatientName, into: PatientName, who: str, now: datetime, *, unseen: bool = False
) -> str:
    """Let the studies of one patient count as another's, those that come later too, and say what that means.

    Parameters
    ----------
    settings
        Whose database.
    patient, into
        Who counts as whom.
    who, now
        Who says so, and when.
    unseen
        Whether `into` may be a patient of whom nothing is stored.

    Raises
    ------
    OperatorError
        Where the two are one already, it would make a circle, or an ID is not stored as it was given.
    """

    def work(tx: Transaction) -> str:
        merges.lock(tx)
        _require_mergeable(tx, patient, into, unseen=unseen)
        merged = merges.add(tx, patient, into, who, now)
        count = _compose_again(tx, patient, "patient merged", merged.id, who, now)
        return f"{patient} counts as {into} from now on; {_studies(count)}"

    return write_once(settings, work)


def split(settings: Settings, patient: PatientName, who: str, now: datetime) -> str:
    """Let a patient who was merged count as itself again, take back what names the other, and say what that means.

    Reports that were sent under the other patient stand in that patient's record. Peers that take rejection notes get
    one for each (113038); doing it again orders what is missing.

    Raises
    ------
    OperatorError
        Where that patient is not merged, and nothing is left of a merge that was undone.
    """

    def work(tx: Transaction) -> int | None:
        merges.lock(tx)
        merged = merges.get(tx, patient)
        if merged is None:
            return None
        merges.end(tx, patient, who, now)
        return _compose_again(tx, patient, "patient split", merged.id, who, now)

    with open_database(settings) as database:
        count = database.write(work)
        stopped(
            database, lambda tx: [report.peer for report in _misnamed(tx, patient) if report.state is State.RUNNING]
        )
        wrong = database.read(lambda tx: _misnamed(tx, patient))
        if count is None and not wrong:
            raise OperatorError(f"{patient} is not merged into anyone: `pacs-node patients` lists the merges")
        said = _taken_back(NoteWriter(database, settings.peers, lambda: now), wrong)
    return "; ".join([f"{patient} counts as itself again", _studies(count or 0), *said])


def _misnamed(tx: Transaction, patient: PatientName) -> list[Delivered]:
    """Return the reports at peers, not taken back yet, that name the patient with whom this one was merged last."""
    ended = merges.last_ended(tx, patient)
    if ended is None:
        return []
    found = [number for study in merges.studies_counted_as(tx, patient) for number in misnamed.since(tx, study, ended)]
    return [report for report in taken_back.of_analyses(tx, found) if report.note is None]


def _taken_back(notes: NoteWriter, wrong: Sequence[Delivered]) -> list[str]:
    ordered = notes.take_back(wrong, _CODE, _WHY)
    left = [report for report in wrong if not notes.takes(report)]
    said = [f"{ordered} rejection notes ordered for reports under the other patient"] if ordered else []
    named = ", ".join(f"{report.sop_instance_uid} at {report.peer}" for report in left)
    return said + ([f"no rejection note goes there, so have these removed: {named}"] if left else [])


def _require_mergeable(tx: Transaction, patient: PatientName, into: PatientName, *, unseen: bool) -> None:
    if patient == into:
        raise OperatorError(f"{patient} is one patient already", exit_code=2)
    merged = merges.get(tx, patient)
    if merged is not None:
        raise OperatorError(f"{patient} counts as {merged.into} already: `pacs-node patients split` undoes that")
    if merges.survivor(tx, into) == patient:
        raise OperatorError(f"{into} counts as {patient} already: the other way round would be a circle")
    _require_issuer(tx, patient)
    _require_issuer(tx, into)
    if not unseen and into.issuer not in merges.issuers(tx, into.patient_id):
        raise OperatorError(
            f"nothing of {into} is stored: see that the ID is right; with --unseen its studies count as that patient's "
            "all the same, under the name that they have"
        )


def _require_issuer(tx: Transaction, patient: PatientName) -> None:
    issuers = merges.issuers(tx, patient.patient_id)
    if issuers and patient.issuer not in issuers:
        named = ", ".join(issuer or "no issuer" for issuer in issuers)
        raise OperatorError(f"the ID {patient.patient_id} is stored with another issuer: {named}; say which")


def _compose_again(tx: Transaction, patient: PatientName, event: str, number: int, who: str, now: datetime) -> int:
    """Have every report on the patient's studies made again; return how many studies that are."""
    studies = merges.studies_counted_as(tx, patient)
    for study in studies:
        audit.add(tx, now, event, study, merge=number, by=who)
    queue.schedule_composes(tx, dict.fromkeys(merges.composed(tx, studies), now))
    return len(studies)


def _studies(count: int) -> str:
    if not count:
        return "no study is stored under that ID yet"
    return f"{count} studies of that ID: reports on them are made anew, and sent where the peer has one"


def _row(tx: Transaction, merge: Merge) -> dict[str, Any]:
    return {
        "patient_id": merge.patient.patient_id,
        "issuer": merge.patient.issuer,
        "into_patient_id": merge.into.patient_id,
        "into_issuer": merge.into.issuer,
        "studies": len(merges.studies_counted_as(tx, merge.patient)),
        "merged_by": merge.merged_by,
        "merged_at": iso(merge.merged_at),
        "ended_by": merge.ended_by,
        "ended_at": iso(merge.ended_at),
    }
