"""A made-up CT series, always the same: 512 x 512, 16 bits, half a megabyte an instance."""

import io

import numpy as np
from _upper_layer import Instance
from pydicom import Dataset
from pydicom.filewriter import dcmwrite

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_ROOT = "2.25.271828182845904523"
_SIDE = 512


def ct_series(count: int) -> list[Instance]:
    """Return `count` instances of one series, the same at every call."""
    pixels = _pixels()
    return [_instance(number, np.roll(pixels, number, axis=1)) for number in range(1, count + 1)]


def _pixels() -> np.ndarray:
    """Return a disc with noise, in stored values: int16, (512, 512)."""
    rows, columns = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    noise = np.random.default_rng(20261121).normal(0, 20, (_SIDE, _SIDE))
    return (np.where(rows**2 + columns**2 < 0.7, 40, -1000) + noise).astype("<i2")


def _instance(number: int, pixels: np.ndarray) -> Instance:
    dataset = _header(f"{_ROOT}.3.{number}", number)
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes()
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, implicit_vr=False, little_endian=True, enforce_file_format=False)
    return Instance(dataset.SOPClassUID, dataset.SOPInstanceUID, encoded.getvalue())


def _header(uid: str, number: int) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE_STORAGE, uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{_ROOT}.1", f"{_ROOT}.2"
    dataset.StudyDate, dataset.StudyTime, dataset.Modality = "20260101", "120000", "CT"
    dataset.PatientName, dataset.PatientID, dataset.StudyID = "Bench^Receive", "BENCH", "1"
    dataset.ImageType, dataset.InstanceNumber, dataset.BodyPartExamined = (
        ["ORIGINAL", "PRIMARY", "AXIAL"],
        number,
        "CHEST",
    )
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness, dataset.FrameOfReferenceUID = [0.7, 0.7], 1, f"{_ROOT}.4"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "HU"
    return dataset
