"""Whose study it is: what identifies a patient and a study, and where two sources of it differ."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from node.domain.instance import InstanceHeader

IDENTITY_KEYS = (
    "StudyInstanceUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
)
"""Keywords of the elements that are compared (DICOM PS3.4 C.6.2.1, Study Root)."""

_CASE_COUNTS = ("PatientID", "IssuerOfPatientID")  # "a12" and "A12" may be two people


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient as a header names one."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str  #: YYYYMMDD
    sex: str


def patient_in(header: InstanceHeader) -> Patient:
    """Return the patient whom a header names."""
    return Patient(
        header.patient_id,
        header.issuer_of_patient_id,
        header.patient_name,
        header.patient_birth_date,
        header.patient_sex,
    )


def as_patient(header: InstanceHeader, patient: Patient) -> InstanceHeader:
    """Return a header that names another patient."""
    return replace(
        header,
        patient_id=patient.patient_id,
        issuer_of_patient_id=patient.issuer,
        patient_name=patient.name,
        patient_birth_date=patient.birth_date,
        patient_sex=patient.sex,
    )


def differing(header: InstanceHeader, answer: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keywords of the elements in which an archive's answer names somebody or something else.

    Padding does not count, nor case but in a Patient ID and its issuer, nor empty components at the end of a name; of a
    name in several scripts only the first group that both have is compared (PS3.5 6.2.1). What either side leaves empty
    is not compared, but for the Patient ID: an image without one says nothing that would make a patient of the
    archive's its own.

    Parameters
    ----------
    header
        The newest header stored of the study.
    answer
        Values by keyword, as a C-FIND answers.
    """
    return tuple(key for key, ours in _identity(header).items() if _differs(key, ours, answer.get(key, "")))


def _identity(header: InstanceHeader) -> dict[str, str]:
    values = (
        header.study_instance_uid,
        header.patient_id,
        header.issuer_of_patient_id,
        header.patient_name,
        header.patient_birth_date,
        header.patient_sex,
        header.accession_number,
    )
    return dict(zip(IDENTITY_KEYS, values, strict=True))


def _differs(key: str, ours: str, theirs: str) -> bool:
    if key == "PatientName":
        return _names_differ(ours, theirs)
    as_compared = _spaced if key in _CASE_COUNTS else _plain
    one, other = as_compared(ours), as_compared(theirs)
    if key == "PatientID":
        return bool(other) and one != other
    return bool(one and other) and one != other


def _names_differ(ours: str, theirs: str) -> bool:
    groups = zip(map(_name, ours.split("=")), map(_name, theirs.split("=")), strict=False)
    return next((one != other for one, other in groups if one and other), False)


def _name(group: str) -> str:
    return "^".join(_plain(component) for component in group.split("^")).rstrip("^")


def _plain(text: str) -> str:
    """Return a value without padding, with single spaces and in one case."""
    return _spaced(text).casefold()


def _spaced(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())
