"""Two hospitals for the scenario of the label loop: public chest radiographs as the studies of two institutions.

Each image is a study of its own, of the patient that the data sets name; an institution has its own maker, sender and
ages. It knows data folders and DICOM objects, and nothing of the node.
"""

import csv
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.sending.upper_layer import Instance
from models.data.dataset import open_data
from models.data.labelled import LabelledImages
from node.dicom.instance.part10 import part10_of
from node.dicom.samples.wrap import Subject, as_file, dx_dataset
from node.domain.identifiers import derived_uid

DX = "1.2.840.10008.5.1.4.1.1.1.1"
HELD_OUT_SHARE = 0.4
"""Of the first hospital's patients: their images are the held-out ones, and the locked set of what the model knew."""


@dataclass(frozen=True, slots=True)
class Hospital:
    """Where studies come from."""

    data: str  #: folder of the data set
    split: str
    institution: str
    manufacturer: str
    sender: str  #: calling AE title
    age: str


FIRST = Hospital("chest_kermany", "val", "First Hospital", "First Maker", "FIRSTDX", "003Y")
SECOND = Hospital("chest_nih_adult", "adapt", "Second Hospital", "Second Maker", "SECONDDX", "047Y")


@dataclass(frozen=True, slots=True)
class Study:
    """A study of one image."""

    hospital: Hospital
    name: str  #: as messages of `models.data` name it: its line in the manifest, and the file
    patient: str
    label: int
    pixels: NDArray[np.uint8]

    @property
    def uid(self) -> str:
        """The Study Instance UID; that of the series and the image begin with it."""
        return derived_uid("second hospital", self.hospital.data, self.name)

    @property
    def file(self) -> str:
        """Its name in the zip of its split."""
        return self.name.partition("(")[2].removesuffix(")")

    @property
    def image_uid(self) -> str:
        """The SOP Instance UID of its image."""
        return f"{self.uid}.1.1"

    def instance(self) -> Instance:
        """Return the image as it is sent."""
        subject = Subject(
            self.patient, f"{self.patient}^Scenario", self.uid, f"{self.uid}.1", self.image_uid,
            patient_age=self.hospital.age,
        )  # fmt: skip
        dataset = dx_dataset(self.pixels, subject)
        dataset.InstitutionName, dataset.Manufacturer = self.hospital.institution, self.hospital.manufacturer
        return Instance(DX, self.image_uid, part10_of(as_file(dataset)).dataset)


def studies(data: Path, hospital: Hospital, seed: int) -> list[Study]:
    """Return all studies of a hospital, patient by patient in an order that follows from the seed."""
    images = open_data(data / hospital.data).images(hospital.split)
    order = np.random.default_rng(seed).permutation(sorted(set(images.groups)))
    place = {group: number for number, group in enumerate(order.tolist())}
    chosen = sorted(range(len(images)), key=lambda number: (place[images.groups[number]], images.names[number]))
    return [_study(hospital, images, number) for number in chosen]


def parted(all_of_them: Sequence[Study], share: float) -> tuple[list[Study], list[Study]]:
    """Return the studies of the first patients, and those of the last ones, who are this share."""
    patients = list(dict.fromkeys(study.patient for study in all_of_them))
    last = set(patients[round(len(patients) * (1.0 - share)) :])
    return [one for one in all_of_them if one.patient not in last], [one for one in all_of_them if one.patient in last]


def data_folder(source: Path, split: str, some: Sequence[Study], folder: Path) -> Path:
    """Write some images of a data set as a data folder of its own, bytes as they were, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {study.file for study in some}
    with zipfile.ZipFile(source / f"{split}.zip") as old, zipfile.ZipFile(folder / f"{split}.zip", "w") as new:
        for name in sorted(names):
            new.writestr(name, old.read(name))
    with (source / "manifest.csv").open(newline="", encoding="utf-8") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["file"] in names]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as manifest:
        table = csv.DictWriter(manifest, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


def batches(some: Sequence[Study], size: int) -> Iterator[Sequence[Study]]:
    """Yield the studies, some at a time, in their order."""
    for first in range(0, len(some), size):
        yield some[first : first + size]


def _study(hospital: Hospital, images: LabelledImages, number: int) -> Study:
    pixels = np.asarray(images.pixels[number], np.uint8)
    return Study(hospital, images.names[number], images.groups[number], int(images.labels[number]), pixels)
