"""How good a model is: numbers from labels and scores.

It knows arrays of labels (0 or 1) and scores; where scikit-learn has a measure, it is scikit-learn's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Labels = NDArray[np.float32]
Scores = NDArray[np.float64]

ECE_BINS = 10


def auc(labels: Labels, scores: Scores) -> float:
    """Return the area under the ROC curve; labels of both kinds are needed."""
    return float(roc_auc_score(labels, scores))


def auc_interval(labels: Labels, scores: Scores, groups: Sequence[str], draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % interval of the AUC, from a bootstrap that draws whole groups (patients), never single images.

    Parameters
    ----------
    labels, scores
        Shape (images,).
    groups
        The group of each image.
    draws
        Bootstrap samples; the seed is fixed, so that a measure can be repeated.
    """
    random = np.random.default_rng(0)
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    areas = [weighted_auc(labels, scores, times[group_of]) for times in drawn]
    low, high = np.nanpercentile(areas, (2.5, 97.5))
    return float(low), float(high)


def weighted_auc(labels: Labels, scores: Scores, weights: NDArray[np.int64]) -> float:
    """Return the AUC where each image counts `weights` times; not a number where only one kind is left.

    The share of (present, absent) pairs in order, ties counting half: one sort instead of one curve for each draw.
    """
    values, place = np.unique(scores, return_inverse=True)
    present = np.bincount(place, weights * labels, len(values))
    absent = np.bincount(place, weights * (1 - labels), len(values))
    pairs = present.sum() * absent.sum()
    if not pairs:
        return float("nan")
    return float(present @ (np.cumsum(absent) - absent / 2) / pairs)


def at_threshold(labels: Labels, probabilities: Scores, threshold: float) -> dict[str, Any]:
    """Return sensitivity, specificity, accuracy and balanced accuracy where presence starts at `threshold`."""
    present, found = labels == 1, probabilities >= threshold
    sensitivity, specificity = float(found[present].mean()), float((~found[~present]).mean())
    return {
        "threshold": threshold,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "accuracy": float((found == present).mean()),
    }


def balanced_threshold(labels: Labels, probabilities: Scores) -> float:
    """Return the threshold of the highest balanced accuracy: the middle of the best ones, where several are equal."""
    middle = np.unique(probabilities)
    candidates = (middle[1:] + middle[:-1]) / 2 if len(middle) > 1 else middle
    present = np.sort(probabilities[labels == 1])
    absent = np.sort(probabilities[labels == 0])
    sensitivity = 1 - np.searchsorted(present, candidates) / len(present)
    gain = sensitivity + np.searchsorted(absent, candidates) / len(absent)
    return float(np.median(candidates[gain >= gain.max() - 1e-9]))


def expected_calibration_error(labels: Labels, probabilities: Scores) -> float:
    """Return how far probability and frequency lie apart, over ten bins of equal width, weighted by images."""
    bins = np.minimum((probabilities * ECE_BINS).astype(int), ECE_BINS - 1)
    excess = np.bincount(bins, labels - probabilities, ECE_BINS)  # in each bin: (frequency - probability) * images
    return float(np.abs(excess).sum() / len(labels))
