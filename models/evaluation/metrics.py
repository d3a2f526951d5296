"""How good a classifier is: numbers from labels and scores.

It knows arrays of labels and scores, and weights that say how often each image counts, so that one line serves a plain
measure and every draw of a bootstrap. Where scikit-learn has a measure that is taken once, it is scikit-learn's.

Shapes
    labels (images,), the class index, of a single class 1 where it is present · scores and probabilities (images,),
    of several classes (images, classes) · weights (draws, images), how often each image counts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, confusion_matrix, roc_auc_score

from models.evaluation.bootstrap import Weights, interval

Labels = NDArray[np.int64] | NDArray[np.float32]
Scores = NDArray[np.float64]

ECE_BINS = 10


def auc(labels: Labels, scores: Scores) -> float:
    """Return the area under the ROC curve; labels of both kinds are needed."""
    return float(roc_auc_score(labels, scores))


def auc_interval(labels: Labels, scores: Scores, groups: Sequence[str], draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % interval of the AUC, from a bootstrap that draws whole groups (patients), never single images."""
    return interval(lambda weights: {"auc": weighted_auc(labels, scores, weights)}, groups, draws)["auc"]


def weighted_auc(labels: Labels, scores: Scores, weights: Weights) -> Scores:
    """Return the AUC of each draw, shape (draws,); not a number where only one kind is left.

    The share of (present, absent) pairs in order, ties counting half: one sort for all draws.
    """
    order = np.argsort(scores, kind="stable")
    _, starts = np.unique(scores[order], return_index=True)
    sorted_weights, present_there = weights[:, order], (labels[order] == 1).astype(np.float64)
    present = np.add.reduceat(sorted_weights * present_there, starts, axis=1)
    absent = np.add.reduceat(sorted_weights * (1.0 - present_there), starts, axis=1)
    pairs = present.sum(1) * absent.sum(1)
    below = np.cumsum(absent, axis=1) - absent / 2
    return _ratio((present * below).sum(1), pairs)


def counts(labels: Labels, found: NDArray[np.bool_], weights: Weights) -> dict[str, Scores]:
    """Return true and false positives and negatives of each draw, each of shape (draws,)."""
    present = labels == 1
    kinds = {"tp": present & found, "fp": ~present & found, "fn": present & ~found, "tn": ~present & ~found}
    return {name: weights @ which.astype(np.float64) for name, which in kinds.items()}


def rates(tp: Scores, fp: Scores, fn: Scores, tn: Scores) -> dict[str, Scores]:
    """Return what the four counts say of an operating point; not a number where there is nothing to divide by.

    Returns
    -------
    dict
        `accuracy`, `balanced_accuracy`, `precision`, `recall`, `f1`, `sensitivity` (which recall is the other name
        of) and `specificity`, each of the counts' shape.
    """
    sensitivity, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
        "precision": _ratio(tp, tp + fp),
        "recall": sensitivity,
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }


def at_threshold(labels: Labels, probabilities: Scores, threshold: float) -> dict[str, Any]:
    """Return `threshold` and the rates where presence starts at it; None for a rate that nothing is there for."""
    once = np.ones((1, len(labels)))
    measured = rates(**counts(labels, probabilities >= threshold, once))
    return {"threshold": threshold, **{name: plain(values[0]) for name, values in measured.items()}}


def balanced_threshold(labels: Labels, *kinds: Scores) -> float:
    """Return the threshold of the highest balanced accuracy: the middle of the best ones, where several are equal.

    Parameters
    ----------
    labels
        Shape (images,), 0 or 1.
    kinds
        Probabilities of these images, each of shape (images,): once, or as each of several kinds of equipment shows
        them. Of several, what counts is the kind that has the lowest balanced accuracy at a threshold.
    """
    found = np.unique(np.concatenate(kinds))
    candidates = (found[1:] + found[:-1]) / 2 if len(found) > 1 else found
    gain = np.min([_balanced(labels, one, candidates) for one in kinds], axis=0)
    return float(np.median(candidates[gain >= gain.max() - 1e-9]))


