"""Reports of a study that name another patient or study than counts now: each with whom it names.

A corrected header, a merge and the end of one each make a new report. What peers got before stays there.
"""

from collections.abc import Collection, Sequence
from typing import Any

from node.dicom.report.named_patient import patient_id_of
from node.pipeline.analysis.conclude import patient_key
from node.store.arriving import instances, merges
from node.store.arriving.merges import Merge
from node.store.database import Transaction
from node.store.listing import control_views
from node.store.stopping import taken_back
from node.store.working import analyses
from node.store.working.analyses import Analysis


def told_of(tx: Transaction, study_uid: str, listed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a study's listing says of whom its reports name.

    Parameters
    ----------
    tx
        A transaction.
    study_uid
        The study.
    listed
        Its ``analyses`` as `node.store.listing.views.study` lists them.

    Returns
    -------
    dict
        ``analyses``: each with ``patient_id`` as its report names it, and ``is_current_patient`` (whether that is whose
        study it is now, as far as patient, study and accession number say); ``misnamed_reports``: those of the others
        that are at a peer, or may be, as `node.store.listing.control_views.delivered` lists them.
    """
    others = _naming_others(tx, study_uid)
    return {
        "analyses": [
            row | {"patient_id": _named(tx, row["id"]), "is_current_patient": row["id"] not in others} for row in listed
        ],
        "misnamed_reports": [control_views.delivered(report) for report in taken_back.of_analyses(tx, others)],
    }


def since(tx: Transaction, study_uid: str, merge: Merge) -> Collection[int]:
    """Return the analyses that were made since a merge and name somebody else than counts now."""
    return [number for number in _naming_others(tx, study_uid) if number > merge.after_analysis]


def _naming_others(tx: Transaction, study_uid: str) -> set[int]:
    made = analyses.of_study(tx, study_uid)
    counting = {model: _key(tx, study_uid, model) for model in {one.model for one in made}}
    return {one.id for one in made if _differs(one, counting[one.model])}


def _differs(one: Analysis, key: str | None) -> bool:
    return key is not None and one.patient_key != key


def _key(tx: Transaction, study_uid: str, model: str) -> str | None:
    newest = instances.newest_header(tx, study_uid, model)
    return None if newest is None else patient_key(merges.counted_as(tx, newest.header))


def _named(tx: Transaction, analysis_id: int) -> str:
    report = analyses.first_form(tx, analysis_id)
    return "" if report is None else patient_id_of(report.dataset)
