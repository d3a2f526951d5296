"""What one version of a model has sent, to whom, and how it is taken back.

References
----------
IHE RAD TF-1, Imaging Object Change Management: (113037, DCM, "Rejected for Patient Safety Reasons") is the title that
has every receiver hide what it names.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.lifecycle import State
from node.domain.rejection import RejectionCode
from node.pipeline.opened import open_database, read_once
from node.pipeline.registry import recalled
from node.pipeline.stopping.control import stopped
from node.pipeline.stopping.taking_back import NoteWriter
from node.store import audit
from node.store.database import Transaction
from node.store.listing import control_views
from node.store.stopping import recalls, releasing, taken_back
from node.store.working import analyses

COLUMNS = ("study_instance_uid", "peer", "sop_instance_uid", "state", "sent_at", "commitment", "rejection_note")

_CODE = RejectionCode.PATIENT_SAFETY
_WHY = "The version of the model that made this result was recalled."


def listed(settings: Settings, model: str, version: str) -> list[dict[str, Any]]:
    """Return every study and peer to which a version's reports went or are to go.

    Returns
    -------
    list of dict
        The keys of `node.store.listing.control_views.delivered`, and ``takes_rejection_notes``: whether the peer does.

    Raises
    ------
    OperatorError
        Where that version has made no result.
    """
    return read_once(settings, lambda tx: _listed(tx, settings, model, version))


def send(settings: Settings, model: str, version: str, who: str, now: datetime, reason: str = "") -> str:
    """Recall a version: stop what has not left, order a note for what has or may have, and say what that means.

    From then on nothing of that version leaves, whatever puts it back or makes it anew. The notes leave under holds
    that are in force now; doing it again orders what is missing.

    Parameters
    ----------
    settings
        Whose database, and whose peers.
    model, version
        What is recalled.
    who, now
        Who says so, and when.
    reason
        Why, for the timelines.

    Raises
    ------
    OperatorError
        Where that version has made no result.
    """
    with open_database(settings) as database:
        database.read(lambda tx: _listed(tx, settings, model, version))
        held_back = database.write(lambda tx: _recall(tx, model, version, reason.strip(), who, now))
        stopped(database, lambda tx: releasing.running(tx, model, version))
        # what was under way was put back, or still counts so because the node does not run: the peers may have it
        held_back += database.write(lambda tx: _stop(tx, model, version, who, now, releasing.NOT_LEFT))
        reports = database.read(lambda tx: taken_back.of_version(tx, model, version))
        there = [report for report in reports if report.is_settled_there]
        notes = NoteWriter(database, settings.peers, lambda: now)
        ordered = notes.take_back(there, _CODE, _WHY, by=who, despite_holds=True)
        database.write(lambda tx: _note(tx, model, version, who, now, len(there), ordered))
        serving = [
            recalled.note(one) for one in database.read(recalls.serving) if (one.model, one.version) == (model, version)
        ]
    left = sorted({report.peer for report in there if not notes.takes(report)})
    said = [f"{held_back} deliveries stopped, {ordered} rejection notes ordered for {len(there)} reports"]
    said += [f"{', '.join(left)} takes no rejection notes: have the reports removed there"] if left else []
    return ". ".join([*said, *serving])


def _recall(tx: Transaction, model: str, version: str, reason: str, who: str, now: datetime) -> int:
    """Keep the recall, tell each study that it concerns, and stop what is not under way; return how much."""
    if recalls.add(tx, model, version, reason, who, now):
        studies = dict.fromkeys(one.study_instance_uid for one in taken_back.of_version(tx, model, version))
        said = {"model": model, "version": version, "reason": reason or _WHY, "by": who}
        audit.add_all(tx, [audit.Entry(now, "result recalled", study, detail=said) for study in studies])
    return _stop(tx, model, version, who, now, [state for state in releasing.NOT_LEFT if state is not State.RUNNING])


def _stop(tx: Transaction, model: str, version: str, who: str, now: datetime, states: Sequence[State]) -> int:
    wanted = releasing.of_version(tx, model, version)
    why = f"version {version} of model {model} was recalled"
    return len(releasing.discard(tx, wanted, now, why, states=states, by=who))


def _note(tx: Transaction, model: str, version: str, who: str, now: datetime, reports: int, notes: int) -> None:
    audit.add(tx, now, "version recalled", model=model, version=version, by=who, reports=reports, notes=notes)


def _listed(tx: Transaction, settings: Settings, model: str, version: str) -> list[dict[str, Any]]:
    versions = analyses.versions(tx, model)
    if version not in versions:
        named = f"its versions with results are {', '.join(versions)}" if versions else "it has made none"
        raise OperatorError(f"model {model} has made no result in version {version}: {named}")
    taking = {peer.name for peer in settings.peers if peer.takes_rejection_notes}
    return [
        {**control_views.delivered(report), "takes_rejection_notes": report.peer in taking}
        for report in taken_back.of_version(tx, model, version)
    ]