def _balanced(labels: Labels, probabilities: Scores, thresholds: Scores) -> Scores:
    """Return the balanced accuracy at each threshold, shape (thresholds,)."""
    present, absent = np.sort(probabilities[labels == 1]), np.sort(probabilities[labels == 0])
    sensitivity = 1 - np.searchsorted(present, thresholds) / len(present)
    return np.asarray((sensitivity + np.searchsorted(absent, thresholds) / len(absent)) / 2)


def expected_calibration_error(labels: Labels, probabilities: Scores) -> float:
    """Return how far probability and frequency lie apart, over ten bins of equal width, weighted by images.

    Of several classes, hand in whether the likeliest class was right, and its probability.

    References
    ----------
    Guo C et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    return float(weighted_ece(labels, probabilities, np.ones((1, len(labels))))[0])


def weighted_ece(labels: Labels, probabilities: Scores, weights: Weights) -> Scores:
    """Return the expected calibration error of each draw, shape (draws,)."""
    bins = np.minimum((probabilities * ECE_BINS).astype(int), ECE_BINS - 1)
    in_bin = (bins[:, None] == np.arange(ECE_BINS)).astype(np.float64)
    excess = weights @ (in_bin * (labels - probabilities)[:, None])  # (frequency - probability) * images, by bin
    return np.asarray(np.abs(excess).sum(1) / weights.sum(1))


def weighted_brier(labels: Labels, probabilities: Scores, weights: Weights) -> Scores:
    """Return the mean squared distance of probability and label of each draw, shape (draws,)."""
    return np.asarray(weights @ (labels - probabilities) ** 2 / weights.sum(1))


def presence(labels: Labels, probabilities: Scores, threshold: float, groups: Sequence[str]) -> dict[str, Any]:
    """Return every measure of one class that is present or not, at its operating point, with 95 % intervals.

    Returns
    -------
    dict
        `threshold`, `auc`, `average_precision`, the rates, `ece`, `brier`, `confusion` (rows: absent, present;
        columns: called absent, called present), and `intervals` by name: not of `ece`, which is never below zero and
        which every draw raises (`models.evaluation.calibration.noise_floor`), and of no value that all draws agree on.
    """
    found = probabilities >= threshold

    def drawn(weights: Weights) -> dict[str, Scores]:
        return {
            "auc": weighted_auc(labels, probabilities, weights),
            **rates(**counts(labels, found, weights)),
            "brier": weighted_brier(labels, probabilities, weights),
        }

    return {
        "auc": auc(labels, probabilities),
        "average_precision": float(average_precision_score(labels, probabilities)),
        **at_threshold(labels, probabilities, threshold),
        "ece": expected_calibration_error(labels, probabilities),
        "brier": float(brier_score_loss(labels, probabilities)),
        "confusion": confusion_matrix(labels == 1, found, labels=[False, True]).tolist(),
        "intervals": _wide(_widened(interval(drawn, groups), labels == 1, found, np.asarray(groups))),
    }


def choice(labels: Labels, probabilities: Scores, thresholds: Sequence[float], groups: Sequence[str]) -> dict[str, Any]:
    """Return every measure of several classes of which one is right, with 95 % intervals.

    Images labelled as none of the classes (the number after the last one) count where thresholds are asked, and against
    every class in `macro_auc`; the likeliest class is asked only of images that show one.

    Returns
    -------
    dict
        `accuracy` (of the likeliest class), `accuracy_at_thresholds` and `none_called` (as served: shares where exactly
        the right class, or rightly none, reaches its threshold, and where none does), `macro_auc` (each class against
        the rest, averaged), `macro_recall`, `macro_precision`, `macro_f1`, `ece` (of the likeliest class), `brier` (sum
        over classes), `confusion` (rows: true, columns: likeliest), and `intervals` of some by name. Classes without an
        image are left out of the averages.
    """
    classes, shown = probabilities.shape[1], shows_class(labels, probabilities)
    likeliest = (probabilities.argmax(1) == labels).astype(np.float64)
    served = right_as_served(labels, probabilities, thresholds).astype(np.float64)
    none = (~called(probabilities, thresholds).any(1)).astype(np.float64)

    def drawn(weights: Weights) -> dict[str, Scores]:
        return {
            "accuracy": _ratio(weights @ likeliest, weights @ shown.astype(np.float64)),
            "accuracy_at_thresholds": weights @ served / weights.sum(1),
            "none_called": weights @ none / weights.sum(1),
            "macro_auc": macro_auc(labels, probabilities, weights),
        }

    once = drawn(np.ones((1, len(labels))))
    confusion = confusion_matrix(labels[shown], probabilities[shown].argmax(1), labels=range(classes))
    return {
        **{name: plain(values[0]) for name, values in once.items()},
        **_macro(confusion),
        "ece": expected_calibration_error(likeliest[shown], probabilities[shown].max(1)),
        "brier": _brier_of_several(labels[shown], probabilities[shown]),
        "confusion": confusion.tolist(),
        "intervals": _wide(interval(drawn, groups)),
    }


def called(probabilities: Scores, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Return in which images which class is called, as the node calls it, shape (images, classes)."""
    return np.asarray(probabilities >= np.asarray(thresholds))


