"""What an object says that may carry labels, in plain values: nothing is concluded from it yet."""

from dataclasses import dataclass
from datetime import datetime

from node.domain.finding import Code
from node.domain.label import SourceKind


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An instance that an object names, and what it says of where that stands."""

    study_instance_uid: str
    series_instance_uid: str  #: "" where the object does not say
    sop_instance_uid: str
    of_frames: bool = False  #: whether single frames of it are meant


@dataclass(frozen=True, slots=True)
class SaidFinding:
    """One finding of a report: what it is called, what is said of it, and on which instances."""

    codes: tuple[Code, ...]  #: its values of Finding; free text of OHIF stands in the meaning
    texts: tuple[str, ...]  #: what is said of it in words
    evaluations: tuple[tuple[Code, Code], ...] = ()  #: name and value of each qualitative evaluation beside it
    images: tuple[NamedImage, ...] = ()
    tracking_uid: str = ""  #: (112040, DCM) Tracking Unique Identifier


@dataclass(frozen=True, slots=True)
class LabelDocument:
    """A Key Object Selection or a Structured Report, as it stands."""

    sop_instance_uid: str
    study_instance_uid: str
    kind: SourceKind
    title: Code | None
    texts: tuple[str, ...]  #: of a Key Object Selection: its descriptions, else its series description
    findings: tuple[SaidFinding, ...]  #: of a report
    images: tuple[NamedImage, ...]  #: every instance that it names, reports among them
    persons: tuple[str, ...]  #: who observed, wrote or verified it, the most telling first
    says_person: bool  #: it says that a person observed or wrote it
    says_device: bool  #: it says that a device did, or names one that processed it
    verified: bool
    device_uids: tuple[str, ...]  #: of the devices that it says observed
    verdicts: tuple[Code, ...]  #: every coded value in it that may be an assessment of something else
    made_at: datetime | None  #: aware where the object says its zone, else naive; None where it says no time
    makers: tuple[str, ...] = ()  #: Manufacturer of its equipment, and of each Contributing Equipment
    patient_id: str = ""
    issuer_of_patient_id: str = ""

    @property
    def said(self) -> str:
        """Its words, for the operator who settles it."""
        of_findings = (text for one in self.findings for text in (*(code.meaning for code in one.codes), *one.texts))
        return "; ".join(dict.fromkeys(text for text in (*self.texts, *of_findings) if text))
