"""What the node knows of a stored instance without opening its file."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """The elements of a dataset that rows, rules and reports need, decoded once when the instance arrives.

    Text is decoded by the dataset's (0008,0005) Specific Character Set and stripped of padding and of control
    characters (PostgreSQL refuses NUL in text); an absent or empty element is "".
    """

    sop_class_uid: str
    sop_instance_uid: SOPInstanceUID
    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    transfer_syntax_uid: str
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""  #: YYYYMMDD as sent
    patient_sex: str = ""
    patient_age: str = ""  #: age string, such as 004Y (PS3.5 VR AS)
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    series_description: str = ""
    modality: str = ""
    body_part_examined: str = ""
    view_position: str = ""
    series_number: str = ""  #: an integer string, as the devices that show images name the series
    instance_number: str = ""  #: likewise
    manufacturer: str = ""
    institution_name: str = ""
    image_type: tuple[str, ...] = ()
    presentation_intent: str = ""  #: FOR PRESENTATION | FOR PROCESSING | ""
    rows: int = 0
    columns: int = 0
    number_of_frames: int = 1
    has_pixels: bool = False  #: a Pixel Data element (7FE0,0008/0009/0010) of more than no bytes is there
    synthetic: bool = False  #: (0008,001C) Synthetic Data is YES: made artificially, wholly or in part (PS3.3 C.12.1)
    device_uids: tuple[str, ...] = ()
    """Every (0018,1002) Device UID at the top level and inside (0018,A001) Contributing Equipment Sequence."""
    derivation_codes: tuple[str, ...] = ()
    """Code Values of (0008,9215) Derivation Code Sequence and (0066,002F) Algorithm Family Code Sequence."""
    equipment_manufacturers: tuple[str, ...] = ()  #: (0008,0070) Manufacturer of each Contributing Equipment


def age_in_years(patient_age: str) -> float | None:
    """Return a DICOM age string in years, or None where it is absent or not of the form nnnD|W|M|Y.

    References
    ----------
    DICOM PS3.5 6.2, VR AS.
    """
    number, unit = patient_age[:-1], patient_age[-1:].upper()
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS_PER_YEAR:
        return None
    return int(number) / _UNITS_PER_YEAR[unit]


_UNITS_PER_YEAR = {"D": 365.25, "W": 52.1786, "M": 12.0, "Y": 1.0}


def age_of(header: InstanceHeader) -> float | None:
    """Return the patient's age in years at the study: as sent, else from birth date and study date, else None."""
    sent = age_in_years(header.patient_age)
    if sent is not None:
        return sent
    born, studied = _date(header.patient_birth_date), _date(header.study_date)
    return None if born is None or studied is None else (studied - born).days / 365.25


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
