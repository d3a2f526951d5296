"""The studies that the demo sends.

Public test radiographs wrapped as DX where the data sets lie beside the checkout; always images of the installed
pydicom package: some as they are, which no model reads, and some wrapped as if they were chest radiographs, which
must come back as "not assessed".
"""

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from node.dicom.header import inspect
from node.dicom.part10 import part10_of
from node.dicom.pixels import read_pixels
from node.dicom.testfiles import test_file
from node.dicom.wrap import Subject, wrap_as_dx
from node.domain.identifiers import derived_uid

PUBLIC_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "chest_kermany"
_PER_CLASS = 3
_AS_THEY_ARE = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm")
_WRAPPED = ("693_J2KI.dcm", "examples_overlay.dcm", "image_dfl.dcm", "MR_small.dcm")


@dataclass(frozen=True, slots=True)
class Sample:
    """One study of one image; `expected` is None where no report may come."""

    title: str
    study_instance_uid: str
    part10: bytes
    expected: tuple[str, ...] | None  #: outcomes that are right


def samples(public_data: Path = PUBLIC_DATA) -> list[Sample]:
    """Return the demo's studies, the same at every call."""
    chests = _public_radiographs(public_data) if (public_data / "test.zip").is_file() else []
    return chests + [_wrapped(name) for name in _WRAPPED] + [_as_it_is(name) for name in _AS_THEY_ARE]


def _public_radiographs(folder: Path) -> list[Sample]:
    with (folder / "manifest.csv").open(encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["split"] == "test"]
    chosen = [row for label in ("0", "1") for row in [r for r in rows if r["label"] == label][:_PER_CLASS]]
    with zipfile.ZipFile(folder / "test.zip") as archive:
        return [_radiograph(row["file"], archive.read(row["file"]), row["subtype"]) for row in chosen]


def _radiograph(name: str, jpeg: bytes, subtype: str) -> Sample:
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))
    # the outcome of a single image is the model's to say; that it is an assessment is what the demo expects
    return _dx(f"chest labelled {subtype}", name, pixels, ("positive", "negative"))


def _wrapped(name: str) -> Sample:
    values = read_pixels(test_file(name)).values[0]
    return _dx(f"{name} posing as a chest", name, _as_unsigned(values), ("not_assessed",))


def _as_unsigned(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Scale any values to the 12 bits of a radiograph."""
    low, high = float(values.min()), float(values.max())
    return np.round((values - low) * (4095.0 / max(high - low, 1e-6))).astype(np.uint16)


def _dx(
    title: str, name: str, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], expected: tuple[str, ...]
) -> Sample:
    study = derived_uid("demo study", name)
    subject = Subject(
        patient_id=f"DEMO-{derived_uid('demo patient', name)[-8:]}",
        patient_name="Demo^Sample",
        study_instance_uid=study,
        series_instance_uid=derived_uid("demo series", name),
        sop_instance_uid=derived_uid("demo instance", name),
        patient_age="003Y",
    )
    return Sample(title, study, wrap_as_dx(pixels, subject), expected)


def _as_it_is(name: str) -> Sample:
    data = test_file(name).read_bytes()
    part10 = part10_of(data)
    header = inspect(part10.dataset, part10.transfer_syntax_uid)
    return Sample(f"{name} as it is", header.study_instance_uid, data, None)
