"""The header of a made-up image: as many elements, sequences and private values as scanners write, of nobody.

The receiver has to walk over it, so a header of thirty elements would flatter the receiver.
"""

from collections.abc import Mapping
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID

_SCT, _DCM, _LOCAL = "SCT", "DCM", "99BENCH"

_GENERAL: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "InstanceCreationDate": "20260101",
    "InstanceCreationTime": "120000.000000",
    "StudyDate": "20260101",
    "SeriesDate": "20260101",
    "AcquisitionDate": "20260101",
    "ContentDate": "20260101",
    "StudyTime": "115900.000000",
    "SeriesTime": "115930.000000",
    "AcquisitionTime": "115945.000000",
    "ContentTime": "120000.000000",
    "AccessionNumber": "A0001",
    "Manufacturer": "Nobody",
    "InstitutionName": "Benchmark",
    "InstitutionAddress": "1 Loopback Road",
    "ReferringPhysicianName": "Nobody^Refers",
    "StationName": "STATION01",
    "StudyDescription": "Made up to be sent",
    "SeriesDescription": "Made up to be received",
    "InstitutionalDepartmentName": "Bench",
    "PhysiciansOfRecord": "Nobody^Records",
    "PerformingPhysicianName": "Nobody^Performs",
    "OperatorsName": "Nobody^Operates",
    "ManufacturerModelName": "Model T",
    "PatientName": "Bench^Receive",
    "PatientID": "BENCH",
    "IssuerOfPatientID": "Bench",
    "PatientBirthDate": "19700101",
    "PatientSex": "O",
    "PatientAge": "056Y",
    "PatientSize": "1.75",
    "PatientWeight": "75",
    "EthnicGroup": "none",
    "AdditionalPatientHistory": "Made up.",
    "DeviceSerialNumber": "0001",
    "SoftwareVersions": ["1.0", "bench"],
    "ProtocolName": "Made up",
    "DateOfLastCalibration": "20260101",
    "TimeOfLastCalibration": "060000.000000",
    "StudyID": "1",
    "SeriesNumber": "2",
    "AcquisitionNumber": "1",
    "ImageComments": "Made up, of nobody",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "RequestingPhysician": "Nobody^Requests",
    "RequestingService": "Bench",
    "RequestedProcedureDescription": "Made up",
    "PerformedStationAETitle": "BENCH",
    "PerformedProcedureStepStartDate": "20260101",
    "PerformedProcedureStepStartTime": "115900.000000",
    "PerformedProcedureStepID": "P0001",
    "PerformedProcedureStepDescription": "Made up",
    "CommentsOnThePerformedProcedureStep": "none",
    "LossyImageCompression": "00",
    "BurnedInAnnotation": "NO",
}


def header(uids: tuple[str, str, str], sop_class_uid: str, values: Mapping[str, Any]) -> Dataset:
    """Return a dataset without pixels.

    Parameters
    ----------
    uids
        Of study, series and instance.
    values
        What the kind of image adds to or changes of the common values, by keyword.
    """
    dataset = Dataset()
    for keyword, value in (_GENERAL | dict(values)).items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID = sop_class_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = map(UID, uids)
    _add_sequences(dataset, uids[0])
    _add_private(dataset)
    return dataset


def _add_sequences(dataset: Dataset, study_uid: str) -> None:
    dataset.ProcedureCodeSequence = [_code("P1", _LOCAL, "Made up")]
    dataset.AnatomicRegionSequence = [_code("43799004", _SCT, "Thoracic cavity structure")]
    dataset.ReferencedStudySequence = [_reference("1.2.840.10008.3.1.2.3.1", f"{study_uid}.8")]
    pairs = [("1.2.840.10008.5.1.4.1.1.2", f"{study_uid}.9.{number}") for number in range(3)]
    dataset.ReferencedImageSequence = [_reference(*pair) for pair in pairs]
    dataset.RequestAttributesSequence = [_request()]
    derivation = Dataset()
    derivation.ReferencedSOPClassUID, derivation.ReferencedSOPInstanceUID = pairs[0]
    derivation.PurposeOfReferenceCodeSequence = [_code("121322", _DCM, "Source image for image processing operation")]
    dataset.SourceImageSequence = [derivation]


def _request() -> Dataset:
    item = Dataset()
    item.RequestedProcedureDescription, item.RequestedProcedureID = "Made up", "R0001"
    item.ScheduledProcedureStepDescription, item.ScheduledProcedureStepID = "Made up", "S0001"
    item.ScheduledProtocolCodeSequence = [_code("P1", _LOCAL, "Made up")]
    return item


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _add_private(dataset: Dataset) -> None:
    block = dataset.private_block(0x0019, "BENCH 1.0", create=True)
    for number in range(12):
        block.add_new(number, "DS", f"{number}.5")
    block.add_new(0x20, "OB", bytes(range(256)))
    block.add_new(0x21, "UN", b"made up " * 16)
