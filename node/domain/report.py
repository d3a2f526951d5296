"""What a report says, before it becomes a dataset."""

from dataclasses import dataclass, replace
from datetime import datetime

from node.domain.finding import Code, Outcome, Reading, StudyFinding
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID, derived_uid
from node.domain.patient import Patient
from node.domain.profile import DEFAULT, Profile

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """The device that a report names: one trained version has one Device UID."""

    name: str  #: registry name, such as "starter"
    version: str
    device_uid: str
    manufacturer: str = "pacs-node"
    weights_digest: str = ""  #: SHA-256 of the weights, hexadecimal
    classes: tuple["ModelClass", ...] = ()
    calibrated_on_local_labels: bool = False  #: whether its scores are probabilities at this site: reports say per cent


@dataclass(frozen=True, slots=True)
class ModelClass:
    """A class that a model can find, with its codes."""

    name: str
    finding: Code
    site: Code
    threshold: float


@dataclass(frozen=True, slots=True)
class ReportIdentity:
    """The UIDs of one rendition, minted from what it says and never drawn at random."""

    sop_instance_uid: SOPInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_class_uid: str


@dataclass(frozen=True, slots=True)
class ReportContent:
    """Everything that a report is made from beside the source images."""

    study_instance_uid: StudyInstanceUID
    model: ModelIdentity
    outcome: Outcome
    readings: tuple[Reading, ...]  #: in the order of the source images; at least one
    created_at: datetime  #: aware
    predecessors: tuple[ReportIdentity, ...] = ()  #: the reports that this one takes the place of
    synthetic: bool = False  #: whether any image of the study is: the report says so
    findings: tuple[StudyFinding, ...] = ()  #: of the study as a whole, by class; none where no image was assessed
    patient: Patient | None = None  #: whom the images' patient counts as; None: the patient whom they name
    unread: int = 0  #: how many further images are still to be read: the report is one of a part of the study
    profile: Profile = DEFAULT  #: how it is shaped for its destination
    language: str = "en"  #: of the lines that a person reads, an RFC 5646 tag


def report_identity(  # noqa: PLR0913 - an identity depends on exactly these
    study_instance_uid: StudyInstanceUID,
    model: ModelIdentity,
    inputs: tuple[str, ...],
    sop_class_uid: str,
    *,
    patient_key: str = "",
    predecessor: str = "",
    profile: str = "default",
    language: str = "en",
) -> ReportIdentity:
    """Return the UIDs of the rendition that these inputs always give.

    Parameters
    ----------
    study_instance_uid
        The study that the report belongs to.
    model
        The model and version that read it.
    inputs
        SOP Instance UIDs of the images, marked where one could not be read; their order does not matter.
    sop_class_uid
        SOP class of the rendition.
    patient_key
        What identifies patient and study in the sources' headers, so that a corrected identity makes a new report.
    predecessor
        SOP Instance UID of the report composed before this one, whether it left or not: where a study comes back to
        what it was before, the new report is another one than the old.
    profile
        The destination profile that shaped the rendition.
    language
        Language of the text, an RFC 5646 tag.
    """
    version = (model.name, model.version, model.device_uid)
    content = (*sorted(inputs), sop_class_uid, patient_key, predecessor, profile, language)
    instance = derived_uid("report", study_instance_uid, *version, *content)
    series = derived_uid("report series", study_instance_uid, model.name)
    return ReportIdentity(SOPInstanceUID(instance), SeriesInstanceUID(series), sop_class_uid)


def text_identity(
    study_instance_uid: StudyInstanceUID,
    model: ModelIdentity,
    inputs: tuple[str, ...],
    *,
    patient_key: str = "",
    predecessor: str = "",
    language: str = "en",
) -> ReportIdentity:
    """Return the UIDs of a report's text companion; the parameters are those of `report_identity`.

    All texts of one model on one study stand in one series, beside that of its reports.
    """
    said = {"patient_key": patient_key, "predecessor": predecessor, "language": language}
    text = report_identity(study_instance_uid, model, inputs, BASIC_TEXT_SR, **said)
    series = derived_uid("text series", study_instance_uid, model.name)
    return replace(text, series_instance_uid=SeriesInstanceUID(series))
