"""Key Object Selections as other programs write them, made element by element with pydicom alone."""

import io
from collections.abc import Sequence

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from node.domain.rejection import KEY_OBJECT_SELECTION

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def code(value: str, meaning: str = "a meaning", scheme: str = "DCM") -> Dataset:
    """Return a coded concept."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def key_objects(
    title: Dataset,
    named: Sequence[str],
    uid: str = "1.2.99.1",
    study: str = "1.2.3",
    *,
    in_evidence: bool = True,
    in_content: bool = True,
) -> Dataset:
    """Return a document that names these instances of one series."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = KEY_OBJECT_SELECTION, uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{uid}.0"
    dataset.PatientID, dataset.PatientName, dataset.Modality = "ID1", "Doe^Jane", "KO"
    dataset.ContentDate, dataset.ContentTime = "20260102", "120000"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = [title]
    if in_content:
        dataset.ContentSequence = [_image(one) for one in named]
    if in_evidence:
        dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(study, named)]
    return dataset


def file_of(dataset: Dataset) -> bytes:
    """Return a document as a DICOM file, Explicit VR Little Endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    written = io.BytesIO()
    dcmwrite(written, dataset, enforce_file_format=True)
    return written.getvalue()


def rejection_file(value: str, named: Sequence[str], uid: str = "1.2.99.1", study: str = "1.2.3") -> bytes:
    """Return a rejection note with this title as a file."""
    return file_of(key_objects(code(value), named, uid, study))


def _reference(sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = DX, sop_instance_uid
    return item


def _image(sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
    item.ReferencedSOPSequence = [_reference(sop_instance_uid)]
    return item


def _evidence(study: str, named: Sequence[str]) -> Dataset:
    series, item = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = f"{study}.1", [_reference(one) for one in named]
    item.StudyInstanceUID, item.ReferencedSeriesSequence = study, [series]
    return item
