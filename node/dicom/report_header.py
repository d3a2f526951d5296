"""All of a report's dataset but its content tree: whose it is, what made it, and what it was made from.

References
----------
DICOM PS3.3 A.35.13 (Comprehensive 3D SR IOD), C.17.1 to C.17.3, C.12.1
"""

from copy import deepcopy
from datetime import datetime, timedelta, timezone
from itertools import groupby

from pydicom import Dataset

from node.dicom import codes
from node.dicom.report_lines import serial_number
from node.dicom.source import Source
from node.dicom.values import LONG_STRING, SHORT_STRING, cut, date_of, is_age, is_time, person_name
from node.domain.errors import Permanent
from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.domain.report import ReportContent, ReportIdentity
from node.domain.words import words_in


def report_header(content: ReportContent, identity: ReportIdentity, sources: list[Source]) -> Dataset:
    """Return the dataset of a report without its content tree and its character set.

    Raises
    ------
    Permanent
        The sources' Patient ID is one that no valid object can hold.
    """
    first = sources[0]
    dataset = Dataset()
    _add_modules(dataset, first)
    _add_patient(dataset, first)
    _add_study(dataset, first)
    _add_series(dataset, content, identity)
    _add_document(dataset, content, identity, first)
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(sources)]
    dataset.ContributingEquipmentSequence = [_contributing_equipment(content, dataset)]
    # the same images read again by the same version give the same identity, and no document precedes itself
    others = [one for one in content.predecessors if one.sop_instance_uid != identity.sop_instance_uid]
    if others:
        dataset.PredecessorDocumentsSequence = [_predecessors(content, others)]
    return dataset


def _add_modules(dataset: Dataset, source: Source) -> None:
    """Add all that is copied as it is; what the node itself has read of patient and study comes after it."""
    dataset.update(deepcopy(source.modules))
    for request in dataset.get("ReferencedRequestSequence", ()):
        request.setdefault("StudyInstanceUID", source.header.study_instance_uid)


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


def _add_series(dataset: Dataset, content: ReportContent, identity: ReportIdentity) -> None:
    """Add series and equipment; all reports of one model on one study stand in one series, whatever the version."""
    model, profile = content.model, content.profile
    dataset.Modality = "SR"
    dataset.SeriesInstanceUID = identity.series_instance_uid
    dataset.SeriesNumber = profile.series_number
    dataset.SeriesDescription = cut(profile.description(model.name, words_in(content.language)), LONG_STRING)
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.Manufacturer = cut(model.manufacturer, LONG_STRING)
    dataset.ManufacturerModelName = "pacs-node"
    # required by PS3.3 C.7.5.2, and a program has none: what stands for every copy of this one is given
    dataset.DeviceSerialNumber = IMPLEMENTATION_CLASS_UID
    dataset.SoftwareVersions = IMPLEMENTATION_VERSION_NAME


def _add_document(dataset: Dataset, content: ReportContent, identity: ReportIdentity, source: Source) -> None:
    created_at = _in_zone(content.created_at, source.timezone_offset)
    dataset.SOPClassUID = identity.sop_class_uid
    dataset.SOPInstanceUID = identity.sop_instance_uid
    dataset.InstanceCreationDate = dataset.ContentDate = created_at.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.ContentTime = created_at.strftime("%H%M%S")
    dataset.TimezoneOffsetFromUTC = created_at.strftime("%z")[:5]
    # minutes since 1970: a later report of the series gets a higher number without anyone counting
    dataset.InstanceNumber = max(1, int(created_at.timestamp() // 60))
    if content.synthetic:
        dataset.SyntheticData = "YES"
    dataset.CompletionFlag = "PARTIAL" if content.unread else "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence = []


def _in_zone(created_at: datetime, offset: str) -> datetime:
    """Return the time in the source's zone: one offset stands for every time of a dataset (PS3.3 C.12.1.1.8).

    A source that names none has local times, so the zone in which the time was handed in is kept.
    """
    if created_at.tzinfo is None:
        raise Permanent("the time of the report has no zone")
    if not offset:
        return created_at
    zone = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
    return created_at.astimezone(timezone(-zone if offset[0] == "-" else zone))


def _evidence(sources: list[Source]) -> Dataset:
    """Return the sources by series, in their order (PS3.3 C.17.2.1)."""
    study = Dataset()
    study.StudyInstanceUID = sources[0].header.study_instance_uid
    by_series = sorted(sources, key=lambda source: source.header.series_instance_uid)
    study.ReferencedSeriesSequence = [
        _series_item(
            series_instance_uid, [_reference(it.header.sop_class_uid, it.header.sop_instance_uid) for it in of]
        )
        for series_instance_uid, of in groupby(by_series, key=lambda source: source.header.series_instance_uid)
    ]
    return study


def _series_item(series_instance_uid: str, references: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedSOPSequence = references
    return series


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class_uid
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    return reference


def _predecessors(content: ReportContent, predecessors: list[ReportIdentity]) -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = content.study_instance_uid
    study.ReferencedSeriesSequence = [
        _series_item(series, [_reference(one.sop_class_uid, one.sop_instance_uid) for one in of_series])
        for series, of_series in groupby(predecessors, key=lambda one: one.series_instance_uid)
    ]
    return study


def _contributing_equipment(content: ReportContent, report: Dataset) -> Dataset:
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
    equipment.ContributionDateTime = report.ContentDate + report.ContentTime + report.TimezoneOffsetFromUTC
    equipment.ContributionDescription = words_in(content.language).line("contribution")
    return equipment
