"""Labelled images from one npz: x_train, y_train, x_test and y_test, as MNIST and its kin are handed around.

It knows NumPy's own format; nothing in it is unpickled.
"""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import DataError, InMemory, LabelledImages

VALIDATION_SHARE = 10
"""One image in so many of x_train is held out as val, chosen by its content and so always the same ones."""


def read_npz(path: Path) -> InMemory:
    """Return the data set in an npz; a tenth of its training images, chosen by their content, becomes val.

    Nobody says who wrote or had which image, so each is a group of its own; images that are equal to the last bit
    fall on the same side.

    Raises
    ------
    DataError
        Where the file is no npz of plain numbers, lacks an array, or its arrays are not images (n, rows, columns)
        with as many whole labels.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path} is no npz of plain numbers: {error}") from error
    except KeyError as error:
        raise DataError(f"{path} has no array {error.args[0]}: it needs x_train, y_train, x_test and y_test") from error
    known = _labelled(path, "train", found["x_train"], found["y_train"])
    held_out = np.array([int(digest[:8], 16) % VALIDATION_SHARE == 0 for digest in _digests(known)], bool)
    splits = {"train": _chosen(known, ~held_out), "val": _chosen(known, held_out)}
    return InMemory({**splits, "test": _labelled(path, "test", found["x_test"], found["y_test"])})


def _labelled(path: Path, part: str, pixels: NDArray[np.generic], labels: NDArray[np.generic]) -> LabelledImages:
    if pixels.ndim != 3 or pixels.dtype.kind not in "uif" or not pixels.size:
        raise DataError(
            f"{path}: x_{part} is {pixels.dtype} of shape {pixels.shape}, not grey images (n, rows, columns)"
        )
    if labels.shape != pixels.shape[:1] or labels.dtype.kind not in "ui":
        raise DataError(f"{path}: y_{part} is {labels.dtype} of shape {labels.shape}, not a whole label for each image")
    names = tuple(f"x_{part}[{number}]" for number in range(len(pixels)))
    return LabelledImages(tuple(pixels), labels.astype(np.int64), names, names)


def _digests(images: LabelledImages) -> list[str]:
    return [hashlib.sha256(digest.encode()).hexdigest() for digest in images.image_digests()]


def _chosen(images: LabelledImages, which: NDArray[np.bool_]) -> LabelledImages:
    numbers = np.flatnonzero(which)
    return LabelledImages(
        tuple(images.pixels[number] for number in numbers),
        images.labels[which],
        tuple(images.groups[number] for number in numbers),
        tuple(images.names[number] for number in numbers),
    )
