"""How well admission tells other body parts from what the bundle knows, measured on images that nothing was trained on.

It knows a loaded bundle, chests and a folder of strangers: manifest.csv with file and label, and ood.zip.
"""

import csv
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import DataError, LabelledImages
from models.data.zips import decode
from models.evaluation import metrics
from models.images.preprocess import resize
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
    labels, others = _strangers(strangers)
    known, strange = admission_scores(reader, reduced(chests)), admission_scores(reader, others)
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


def admission_scores(reader: Reader, images: LabelledImages) -> NDArray[np.float64]:
    """Return the admission score of each image, shape (images,); the bundle has an admission."""
    assert reader.manifest.admission is not None  # noqa: S101 the callers' condition, for the type checker
    seen = images.views(reader.manifest.admission.size)
    return np.array([reader.admission_score(image) for image in seen], np.float64)


def reduced(images: LabelledImages) -> LabelledImages:
    """Return the images in the strangers' size, in the unit that they came in: their windows stay true."""
    small = tuple(resize(np.ascontiguousarray(one, np.float32), SIDE) for one in images.pixels)
    return replace(images, pixels=small, _views={})


def _strangers(folder: Path) -> tuple[NDArray[np.str_], LabelledImages]:
    try:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        with zipfile.ZipFile(folder / "ood.zip") as archive:
            found = [decode(archive.read(row["file"])) for row in rows]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{folder} cannot be read: {error}") from error
    read = [(row, pixels) for row, pixels in zip(rows, found, strict=True) if pixels is not None]
    names = tuple(row["file"] for row, _ in read)
    images = LabelledImages(tuple(pixels for _, pixels in read), np.zeros(len(read), np.int64), names, names)
    return np.array([row["label"] for row, _ in read]), images
