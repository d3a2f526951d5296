"""What is sent: three made-up workloads, always the same but for their UIDs, which each run has of its own.

A receiver thus never sees an instance twice, and can go on from one run to the next as it does in service.
"""

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from bench.sending.made_up_header import header
from tests.support.objects.part10 import dataset_bytes

_ROOT = "2.25.271828182845904523"
_FIRST_RUN, _FIRST_INSTANCE = 100_000, 10_001  # their digits never change in number, so that UIDs keep their length
_HEAD_BYTES = 32_768  # all UIDs stand before the pixels
_MEGABYTE = 1_000_000

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
CR = "1.2.840.10008.5.1.4.1.1.1"

_CT_VALUES: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "Modality": "CT",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL",
    "SliceThickness": "1",
    "KVP": "120",
    "DataCollectionDiameter": "500",
    "ReconstructionDiameter": "360",
    "DistanceSourceToDetector": "1085",
    "DistanceSourceToPatient": "595",
    "GantryDetectorTilt": "0",
    "TableHeight": "150",
    "RotationDirection": "CW",
    "ExposureTime": "500",
    "XRayTubeCurrent": "200",
    "Exposure": "100",
    "FilterType": "BODY",
    "GeneratorPower": "60",
    "FocalSpots": ["1.2"],
    "ConvolutionKernel": ["B30f"],
    "PatientPosition": "HFS",
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "PixelSpacing": ["0.7", "0.7"],
    "PositionReferenceIndicator": "SN",
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
    "WindowCenter": "40",
    "WindowWidth": "400",
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "RescaleType": "HU",
}
_CR_VALUES: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "Modality": "CR",
    "BodyPartExamined": "HAND",  # no rule of the starter reads hands: this is about receiving
    "KVP": "60",
    "PlateID": "PLATE1",
    "ViewPosition": "PA",
    "Sensitivity": "400",
    "ImagerPixelSpacing": ["0.1", "0.1"],
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "WindowCenter": "2048",
    "WindowWidth": "4096",
}
_MR_VALUES: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "Modality": "MR",
    "BodyPartExamined": "KNEE",
    "ScanningSequence": "SE",
    "SequenceVariant": "SK",
    "MRAcquisitionType": "2D",
    "RepetitionTime": "500",
    "EchoTime": "15",
    "NumberOfAverages": "1",
    "ImagingFrequency": "63.8",
    "MagneticFieldStrength": "1.5",
    "FlipAngle": "90",
    "PatientPosition": "FFS",
    "PixelSpacing": ["1.4", "1.4"],
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
}


@dataclass(frozen=True, slots=True)
class Workload:
    """So many instances of a kind, as files of DICOM PS3.10 in Explicit VR Little Endian."""

    name: str
    sop_class_uid: str
    templates: Sequence[bytes]  #: whole files, with the UIDs of the first run

    @property
    def megabytes(self) -> float:
        """All datasets together, in millions of bytes."""
        return sum(map(len, self.templates)) / _MEGABYTE

    def files(self, run: int) -> Iterator[tuple[str, bytes]]:
        """Yield SOP Instance UID and file of each instance, under UIDs that only this run has."""
        old, new = (f"{_ROOT}.{_FIRST_RUN + number}.".encode() for number in (0, run))
        for index, template in enumerate(self.templates):
            yield _instance_uid(run, index), template[:_HEAD_BYTES].replace(old, new) + template[_HEAD_BYTES:]

    def datasets(self, run: int) -> Iterator[tuple[str, bytes]]:
        """Yield SOP Instance UID and encoded dataset of each instance."""
        for uid, whole in self.files(run):
            yield uid, dataset_bytes(whole)

    def write(self, run: int, folder: Path, shares: int, first: int | None = None) -> list[Path]:
        """Write a run's files, dealt out to so many new folders, and return the folders."""
        folders = [folder / str(share) for share in range(shares)]
        for it in folders:
            it.mkdir(parents=True)
        for index, (_, whole) in enumerate(itertools.islice(self.files(run), first)):
            (folders[index % shares] / f"{index:05d}.dcm").write_bytes(whole)
        return folders


def ct(count: int = 500) -> Workload:
    """Return CT instances of one series: 512 x 512, half a megabyte each."""
    pixels = _noisy(512, 512, -1000, 40)
    return _workload("ct", CT, count, count, lambda number: (np.roll(pixels, number, axis=1), _slice(number)))


def cr(count: int = 20) -> Workload:
    """Return CR instances of 8 to 18 megabytes, a study each."""
    pixels = _noisy(4500, 2000, 200, 3000)
    rows = [round(2000 + 2500 * number / max(count - 1, 1)) for number in range(count)]
    return _workload("cr", CR, count, 1, lambda number: (pixels[: rows[number]], _CR_VALUES))


def largest_cr(count: int) -> Workload:
    """Return CR instances of 18 megabytes each."""
    pixels = _noisy(4500, 2000, 200, 3000)
    return _workload("cr-18", CR, count, 1, lambda _: (pixels, _CR_VALUES))


def small(count: int = 2000) -> Workload:
    """Return MR instances of 28 kilobytes each, in studies of 200."""
    pixels = _noisy(112, 112, 100, 1000)
    return _workload("small", MR, count, 200, lambda number: (np.roll(pixels, number, axis=1), _MR_VALUES))


WORKLOADS: dict[str, Callable[[int], Workload]] = {"ct": ct, "cr": cr, "small": small}
COUNTS = {"ct": 500, "cr": 20, "small": 2000}


def _slice(number: int) -> dict[str, Any]:
    place = {"ImagePositionPatient": ["0", "0", str(number)], "SliceLocation": str(number), "InstanceNumber": number}
    return _CT_VALUES | place


def _workload(
    name: str, sop_class_uid: str, count: int, per_study: int, image: Callable[[int], tuple[np.ndarray, dict[str, Any]]]
) -> Workload:
    return Workload(
        name, sop_class_uid, [_file(sop_class_uid, index, index // per_study, *image(index)) for index in range(count)]
    )


def _file(sop_class_uid: str, index: int, study: int, pixels: np.ndarray, values: dict[str, Any]) -> bytes:
    of_run = f"{_ROOT}.{_FIRST_RUN}"
    uids = (f"{of_run}.1.{study}", f"{of_run}.2.{study}", _instance_uid(0, index))
    dataset = header(uids, sop_class_uid, {"FrameOfReferenceUID": f"{of_run}.4.{study}", **values})
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, enforce_file_format=True)
    return encoded.getvalue()


def _instance_uid(run: int, index: int) -> str:
    return f"{_ROOT}.{_FIRST_RUN + run}.3.{_FIRST_INSTANCE + index}"


def _noisy(rows: int, columns: int, low: int, high: int) -> np.ndarray:
    """Return a disc with noise, in stored values: int16, (rows, columns)."""
    down, across = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    noise = np.random.default_rng(20261121).normal(0, 20, (rows, columns))
    return (np.where(down**2 + across**2 < 0.7, high, low) + noise).astype("<i2")
