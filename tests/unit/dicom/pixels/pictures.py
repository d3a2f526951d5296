"""Small images to be spoilt, and files of them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmwrite

CLASS = "1.2.840.10008.5.1.4.1.1.7"

Write = Callable[[Dataset], Path]


def grey(**changed: Any) -> Dataset:
    """Return an image of two rows and three columns, 8 bits, with these elements set besides."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CLASS, "1.2.3"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = 2, 3
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = bytes([0, 1, 2, 3, 4, 250])
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset) -> bytes:
    """Return a dataset in Explicit VR Little Endian."""
    stream = io.BytesIO()
    dcmwrite(stream, dataset, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def table(descriptor: list[int], data: Any, vr: str = "US") -> Dataset:
    """Return an item of a LUT sequence."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if descriptor[1] < 0 else "US", descriptor)
    item.add_new("LUTData", vr, data)
    return item
