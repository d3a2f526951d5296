"""A sample of images from files: DICOM and ordinary pictures, as the plain values that the learned part takes.

It runs where it can do no harm, in a child process: decoders are fed with whatever lies in a folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from node.dicom.instance.part10 import NotPart10, part10_of
from node.dicom.pixels.modality_values import PixelsUnreadable, TooManyFrames, read_pixels
from node.domain.errors import Permanent

if TYPE_CHECKING:  # the learned part is imported late: a receiving process never pays for it
    from models.inference.importing import SampleImage

MAXIMUM_PICTURE_BYTES = 64 << 20
"""Larger files that are no DICOM are no pictures to try a model on."""


@dataclass(slots=True)
class Sample:
    """The images of a file or a folder, read one after another; what is none is counted."""

    path: Path
    skipped: dict[str, int] = field(default_factory=dict)  #: files that gave no image, by reason

    def __iter__(self) -> "Iterator[SampleImage]":
        """Read every file that holds a single image, in the order of the names.

        Raises
        ------
        Permanent
            Where there is no such file or folder.
        """
        if not self.path.exists():
            raise Permanent(f"{self.path}: no such file or folder")
        files = sorted(self.path.rglob("*")) if self.path.is_dir() else [self.path]
        for file in (file for file in files if file.is_file()):
            image = _dicom_image(file) if _is_dicom(file) else _picture(file)
            if isinstance(image, str):
                self.skipped[image] = self.skipped.get(image, 0) + 1
            else:
                yield image


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as stream:
        is_marked = stream.read(132).endswith(b"DICM")
    if not is_marked and file.stat().st_size > MAXIMUM_PICTURE_BYTES:
        return False  # not worth the memory to find out whether it is DICOM without a preamble
    try:
        part10_of(file.read_bytes())
    except NotPart10:
        return False
    return True


def _dicom_image(file: Path) -> "SampleImage | str":
    from models.inference.importing import SampleImage  # noqa: PLC0415 - only the child process imports it

    try:
        pixels = read_pixels(file, max_frames=1)
    except TooManyFrames:
        return "DICOM with several frames"
    except PixelsUnreadable:
        return "DICOM without pixels that can be decoded"
    return SampleImage(pixels.values[0], pixels.window, pixels.inverted)


def _picture(file: Path) -> "SampleImage | str":
    import cv2  # noqa: PLC0415 - the same

    from models.inference.importing import SampleImage  # noqa: PLC0415 - the same

    if file.stat().st_size > MAXIMUM_PICTURE_BYTES:
        return "no image"
    content = np.frombuffer(file.read_bytes(), np.uint8)
    try:
        decoded = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH) if content.size else None
    except cv2.error:  # more pixels than it decodes, or a picture that is not what it says
        return f"pictures that cannot be decoded, such as {file.name}"
    return "no image" if decoded is None else SampleImage(np.asarray(decoded, np.float32))
