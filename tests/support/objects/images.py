"""Images to send: public chest radiographs and pydicom's own samples, wrapped as DX."""

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.identifiers import derived_uid
from tests.support.nodes.process import CHECKOUT

CHEST = CHECKOUT.parent / "shared" / "data" / "chest_kermany"
OTHER_IMAGES = ("CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "693_J2KI.dcm", "JPEG2000.dcm")


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that is not DICOM yet."""

    name: str
    pixels: npt.NDArray[np.uint8]  #: (rows, columns)
    kind: str  #: what is known of it, such as "normal" or "bacteria"


def sample_file(name: str) -> Path:
    """Return the path of a file that the installed pydicom package holds."""
    return Path(str(get_testdata_file(name, download=False)))


def chest_radiographs(count: int) -> list[Picture]:
    """Return images of the public test split, normal and pneumonia by turns; always the same ones."""
    with (CHEST / "manifest.csv").open(newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["split"] == "test"]
    by_label = [[row for row in rows if row["label"] == label] for label in "01"]
    chosen = [row for pair in zip(*by_label, strict=False) for row in pair][:count]
    with zipfile.ZipFile(CHEST / "test.zip") as archive:
        return [Picture(row["file"], _grey(archive.read(row["file"])), row["subtype"]) for row in chosen]


def other_images(names: tuple[str, ...] = OTHER_IMAGES) -> list[Picture]:
    """Return samples of the installed pydicom package as grey images: none of them is a chest radiograph."""
    return [Picture(name, _eight_bits(dcmread(sample_file(name)).pixel_array), "sample") for name in names]


def shifted(pictures: list[Picture], count: int) -> list[Picture]:
    """Return `count` different pictures made of a few, by moving them sideways a column at a time."""
    turns = [(pictures[index % len(pictures)], index // len(pictures)) for index in range(count)]
    return [Picture(f"{by}-{it.name}", np.roll(it.pixels, by, axis=1), it.kind) for it, by in turns]


def write_as_dx(pictures: list[Picture], folder: Path, views: int = 1) -> list[Path]:
    """Write each picture as a study of its own, with `views` instances, and return the files, study by study."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_view(picture, view, folder) for picture in pictures for view in range(views)]


def _write_view(picture: Picture, view: int, folder: Path) -> Path:
    subject = Subject(
        patient_id=f"PEER-{derived_uid('patient', picture.name)[-8:]}",
        patient_name=f"Peer^{picture.kind.title()}",
        study_instance_uid=derived_uid("study", picture.name),
        series_instance_uid=derived_uid("series", picture.name),
        sop_instance_uid=derived_uid("instance", picture.name, str(view)),
        patient_age="003Y",
    )
    path = folder / f"{Path(picture.name).stem}-{view}.dcm"
    path.write_bytes(wrap_as_dx(np.roll(picture.pixels, view, axis=0), subject))
    return path


def _grey(encoded: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("L"))


def _eight_bits(stored: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    values = stored.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255 / max(high - low, 1))).astype(np.uint8)