def right_as_served(labels: Labels, probabilities: Scores, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Return where exactly the right class is called, or rightly none, shape (images,)."""
    due = labels[:, np.newaxis] == np.arange(probabilities.shape[1])
    return np.asarray((called(probabilities, thresholds) == due).all(1))


def shows_class(labels: Labels, probabilities: Scores) -> NDArray[np.bool_]:
    """Return which images show a class, shape (images,): not those labelled as none of them."""
    return np.asarray(labels < probabilities.shape[1])


def macro_auc(labels: Labels, probabilities: Scores, weights: Weights) -> Scores:
    """Return the mean over classes of the AUC of each against the rest, by draw, shape (draws,)."""
    there = [number for number in range(probabilities.shape[1]) if 0 < (labels == number).sum() < len(labels)]
    if not there:
        return np.full(len(weights), np.nan)
    areas = [weighted_auc((labels == number).astype(np.int64), probabilities[:, number], weights) for number in there]
    return np.asarray(np.mean(areas, axis=0))


def plain(number: float) -> float | None:
    """Return a number as JSON can hold it: None where it is none."""
    return float(number) if np.isfinite(number) else None


def _widened(
    ends: dict[str, tuple[float, float]],
    present: NDArray[np.bool_],
    found: NDArray[np.bool_],
    groups: NDArray[np.str_],
) -> dict[str, tuple[float, float]]:
    """Return the intervals, with the exact one where all draws agree: to be right 20 times of 20 is not certainty.

    The exact bound of Clopper and Pearson for a share of 0 or 1, counting patients.
    """
    of = {"sensitivity": present, "recall": present, "specificity": ~present, "precision": found}
    for name, which in of.items():
        if ends.get(name) in {(0.0, 0.0), (1.0, 1.0)}:
            reach = 1.0 - 0.025 ** (1 / len(set(groups[which].tolist())))
            ends[name] = (1.0 - reach, 1.0) if ends[name][1] == 1.0 else (0.0, reach)
    return ends


def _wide(ends: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return the intervals that have a width: that all draws agree, with few groups, is no certainty."""
    return {name: (low, high) for name, (low, high) in ends.items() if low < high}


def _brier_of_several(labels: Labels, probabilities: Scores) -> float:
    right = np.eye(probabilities.shape[1])[labels.astype(int)]
    return float(((probabilities - right) ** 2).sum(1).mean())


def _macro(confusion: NDArray[np.int64]) -> dict[str, float | None]:
    """Return recall, precision and F1 averaged over the classes that have images."""
    hits, true, called = np.diag(confusion).astype(float), confusion.sum(1), confusion.sum(0)
    there = true > 0
    recall, precision = hits[there] / true[there], hits[there] / np.maximum(called[there], 1)
    f1 = 2 * hits[there] / (true[there] + called[there])
    means = {"macro_recall": recall, "macro_precision": precision, "macro_f1": f1}
    return {name: plain(values.mean()) for name, values in means.items()}


def _ratio(part: Scores, whole: Scores) -> Scores:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))
