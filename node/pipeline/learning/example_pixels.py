"""One image kept to learn from: decoded as serving decodes it, without anything that tells whose it is.

It runs in a child process: whatever a decoder does, the node lives on. It gets paths and returns values.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from node.dicom.instance.identifiable import identifiable
from node.dicom.pixels.modality_values import PixelsUnreadable, TooManyFrames, read_pixels
from node.pipeline.failure import of_file
from node.telemetry import native_chatter_dropped


@dataclass(frozen=True, slots=True)
class KeptPixels:
    """What became of one image."""

    digest: str  #: SHA-256 of its file of pixels; "" where none is kept
    image_hash: str  #: what it shows (`models.images.alike`); "" where none is kept, or it shows nothing
    left_out: str = ""  #: why none is kept


def keep_pixels(stored: Path, place: Path) -> KeptPixels:
    """Write an image's pixels to their place and say what they show.

    Parameters
    ----------
    stored
        A DICOM file, as the node stores it.
    place
        Where they are to lie; the file appears complete or not at all.

    Raises
    ------
    Transient
        Where a file cannot be read or written.
    """
    from models.data.examples import packed  # noqa: PLC0415 - only a child process imports the learned part
    from models.images.alike import perceptual_hash  # noqa: PLC0415 - the same

    try:
        if reason := identifiable(stored.read_bytes()):
            return KeptPixels("", "", reason)
        with native_chatter_dropped():
            pixels = read_pixels(stored, max_frames=1)
        image = pixels.values[0], pixels.window, pixels.inverted
        content = packed(*image)
        _write(place, content)
    except TooManyFrames as error:
        return KeptPixels("", "", f"it has {error.frames} frames where one is needed")
    except PixelsUnreadable as error:
        return KeptPixels("", "", f"its pixels cannot be decoded: {error}")
    except OSError as error:
        raise of_file(error, "the pixels of an image cannot be kept") from error
    return KeptPixels(hashlib.sha256(content).hexdigest(), perceptual_hash(*image))


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(place)
