"""What a bundle is worth on a data set: every figure from the stored weights and the stored operating point.

It knows bundles, data sets and measures; it changes nothing and chooses nothing.
"""

import csv
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.dataset import DataError, LabelledImages, decode, read_images, read_rows, refuse_single_class
from models.evaluation import metrics
from models.images.preprocess import network_input
from models.inference.reader import Images, Reader, load

Tell = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is to do."""

STRANGERS = "ood_mednist"
"""Folder beside the data set with images of other body parts, measured where it is there."""

ALMOST_CHESTS = "CXR"
"""Label of the strangers that are chests after all, of adults: reported apart."""


def evaluate(bundle: Path, data: Path, split: str = "test", progress: Tell | None = None) -> dict[str, Any]:
    """Return the measures of a bundle on one split of a data set, as values that JSON can hold.

    Parameters
    ----------
    bundle
        The bundle's folder.
    data
        Folder with manifest.csv and a zip for each split. Where a folder `ood_mednist` lies beside it, admission is
        also measured against the other body parts in there.
    split
        The split to measure on.
    progress
        Called with stage, done and total.

    Returns
    -------
    dict
        `bundle`, `version`, `split`, `n`, `auc`, `auc_interval` (95 %, bootstrap by group), `threshold` (the stored
        one), `sensitivity`, `specificity`, `balanced_accuracy`, `accuracy`, `ece`, `anomaly_auc`,
        `anomaly_auc_by_subtype`, `admitted` (share), `sharpness_auc` (the shortcut, alone), `baseline_auc` (of the
        textbook CNN, from the manifest; None where it was not measured on this split), `strangers` (None without them).

    Raises
    ------
    BundleError
        Where the bundle cannot be used.
    DataError
        Where the data set cannot be used.
    """
    reader, tell = load(bundle), progress or _silent
    images = read_images(data, split, read_rows(data))
    refuse_single_class(images, split)
    measures = measure(reader, images, tell)
    recorded = reader.manifest.measures.get(split, {})
    strangers = data.parent / STRANGERS
    return {
        "bundle": reader.manifest.name,
        "version": reader.manifest.version,
        "split": split,
        **measures,
        "baseline_auc": recorded.get("baseline_auc"),
        "strangers": measure_admission(reader, images, strangers) if strangers.is_dir() else None,
    }


def measure(reader: Reader, images: LabelledImages, tell: Tell) -> dict[str, Any]:
    """Return the measures of a loaded bundle on labelled images; keys as in `evaluate`."""
    sizes, labels = reader.manifest.preprocessing, images.labels
    tell("evaluate", 0, 4)
    probabilities = reader.probabilities(network_inputs(images, sizes.classifier))[:, 0]
    tell("evaluate", 1, 4)
    anomaly = reader.anomaly_scores(network_inputs(images, sizes.autoencoder))
    tell("evaluate", 2, 4)
    admitted = admission_scores(reader, images.pixels) <= reader.manifest.admission.limit
    tell("evaluate", 3, 4)
    measures = {
        "n": len(images),
        "auc": metrics.auc(labels, probabilities),
        "auc_interval": list(metrics.auc_interval(labels, probabilities, images.groups)),
        **metrics.at_threshold(labels, probabilities, reader.manifest.classes[0].threshold),
        "ece": metrics.expected_calibration_error(labels, probabilities),
        "anomaly_auc": metrics.auc(labels, anomaly),
        "anomaly_auc_by_subtype": _by_subtype(images, anomaly),
        "admitted": float(admitted.mean()),
        "sharpness_auc": sharpness_auc(images, sizes.classifier),
    }
    tell("evaluate", 4, 4)
    return measures


def measure_admission(reader: Reader, chests: LabelledImages, strangers: Path) -> dict[str, Any]:
    """Return how well admission tells other body parts from chests.

    The chests go through 64 x 64 first, the strangers' size, or the score would be praised for seeing blur.

    Returns
    -------
    dict
        `n`, `auc` (strangers without adult chests, against chests), `admitted_chests`, `admitted_strangers`,
        `admitted_adult_chests`: shares.
    """
    labels, pixels = _strangers(strangers)
    small = [np.asarray(cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA), np.uint8) for image in chests.pixels]
    known, strange = admission_scores(reader, small), admission_scores(reader, pixels)
    almost, limit = labels == ALMOST_CHESTS, reader.manifest.admission.limit
    truth = np.concatenate([np.zeros(len(known)), np.ones((~almost).sum())])
    return {
        "n": int((~almost).sum()),
        "auc": metrics.auc(truth, np.concatenate([known, strange[~almost]])),
        "admitted_chests": float((known <= limit).mean()),
        "admitted_strangers": float((strange[~almost] <= limit).mean()),
        "admitted_adult_chests": float((strange[almost] <= limit).mean()) if almost.any() else None,
    }


def network_inputs(images: LabelledImages, size: int) -> Images:
    """Return all images as network input, shape (images, size, size, 1)."""
    return np.stack([network_input(pixels, None, False, size) for pixels in images.pixels])


def admission_scores(reader: Reader, pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the admission score of each image, shape (images,)."""
    size = reader.manifest.preprocessing.admission
    return np.array([reader.admission_score(network_input(image, None, False, size)) for image in pixels])


def sharpness_auc(images: LabelledImages, size: int) -> float:
    """Return the AUC of blur alone, the shortcut that every result on chests has to be compared with."""
    blur = [-cv2.Laplacian(image[..., 0], cv2.CV_32F).std() for image in network_inputs(images, size)]
    return metrics.auc(images.labels, np.array(blur, np.float64))


def _by_subtype(images: LabelledImages, scores: NDArray[np.float64]) -> dict[str, float]:
    """Return the AUC of each kind of positive against all negatives."""
    kinds, negative = np.array(images.subtypes), images.labels == 0
    positive_kinds = sorted(set(kinds[~negative].tolist()))
    chosen = {kind: negative | (kinds == kind) for kind in positive_kinds}
    return {kind: metrics.auc(images.labels[some], scores[some]) for kind, some in chosen.items()}


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


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""
