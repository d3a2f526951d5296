"""What a study's report is made of, as it stands in the database when its turn comes."""

from dataclasses import dataclass

from node.domain.aggregate import aggregated, outcome_of
from node.domain.finding import Cause, Outcome, Reading, StudyFinding
from node.domain.instance import InstanceHeader
from node.domain.patient import Patient, as_patient
from node.domain.report import ModelIdentity
from node.domain.rule import Rule, count_turned_away, waits_for_unread
from node.pipeline.analysis.conclude import conclusion_of, digest_of, inputs_of, patient_key
from node.pipeline.analysis.read_in_child import not_read
from node.store.arriving import instances, merges, synthetic_marks
from node.store.arriving.instances import HeldInstance
from node.store.database import Transaction
from node.store.registering import registry
from node.store.stopping import rejection_notes
from node.store.working import analyses, findings, turned_away, waits
from node.store.working.analyses import Analysis

_REMOVED = "Its file was removed for its age before this version of the model could read it."


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made from, as it stood when the job was taken."""

    readings: tuple[Reading, ...]
    inputs: tuple[str, ...]  #: what the report's identity is made from
    sources: tuple[HeldInstance, ...]  #: in the order of the readings; the newest header first
    rule: Rule
    latest: Analysis | None
    previous: str  #: SOP Instance UID of the newest analysis' report, whether it left or not; "" where there is none
    synthetic: bool = False  #: the study is
    untrue: bool = False  #: the newest analysis rests on an image that was rejected since, if only for a while
    patient: Patient | None = None  #: whom the images' patient counts as; None: the patient whom they name
    unread: tuple[str, ...] = ()  #: SOP Instance UIDs that are still to be read: it could wait no longer
    was_turned_away: bool = False  #: since the newest analysis, so that what waited of it was cancelled

    @property
    def header(self) -> InstanceHeader:
        """The newest header, with the patient as whom it counts: it says whose study this is."""
        newest = self.sources[0].header
        return newest if self.patient is None else as_patient(newest, self.patient)

    @property
    def findings(self) -> tuple[StudyFinding, ...]:
        """What the images say of the study, by the rule's aggregation."""
        return tuple(aggregated(self.readings, self.rule.aggregation, self.rule.top_k))

    @property
    def outcome(self) -> Outcome:
        """What that concludes."""
        return outcome_of(self.readings, self.findings)

    @property
    def conclusion(self) -> str:
        """The same as text that can be compared."""
        return conclusion_of(self.outcome, self.findings, synthetic=self.synthetic, partial=bool(self.unread))

    @property
    def turned_away(self) -> str | None:
        """Why the rule wants no result of a study of so many images, or None where it does."""
        return count_turned_away(self.rule, self._assessed, len(self.readings) - self._assessed, len(self.unread))

    @property
    def is_too_little(self) -> bool:
        """Whether the images that are still to be read have to be waited for."""
        return not self.readings or (bool(self.unread) and waits_for_unread(self.rule, self._assessed))

    @property
    def _assessed(self) -> int:
        return sum(reading.admission.admitted for reading in self.readings)


def gather(tx: Transaction, study_uid: str, model: ModelIdentity) -> Material:
    """Return what a study's report is made from; without readings where nothing of it was read.

    Rejected images have no readings here. One whose file is gone for its age stays with what was read of it.
    """
    readings = {
        reading.sop_instance_uid: reading for reading in findings.of_study(tx, study_uid, model.name, model.version)
    }
    unread = {uid: f"Reading failed: {error}" for uid, error in findings.unread(tx, study_uid, model.name).items()}
    removed = findings.removed_unread(tx, study_uid, model.name, model.version)
    readings |= {uid: not_read(uid, sentence) for uid, sentence in unread.items()}
    readings |= {uid: not_read(uid, _REMOVED, Cause.FILE_REMOVED) for uid in removed}
    unread |= dict.fromkeys(removed, _REMOVED)
    held = [one for one in instances.of_study(tx, study_uid) if one.header.sop_instance_uid in readings]
    newest = instances.newest_header(tx, study_uid, model.name)
    sources = sorted(held, key=lambda source: source != newest)  # stable: the rest keeps its order
    of_sources = tuple(readings[source.header.sop_instance_uid] for source in sources)
    latest = analyses.latest(tx, study_uid, model.name)
    previous = analyses.first_form(tx, latest.id) if latest else None
    registration = registry.get(tx, model.name)
    return Material(
        of_sources,
        inputs_of(of_sources, unread),
        tuple(sources),
        registration.rule if registration else Rule(),
        latest,
        previous.sop_instance_uid if previous else "",
        synthetic_marks.is_synthetic(tx, study_uid),
        latest is not None and rejection_notes.was_untrue(tx, latest.id),
        merges.patient_of(tx, [source.header for source in sources]) if sources else None,
        tuple(waits.unread(tx, study_uid, model.name)),
        turned_away.has(tx, study_uid, model.name),
    )


def changes(material: Material, model: ModelIdentity) -> tuple[str, ...]:
    """Return what makes a new report, in words; none where the newest analysis says all that this one would.

    That is so where this version made it from these images of this patient, concluding so.

    One that may rest on an image which was ever rejected never counts: peers were told to forget it, or never got it,
    so what is composed now takes its place.
    """
    latest = material.latest
    if latest is None:
        return ("first result",)
    differs = {
        "an operator wants it anew": bool(latest.anew_for),
        "an image was rejected": material.untrue,
        "turned away before": material.was_turned_away,  # what waited of it was cancelled
        "another version": latest.version != model.version,
        "other images": latest.inputs_digest != digest_of(material.inputs),
        "patient or study corrected": latest.patient_key != patient_key(material.header),
        "another conclusion": latest.conclusion != material.conclusion,
    }
    return tuple(words for words, is_so in differs.items() if is_so)
