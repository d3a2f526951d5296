"""Reports of this node, as far as reading what a person says of them needs: which they are, and what they said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from node.domain.finding import StudyFinding
from node.store.codec import study_findings_from_json
from node.store.connection.driver_statement import Lookup
from node.store.database import Transaction
from node.store.tables.choices import DeliveryKind
from node.store.tables.result_tables import Analysis, Rendition
from node.store.tables.version_tables import ModelVersion


@dataclass(frozen=True, slots=True)
class OwnReport:
    """What a report of this node said of its study."""

    study_instance_uid: str
    findings: tuple[StudyFinding, ...]  #: none where it assessed nothing


def among(tx: Transaction, sop_uids: Collection[str]) -> Mapping[str, OwnReport]:
    """Return by its UID each of these instances that is a report of this node, or what goes beside one."""
    found = _AMONG.rows(tx, sorted(set(sop_uids)))
    return {uid: OwnReport(study, study_findings_from_json(findings)) for uid, study, findings in found}


def devices(tx: Transaction) -> frozenset[str]:
    """Return the Device UID of every version of a model that this registry has ever known."""
    return frozenset(tx.scalars(select(ModelVersion.device_uid).where(ModelVersion.device_uid != "")))


def said_under(tx: Transaction, study_uids: Collection[str], tracking_uids: Collection[str]) -> frozenset[str]:
    """Return which tracking UIDs stand in this node's reports of these studies: they name what these found.

    They are looked for in the bytes of the reports, whose text they are in every form.
    """
    if not tracking_uids:
        return frozenset()
    of_studies = Analysis.study_instance_uid.in_(study_uids), Rendition.kind == DeliveryKind.REPORT
    made = select(Rendition.dataset).join(Analysis, Analysis.id == Rendition.analysis_id)
    reports: Sequence[bytes] = tx.scalars(made.where(*of_studies)).all()
    return frozenset(uid for uid in tracking_uids if any(uid.encode() in report for report in reports))


_AMONG = Lookup(
    lambda among_: (
        select(Rendition.sop_instance_uid, Analysis.study_instance_uid, Analysis.findings)
        .join(Analysis, Analysis.id == Rendition.analysis_id)
        .where(among_(Rendition.sop_instance_uid))
    )
)
