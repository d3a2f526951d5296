"""Rejection notes in plain words: what is taken back, and why.

References
----------
IHE RAD TF-1, Imaging Object Change Management (IOCM); RAD TF-2, RAD-66 Rejection Note Stored; DICOM PS3.16 CID 7010
and Annex D (113001, 113037, 113038, 113039).
"""

from dataclasses import dataclass
from enum import StrEnum

from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID, derived_uid

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
"""SOP class of the objects that may be rejection notes."""


class RejectionCode(StrEnum):
    """The titles that make a Key Object Selection a rejection note, by their code values in the scheme DCM."""

    QUALITY = "113001"
    """Rejected for Quality Reasons: not good enough to be used. What it names is wrong for good: a corrected object
    comes under a new UID, and the same UID is not read again however often it comes."""

    PATIENT_SAFETY = "113037"
    """Rejected for Patient Safety Reasons: its use could harm, such as by a wrong side marker. As for quality."""

    WORKLIST = "113038"
    """Incorrect Modality Worklist Entry: acquired for the wrong patient or procedure. As for quality."""

    RETENTION = "113039"
    """Data Retention Policy Expired: removed because it is old, and never wrong. Work that has not begun is not done
    any more; what was delivered stays right. The same UID that comes afterwards was restored, and is read."""

    @property
    def meaning(self) -> str:
        """The code's meaning as the Standard words it."""
        return _MEANINGS[self]

    @property
    def is_wrong(self) -> bool:
        """Whether what is named must not be used, so that results which rest on it are taken back."""
        return self is not RejectionCode.RETENTION


_MEANINGS = {
    RejectionCode.QUALITY: "Rejected for Quality Reasons",
    RejectionCode.PATIENT_SAFETY: "Rejected for Patient Safety Reasons",
    RejectionCode.WORKLIST: "Incorrect Modality Worklist Entry",
    RejectionCode.RETENTION: "Data Retention Policy Expired",
}


@dataclass(frozen=True, slots=True)
class Named:
    """An instance that a rejection note names."""

    study_instance_uid: StudyInstanceUID
    sop_instance_uid: SOPInstanceUID


@dataclass(frozen=True, slots=True)
class KeyObjects:
    """What a Key Object Selection says."""

    code: RejectionCode | None  #: None: its title is another one, so it rejects nothing
    named: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class NoteIdentity:
    """The UIDs of a rejection note of this node."""

    sop_instance_uid: SOPInstanceUID
    series_instance_uid: SeriesInstanceUID


def note_identity(report_uid: str, study_uid: str, code: RejectionCode) -> NoteIdentity:
    """Return the UIDs of the note that takes this report back for this reason: always the same."""
    instance = derived_uid("rejection note", report_uid, code)
    return NoteIdentity(SOPInstanceUID(instance), SeriesInstanceUID(derived_uid("rejection note series", study_uid)))
