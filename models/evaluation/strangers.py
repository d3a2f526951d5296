"""How well admission tells other body parts from what the bundle knows, measured on images that nothing was trained on.

It knows a loaded bundle, chests and a folder of strangers: manifest.csv with file and label, and ood.zip.
"""

import csv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.labelled import DataError, LabelledImages
from models.data.zips import decode
from models.evaluation import metrics
from models.images.preprocess import Values, network_input
from models.inference.reader import Reader

FOLDER = "ood_mednist"
"""Folder beside a data set with images of other body parts, measured where it is there."""

ALMOST_CHESTS = "CXR"
"""Label of the strangers that are chests after all, of adults: reported apart."""

SIDE = 64
"""Rows and columns of the strangers."""


def measure_admission(reader: Reader, chests: LabelledImages, strangers: Path) -> dict[str, Any] | None:
    """Return how well admission tells other body parts from chests; None where the bundle admits everything.

    The chests go through 64 x 64 first, the strangers' size, or the score would be praised for seeing blur.

    Returns
    -------
    dict
        `n`, `auc` (strangers without adult chests, against chests), `admitted_chests`, `admitted_strangers`,
        `admitted_adult_chests` (shares), `adult_chests` (images).

    Raises
    ------
    DataError
        Where the folder cannot be read.
    """
    if reader.manifest.admission is None:
        return None
    labels, pixels = _strangers(strangers)
    small = [_small(image) for image in chests.pixels]
    known, strange = admission_scores(reader, small), admission_scores(reader, pixels)
    almost, limit = labels == ALMOST_CHESTS, reader.manifest.admission.limit
    truth = np.concatenate([np.zeros(len(known)), np.ones((~almost).sum())])
    return {
        "n": int((~almost).sum()),
        "auc": metrics.auc(truth, np.concatenate([known, strange[~almost]])),
        "admitted_chests": float((known <= limit).mean()),
        "admitted_strangers": float((strange[~almost] <= limit).mean()),
        "admitted_adult_chests": float((strange[almost] <= limit).mean()) if almost.any() else None,
        "adult_chests": int(almost.sum()),
    }


def admission_scores(reader: Reader, pixels: Sequence[Values]) -> NDArray[np.float64]:
    """Return the admission score of each image, shape (images,); the bundle has an admission."""
    assert reader.manifest.admission is not None  # noqa: S101 the callers' condition, for the type checker
    size = reader.manifest.admission.size
    return np.array([reader.admission_score(network_input(image, None, False, size)) for image in pixels], np.float64)


def _small(pixels: Values) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _strangers(folder: Path) -> tuple[NDArray[np.str_], tuple[NDArray[np.uint8], ...]]:
    try:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        with zipfile.ZipFile(folder / "ood.zip") as archive:
            found = [decode(archive.read(row["file"])) for row in rows]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{folder} cannot be read: {error}") from error
    labels = np.array([row["label"] for row, pixels in zip(rows, found, strict=True) if pixels is not None])
    return labels, tuple(pixels for pixels in found if pixels is not None)
