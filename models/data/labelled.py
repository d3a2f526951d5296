"""Labelled images, and what a data set is to training and evaluation.

It knows arrays, labels and groups; where they come from, the neighbouring files know. Nothing here names a patient:
groups are opaque, and images are named as their source names them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.torn_groups import torn_groups
from models.images.preprocess import Values, network_input

NAMED_IMAGES = 10
"""How many faulty images a refusal names; the rest it counts."""

LARGEST = 1024
"""Rows and columns that an image is kept with, as many as a network that is imported may ask for
(`models.bundle.parse.SIZES`): 4 MiB in float32."""

Images = NDArray[np.float32]
"""Network input, shape (images, size, size, 1), float32 in [0, 1]."""

Window = tuple[float, float]
"""Center and width, in the unit of the pixel values."""


class DataError(ValueError):
    """A data set that must not be trained on or judged by; the message names the rows."""


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """The images of one split, in the order of their source."""

    pixels: tuple[Values, ...]  #: each of shape (rows, columns), grey, any real dtype and unit
    labels: NDArray[np.int64]  #: shape (images,), the index of the class; of a single class, 1 where it is present
    groups: tuple[str, ...]  #: what must not be torn apart, such as all images of one patient
    names: tuple[str, ...]  #: how a message names each image
    subtypes: tuple[str, ...] = ()  #: finer kinds than the labels; empty where there are none
    windows: tuple[Window | None, ...] = ()  #: empty where no image has a window
    inverted: tuple[bool, ...] = ()  #: whether low values are shown bright; empty where in no image
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)  #: columns to tell subgroups by, by name
    _views: dict[int, Images] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.pixels)

    def views(self, size: int) -> Images:
        """Return all images as network input of one size; made once and kept.

        Output shape
            (images, size, size, 1), float32 in [0, 1].
        """
        if size not in self._views:
            windows, inverted = self.windows or (None,) * len(self), self.inverted or (False,) * len(self)
            seen = zip(self.pixels, windows, inverted, strict=True)
            self._views[size] = np.stack([network_input(*one, size) for one in seen])
        return self._views[size]

    def image_digests(self) -> tuple[str, ...]:
        """Return the SHA-256 of what each image shows: values, window and polarity, hexadecimal."""
        windows, inverted = self.windows or (None,) * len(self), self.inverted or (False,) * len(self)
        return tuple(_image_digest(*one) for one in zip(self.pixels, windows, inverted, strict=True))


class DataSet(Protocol):
    """Labelled images by split, and a digest that stands for them."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits, such as train, val and test."""

    def images(self, split: str) -> LabelledImages:
        """Return the images of one split.

        Raises
        ------
        DataError
            Where there is no such split, or images of it are missing, changed or unreadable; they are named.
        """

    def digest(self, splits: Iterable[str]) -> str:
        """Return the SHA-256 over names or places, labels, groups and contents of some splits, hexadecimal."""


class InMemory:
    """A data set that somebody else has read.

    Parameters
    ----------
    images
        Labelled images by split.

    Raises
    ------
    DataError
        Where there is no split, a group stands in more than one of them, or an image does; the images are named.
    """

    def __init__(self, images: dict[str, LabelledImages]) -> None:
        if not images:
            raise DataError("the data set holds no image")
        self._images = images
        self._digests = {split: some.image_digests() for split, some in images.items()}
        groups = {split: some.groups for split, some in images.items()}
        self._refuse_torn("belong to groups that stand in more than one split", groups)
        self._refuse_torn("stand in more than one split", self._digests)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self._images)

    def images(self, split: str) -> LabelledImages:
        """Return the images of one split.

        Raises
        ------
        DataError
            Where there is no such split.
        """
        if split not in self._images:
            raise DataError(f"there is no image of the split {split!r}; there are {', '.join(self._images)}")
        return self._images[split]

    def digest(self, splits: Iterable[str]) -> str:
        """Return the SHA-256 over labels, groups and contents of the images of some splits, hexadecimal."""
        chosen = sorted(frozenset(splits) & frozenset(self._images))
        return digest_of(line for split in chosen for line in self._lines(split))

    def _lines(self, split: str) -> list[str]:
        some = self._images[split]
        of_images = zip(self._digests[split], some.labels, some.groups, strict=True)
        return [f"{split}\t{digest}\t{label}\t{group}" for digest, label, group in of_images]

    def _refuse_torn(self, fault: str, keys: dict[str, tuple[str, ...]]) -> None:
        torn = torn_groups((key, split) for split, some in keys.items() for key in some)
        named = [
            name
            for split, some in self._images.items()
            for key, name in zip(keys[split], some.names, strict=True)
            if key in torn
        ]
        refuse_images(fault, named)


def shrunk(values: Values) -> Values:
    """Return an image whose longer sides are resized, by area, to the most that any network here reads.

    A radiograph of ten million pixels then takes a tenth of its memory; what a network sees of one differs from what
    serving sees by the rounding of two area means instead of one.
    """
    rows, columns = (min(length, LARGEST) for length in values.shape)
    if (rows, columns) == values.shape:
        return values
    return np.asarray(cv2.resize(values.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def refuse_images(fault: str, names: Sequence[str]) -> None:
    """Refuse where there are faulty images, naming the first of them.

    Parameters
    ----------
    fault
        What is said of them; without a verb where it may be one alone.
    names
        How the message names each.

    Raises
    ------
    DataError
        Where `names` is not empty.
    """
    if names:
        named = ", ".join(names[:NAMED_IMAGES])
        more = f" and {len(names) - NAMED_IMAGES} more" if len(names) > NAMED_IMAGES else ""
        raise DataError(f"{counted(len(names), 'image')} {fault}: {named}{more}")


def counted(number: int, thing: str) -> str:
    """Return a number with what it counts, such as 1 image or 2 images."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def digest_of(lines: Iterable[str]) -> str:
    """Return the SHA-256 over lines in alphabetical order, so that the order of rows changes nothing, hexadecimal."""
    digest = sha256()
    for line in sorted(lines):
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def _image_digest(values: Values, window: Window | None, inverted: bool) -> str:  # noqa: FBT001 as in network_input
    digest = sha256(f"{values.dtype.str} {values.shape} {window} {inverted}".encode())
    digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
