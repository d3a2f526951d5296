"""Labels: what persons say of images, and what stands after all that they said.

A label is one reader's word; a current label is what counts for one image and one class. A label is never a result of
this node's models: their reports are no labels whoever sends them back.

References
----------
DICOM PS3.3 A.35.4 (Key Object Selection), A.35.3 (SR documents); PS3.16 TID 1500, TID 2010, CID 7010.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

UNNAMED = "somebody at "
"""Before the AE title that sent an object which names nobody: what is called its reader."""


class SourceKind(StrEnum):
    """What a label came in."""

    KEY_OBJECT = "key_object"
    """A Key Object Selection."""

    REPORT = "report"
    """A Structured Report from a person."""

    CSV = "csv"
    """A row of a file that an operator imported."""

    OPERATOR = "operator"
    """An operator's word on this node."""


class LabelRule(StrEnum):
    """How a label was read out of its source; the first rule that fits counts."""

    FINDING_CODE = "finding_code"
    """A coded finding of an SR from a person, or of a verified one."""

    FINDING_TEXT = "finding_text"
    """The free text of a finding, as OHIF writes it."""

    ASSESSMENT = "assessment"
    """A person accepted, rejected or changed a report of this node."""

    KEY_OBJECT_TEXT = "key_object_text"
    """The text of a Key Object Selection names a class."""

    TITLE = "title"
    """The configuration says what the title of a Key Object Selection means."""

    ROW = "row"
    """A row of an imported file says it."""

    OPERATOR = "operator"
    """An operator settled what could not be read, or what readers disagree on."""


class Verdict(StrEnum):
    """What became of an object that may carry labels."""

    UNREAD = "unread"
    """It waits to be read, or could not be: its state says which."""

    LABELLED = "labelled"
    """It gave labels."""

    EXCLUDED = "excluded"
    """It calls images unfit: these are in no training set."""

    UNMAPPED = "unmapped"
    """A person says something that no rule reads; an operator settles it."""

    IGNORED = "ignored"
    """It is not for labels: a rejection note, or something that no person says."""

    DISMISSED = "dismissed"
    """An operator said that it labels nothing."""


class LabelState(StrEnum):
    """What counts of a label by now."""

    CURRENT = "current"
    """It counts for at least one image that is here."""

    CONFLICT = "conflict"
    """Readers disagree on every image that it could count for: none of their labels does, until one of them changes
    the label or an operator settles it."""

    SUPERSEDED = "superseded"
    """Its reader said something newer, or an operator settled what readers disagreed on."""

    EXCLUDED = "excluded"
    """Its images were rejected, or a reader called them unfit."""

    OTHER_PATIENT = "other_patient"
    """Its source names another patient than the study; it counts once a merge says that they are one."""

    PARKED = "parked"
    """No image is here that it could count for; it counts once one comes."""


class LabelLevel(StrEnum):
    """What a label was given for."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class Label:
    """One reader's word on one class of an image, a series or a study."""

    study_instance_uid: str  #: "" while only an accession number or an instance is known of it
    series_instance_uid: str  #: "" of a label for the whole study, or one for an instance whose series is not known
    sop_instance_uid: str  #: "" of a label for a series or a study
    class_name: str  #: the class's key in the bundles, such as "pneumonia"
    present: bool
    reader: str
    made_at: datetime  #: aware
    source_uid: str  #: SOP Instance UID of the object; of a row or an operator's word, derived from what it says
    source_kind: SourceKind
    rule: LabelRule
    result_visible: bool | None  #: whether a result on it had been delivered by then; None where that is not known
    accession_number: str = ""  #: of a row that names its study by nothing else

    @property
    def level(self) -> LabelLevel:
        """What it was given for."""
        if self.sop_instance_uid:
            return LabelLevel.INSTANCE
        return LabelLevel.SERIES if self.series_instance_uid else LabelLevel.STUDY


@dataclass(frozen=True, slots=True)
class CurrentLabel:
    """What counts for one image that is here and one class; on this a training set is built."""

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str  #: as whom the study's patient counts, merges regarded
    issuer_of_patient_id: str
    class_name: str
    present: bool
    readers: tuple[str, ...]  #: all who agree on it, sorted
    made_at: datetime  #: of the newest label that says it
    recorded_at: datetime  #: when the newest label that says it was recorded here: what is new since a training
    level: LabelLevel  #: of the newest label that says it
    source_uids: tuple[str, ...]  #: of all labels that say it, sorted
    rules: tuple[LabelRule, ...]  #: likewise
    result_visible: bool | None  #: False where all were made blind, True where one was not, else None

    @property
    def blind(self) -> bool:
        """Whether it is known that no reader had a result of this node before them."""
        return self.result_visible is False
