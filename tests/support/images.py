"""Images to send: public chest radiographs wrapped as DX, pydicom's own samples, and a made-up CT series."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_voi_lut

from node.dicom.wrap import Subject, wrap_as_dx
from node.domain.identifiers import derived_uid
from tests.support.nodes import CHECKOUT

CHEST = CHECKOUT.parent / "shared" / "data" / "chest_kermany"
PYDICOM_SAMPLES = ("CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "693_J2KR.dcm", "JPEG-LL.dcm")


@dataclass(frozen=True, slots=True)
class Radiograph:
    """An image that is not DICOM: its name, its grey values and, where it is known, its class."""

    name: str
    pixels: np.ndarray  #: uint8 or uint16, (rows, columns)
    subtype: str = ""


def chest_radiographs(count: int, start: int = 0) -> list[Radiograph]:
    """Return `count` images of the public test split, normal and pneumonia by turns, always the same ones."""
    with (CHEST / "manifest.csv").open(newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["split"] == "test"]
    normal = [row for row in rows if row["label"] == "0"]
    pneumonia = [row for row in rows if row["label"] == "1"]
    chosen = [row for pair in zip(normal, pneumonia, strict=False) for row in pair][start : start + count]
    with zipfile.ZipFile(CHEST / "test.zip") as archive:
        return [Radiograph(row["file"], _grey(archive.read(row["file"])), row["subtype"]) for row in chosen]


def other_images(names: tuple[str, ...] = PYDICOM_SAMPLES) -> Iterator[Radiograph]:
    """Yield samples of the installed pydicom package as plain grey images: not one of them is a chest radiograph."""
    for name in names:
        dataset = dcmread(str(get_testdata_file(name)))
        values = np.asarray(apply_voi_lut(dataset.pixel_array, dataset), dtype=np.float64)
        span = max(float(values.max() - values.min()), 1.0)
        yield Radiograph(name, ((values - values.min()) / span * 255).astype(np.uint8))


def write_as_dx(images: list[Radiograph], folder: Path, views: int = 1) -> list[Path]:
    """Write each image as a study of its own, with `views` instances, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_view(image, view, folder) for image in images for view in range(views)]


def _write_view(image: Radiograph, view: int, folder: Path) -> Path:
    subject = Subject(
        patient_id=f"PEER-{derived_uid('patient', image.name)[-8:]}",
        patient_name=f"Peer^{image.subtype or 'Sample'}",
        study_instance_uid=derived_uid("study", image.name),
        series_instance_uid=derived_uid("series", image.name),
        sop_instance_uid=derived_uid("instance", image.name, str(view)),
    )
    path = folder / f"{Path(image.name).stem}-{view}.dcm"
    path.write_bytes(wrap_as_dx(np.roll(image.pixels, view, axis=1), subject))
    return path


def _grey(encoded: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("L"))
