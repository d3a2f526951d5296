"""Images for the pipeline's benchmark, under UIDs of their own: radiographs that the starter reads, and CT slices.

An image is encoded once and copied under new UIDs of the same length, so that making ten thousand costs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from bench.sending.upper_layer import Instance
from node.dicom.instance.part10 import part10_of
from node.dicom.samples.wrap import Subject, as_file, dx_dataset
from tests.support.objects.images import CHEST, chest_radiographs

CT, DX = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1.1"
_ROOT = "2.25.161803398874989484"
_PLACE = 1_000_000_000  # UIDs keep their length
_SUBJECT = Subject("BENCH", "Bench^Pipeline", f"{_ROOT}.{_PLACE}.1", f"{_ROOT}.{_PLACE}.2", f"{_ROOT}.{_PLACE}.3")


@dataclass(slots=True)
class Source:
    """Gives images that no run has seen before.

    Parameters
    ----------
    first
        The first number in use, so that two runs on one node never meet.
    """

    first: int = 0

    def studies(self, template: bytes, sop_class_uid: str, count: int) -> Iterator[tuple[str, Instance]]:
        """Yield the Study Instance UID and the instance of so many studies of one image."""
        for _ in range(count):
            self.first += 1
            place = _PLACE + self.first
            dataset = template.replace(f"{_ROOT}.{_PLACE}.".encode(), f"{_ROOT}.{place}.".encode())
            yield f"{_ROOT}.{place}.1", Instance(sop_class_uid, f"{_ROOT}.{place}.3", dataset)

    def series(self, template: bytes, sop_class_uid: str, count: int) -> tuple[str, list[Instance]]:
        """Return the Study Instance UID and the instances of one study of so many images."""
        self.first += 1
        study = f"{_ROOT}.{_PLACE + self.first}"
        old = f"{_ROOT}.{_PLACE}".encode()
        images = []
        for number in range(count):
            uid = f"{study}.{3_000_000 + number}"
            dataset = template.replace(old + b".3000000", uid.encode()).replace(old + b".", f"{study}.".encode())
            images.append(Instance(sop_class_uid, uid, dataset))
        return f"{study}.1", images


def radiograph(side: int) -> bytes:
    """Return the dataset of a radiograph of `side` x `side` pixels of 16 bits that the starter admits.

    Raises
    ------
    RuntimeError
        Where the public test images are not beside the checkout.
    """
    if not CHEST.is_dir():
        raise RuntimeError(f"{CHEST} holds the chest radiographs that the starter reads, and is not there")
    (chest,) = chest_radiographs(1)
    return part10_of(as_file(dx_dataset(enlarged(chest.pixels, side), _SUBJECT))).dataset


def enlarged(pixels: NDArray[Any], side: int) -> NDArray[np.uint16]:
    """Return 8-bit pixels as 12-bit ones of another size."""
    resized = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(resized.astype(np.uint16) * 16, np.uint16)


def ct_slice(side: int = 512) -> bytes:
    """Return the dataset of a CT slice, as raw as scanners send them."""
    noise = np.random.default_rng(1).integers(0, 2000, (side, side), dtype=np.uint16)
    dataset: Dataset = dx_dataset(noise, replace(_SUBJECT, sop_instance_uid=f"{_ROOT}.{_PLACE}.3000000"))
    dataset.SOPClassUID, dataset.Modality = CT, "CT"
    del dataset.PresentationIntentType
    return part10_of(as_file(dataset)).dataset
