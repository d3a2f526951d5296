"""What everything that the node makes about an image says of itself: whose it is, which instance, and what made it.

References
----------
DICOM PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.7.5 (Equipment), C.12.1 (SOP Common)
"""

from copy import deepcopy
from datetime import datetime, timedelta, timezone

from pydicom import Dataset

from node.dicom.encoding.values import LONG_STRING, SHORT_STRING, cut, date_of, is_age, is_time, person_name
from node.dicom.result import codes
from node.dicom.result.lines import serial_number
from node.dicom.sources.source import Source
from node.domain.errors import Permanent
from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.domain.report import ModelIdentity, ReportContent, ReportIdentity
from node.domain.words import words_in

_SINCE = 1_577_836_800  # seconds from 1970 to 2020: an Instance Number ends at 2**31


def add_patient_and_study(dataset: Dataset, source: Source) -> None:
    """Add all that is copied as it is, and after it what the node itself has read of patient and study.

    Raises
    ------
    Permanent
        The source's Patient ID is one that no valid object can hold.
    """
    dataset.update(deepcopy(source.modules))
    _add_patient(dataset, source)
    _add_study(dataset, source)


def add_equipment(dataset: Dataset, model: ModelIdentity) -> None:
    """Add the General Equipment module: the program that has written the object."""
    dataset.Manufacturer = cut(model.manufacturer, LONG_STRING)
    dataset.ManufacturerModelName = "pacs-node"
    # required of a report by PS3.3 C.7.5.2, and a program has none: what stands for every copy of this one is given
    dataset.DeviceSerialNumber = IMPLEMENTATION_CLASS_UID
    dataset.SoftwareVersions = IMPLEMENTATION_VERSION_NAME


def add_instance(dataset: Dataset, content: ReportContent, identity: ReportIdentity, source: Source) -> None:
    """Add which instance it is, when it was made, in the source's zone, and whether it is about synthetic images.

    Raises
    ------
    Permanent
        The time has no zone.
    """
    created_at = in_zone(content.created_at, source.timezone_offset)
    dataset.SOPClassUID = identity.sop_class_uid
    dataset.SOPInstanceUID = identity.sop_instance_uid
    dataset.InstanceCreationDate = dataset.ContentDate = created_at.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.ContentTime = created_at.strftime("%H%M%S")
    dataset.TimezoneOffsetFromUTC = created_at.strftime("%z")[:5]
    if content.synthetic:
        dataset.SyntheticData = "YES"


def number_at(created_at: datetime, of: int = 1) -> int:
    """Return an Instance Number: later objects of a series get higher ones, without anyone counting.

    Parameters
    ----------
    created_at
        When the object was made; one of the same second has the same number.
    of
        So many numbers are left to the objects of one second. Where it is 4, they begin anew after 17 years.
    """
    return max(1, int(created_at.timestamp() - _SINCE) % (2**31 // of - 1) * of)


def contributing_equipment(content: ReportContent, dataset: Dataset) -> Dataset:
    """Return the model as equipment, with the values that TID 4019 and TID 1004 give in the content tree."""
    model = content.model
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [codes.PROCESSING_EQUIPMENT]
    equipment.Manufacturer = model.manufacturer
    equipment.ManufacturerModelName = model.name
    if serial_number(model):
        equipment.DeviceSerialNumber = serial_number(model)
    equipment.SoftwareVersions = model.version
    equipment.DeviceUID = model.device_uid
    equipment.ContributionDateTime = dataset.ContentDate + dataset.ContentTime + dataset.TimezoneOffsetFromUTC
    equipment.ContributionDescription = words_in(content.language).line("contribution")
    return equipment


def _add_patient(dataset: Dataset, source: Source) -> None:
    header = source.header
    if len(header.patient_id) > LONG_STRING or "\\" in header.patient_id:
        # cut or changed it would be another patient's
        raise Permanent("the source's Patient ID is longer than 64 characters or has a backslash in it")
    dataset.PatientName = person_name(header.patient_name)
    dataset.PatientID = header.patient_id
    if header.issuer_of_patient_id:
        dataset.IssuerOfPatientID = cut(header.issuer_of_patient_id, LONG_STRING)
    dataset.PatientBirthDate = date_of(header.patient_birth_date)
    dataset.PatientSex = header.patient_sex if header.patient_sex in {"M", "F", "O"} else ""
    if is_age(header.patient_age):
        dataset.PatientAge = header.patient_age


def _add_study(dataset: Dataset, source: Source) -> None:
    header = source.header
    dataset.StudyInstanceUID = header.study_instance_uid
    dataset.StudyDate = date_of(header.study_date)
    dataset.StudyTime = header.study_time if is_time(header.study_time) else ""
    dataset.ReferringPhysicianName = person_name(source.referring_physician_name)
    dataset.StudyID = cut(source.study_id, SHORT_STRING)
    # a cut accession number would be another order's
    fits = len(header.accession_number) <= SHORT_STRING and "\\" not in header.accession_number
    dataset.AccessionNumber = header.accession_number if fits else ""
    if header.study_description:
        dataset.StudyDescription = cut(header.study_description, LONG_STRING)


def in_zone(created_at: datetime, offset: str) -> datetime:
    """Return a time in the source's zone: one offset stands for every time of a dataset (PS3.3 C.12.1.1.8).

    A source that names none has local times, so the zone in which the time was handed in is kept.
    """
    if created_at.tzinfo is None:
        raise Permanent("the time of the report has no zone")
    if not offset:
        return created_at
    zone = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
    return created_at.astimezone(timezone(-zone if offset[0] == "-" else zone))
