"""Grey pixels made into a chest radiograph as a scanner would send it, for the demo, the tests and the benchmarks.

The result is a whole DICOM file of the class Digital X-Ray Image Storage - For Presentation.

References
----------
DICOM PS3.3 A.26 and C.8.11 (DX modules)
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmwrite
from pydicom.uid import DigitalXRayImageStorageForPresentation

from node.dicom.encoding.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from node.dicom.instance.part10 import preamble_and_meta

_VIEWS = {"AP": ("399348003", "antero-posterior"), "PA": ("272479007", "postero-anterior")}  # PS3.16 CID 4010


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose image it is, and what its header says of the exposure."""

    patient_id: str
    patient_name: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    accession_number: str = ""
    patient_age: str = ""  #: age string, such as 003Y
    patient_sex: str = "O"
    patient_birth_date: str = ""
    body_part: str = "CHEST"  #: left out where it is empty
    view_position: str = "AP"
    study_date: str = "20260102"
    study_time: str = "093000"
    study_description: str = "Chest radiograph"
    study_id: str = "1"
    instance_number: int = 1
    character_set: str = ""  #: Specific Character Set; "" takes ISO_IR 192 where the text is not ASCII


def wrap_as_dx(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    subject: Subject,
    *,
    window: tuple[float, float] | None = None,
    inverted: bool = False,
) -> bytes:
    """Return a whole DICOM file that holds these pixels.

    Parameters
    ----------
    pixels
        Shape (rows, columns), uint8 or uint16; stored as they are, uncompressed.
    subject
        Patient, study and the UIDs.
    window
        Center and width of the VOI window; the whole range of the stored bits where there is none.
    inverted
        Whether low values are to be shown bright (MONOCHROME1).

    Raises
    ------
    ValueError
        The pixels have another shape or type.
    """
    return as_file(dx_dataset(pixels, subject, window=window, inverted=inverted))


def dx_dataset(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    subject: Subject,
    *,
    window: tuple[float, float] | None = None,
    inverted: bool = False,
) -> Dataset:
    """Return the dataset that `wrap_as_dx` makes a file of; the parameters are the same.

    Raises
    ------
    ValueError
        The pixels have another shape or type.
    """
    if pixels.ndim != 2 or not pixels.size or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"pixels are {pixels.dtype} of shape {pixels.shape}, not uint8 or uint16 (rows, columns)")
    dataset = Dataset()
    _add_patient_and_study(dataset, subject)
    _add_series(dataset, subject)
    _add_exposure(dataset, subject)
    _add_pixels(dataset, pixels, inverted=inverted)
    _add_grey_scale(dataset, window, inverted=inverted)
    return dataset


def as_file(dataset: Dataset) -> bytes:
    """Return a dataset as a whole DICOM file, Explicit VR Little Endian."""
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, implicit_vr=False, little_endian=True)
    meta = preamble_and_meta(dataset.SOPClassUID, dataset.SOPInstanceUID, EXPLICIT_VR_LITTLE_ENDIAN)
    return meta + encoded.getvalue()


def _add_patient_and_study(dataset: Dataset, subject: Subject) -> None:
    text = subject.patient_name + subject.patient_id + subject.accession_number + subject.study_description
    character_set = subject.character_set or ("" if text.isascii() else "ISO_IR 192")
    if character_set:
        dataset.SpecificCharacterSet = character_set
    dataset.PatientName = subject.patient_name
    dataset.PatientID = subject.patient_id
    dataset.PatientBirthDate = subject.patient_birth_date
    dataset.PatientSex = subject.patient_sex
    if subject.patient_age:
        dataset.PatientAge = subject.patient_age
    dataset.StudyInstanceUID = subject.study_instance_uid
    dataset.StudyDate = subject.study_date
    dataset.StudyTime = subject.study_time
    dataset.StudyID = subject.study_id
    dataset.StudyDescription = subject.study_description
    dataset.AccessionNumber = subject.accession_number
    dataset.ReferringPhysicianName = ""


def _add_series(dataset: Dataset, subject: Subject) -> None:
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = subject.sop_instance_uid
    dataset.SeriesInstanceUID = subject.series_instance_uid
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = subject.instance_number
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.Manufacturer = "pacs-node"
    dataset.ManufacturerModelName = "wrapped image"
    dataset.AcquisitionDate = dataset.ContentDate = subject.study_date
    dataset.AcquisitionTime = dataset.ContentTime = subject.study_time
    dataset.AcquisitionContextSequence = []


def _add_exposure(dataset: Dataset, subject: Subject) -> None:
    """Add what the DX anatomy, positioning and detector modules ask for (PS3.3 C.8.11.2, C.8.11.4, C.8.11.5)."""
    if subject.body_part:
        dataset.BodyPartExamined = subject.body_part
    dataset.AnatomicRegionSequence = [_coded("43799004", "Chest")] if subject.body_part == "CHEST" else []
    dataset.ImageLaterality = "U"
    dataset.PatientOrientation = ["L", "F"]
    dataset.ViewPosition = subject.view_position
    dataset.ViewCodeSequence = [_coded(*_VIEWS[subject.view_position])] if subject.view_position in _VIEWS else []
    dataset.DetectorType = "DIRECT"
    dataset.ImagerPixelSpacing = [0.2, 0.2]
    dataset.PositionerType = "NONE"


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _add_pixels(dataset: Dataset, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], *, inverted: bool) -> None:
    bits_stored = max(8, int(pixels.max()).bit_length())
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored = bits_stored
    dataset.HighBit = bits_stored - 1
    dataset.PixelRepresentation = 0
    little_endian = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
    dataset.add_new(
        "PixelData", "OB" if pixels.dtype == np.uint8 else "OW", little_endian + b"\0" * (pixels.nbytes % 2)
    )


def _add_grey_scale(dataset: Dataset, window: tuple[float, float] | None, *, inverted: bool) -> None:
    """Add the DX Image module's way from stored values to grey (PS3.3 C.8.11.3)."""
    whole = float(1 << dataset.BitsStored)
    dataset.WindowCenter, dataset.WindowWidth = window or (whole / 2, whole)
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if inverted else -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
