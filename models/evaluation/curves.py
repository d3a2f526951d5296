"""What the figures draw: curves and histograms from labels and scores, as lists that JSON can hold.

It knows arrays only; scikit-learn makes the ROC and the precision-recall curve.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from models.evaluation.metrics import ECE_BINS, Labels, Scores

HISTOGRAM_BINS = 20
POINTS = 400
"""Most points of a drawn curve: more change no picture and make the page heavy."""

Curves = dict[str, Any]


def presence_curves(labels: Labels, probabilities: Scores, threshold: float) -> Curves:
    """Return `roc`, `precision_recall`, `reliability`, `histogram` of one class, and its `threshold`."""
    false_alarms, sensitivity, _ = roc_curve(labels, probabilities)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    return {
        "threshold": threshold,
        "roc": {"false_alarms": thinned(false_alarms), "sensitivity": thinned(sensitivity)},
        "precision_recall": {"recall": thinned(recall), "precision": thinned(precision)},
        "reliability": reliability(labels, probabilities),
        "histogram": histogram(labels == 1, probabilities, (0.0, 1.0)),
    }


def choice_curves(labels: Labels, probabilities: Scores) -> Curves:
    """Return `reliability` and `histogram` of the likeliest class: whether it was right, by how sure it was."""
    right, surest = probabilities.argmax(1) == labels, probabilities.max(1)
    return {
        "reliability": reliability(right.astype(np.int64), surest),
        "histogram": histogram(right, surest, (0.0, 1.0)),
    }


def reliability(labels: Labels, probabilities: Scores) -> list[dict[str, float]]:
    """Return mean probability, frequency and number of images of each bin that holds any."""
    bins = np.minimum((probabilities * ECE_BINS).astype(int), ECE_BINS - 1)
    filled = [(bins == number) for number in range(ECE_BINS) if (bins == number).any()]
    return [
        {
            "probability": float(probabilities[some].mean()),
            "frequency": float((labels[some] == 1).mean()),
            "n": int(some.sum()),
        }
        for some in filled
    ]


def histogram(positive: NDArray[np.bool_], scores: Scores, ends: tuple[float, float] | None = None) -> Curves:
    """Return `edges`, and how many of either kind lie between them: `positive`, `negative`."""
    edges = np.histogram_bin_edges(scores, HISTOGRAM_BINS, ends)
    kinds = {"positive": scores[positive], "negative": scores[~positive]}
    return {"edges": edges.tolist(), **{name: np.histogram(some, edges)[0].tolist() for name, some in kinds.items()}}


def thinned(values: NDArray[np.floating[Any]]) -> list[float]:
    """Return at most `POINTS` values, the first and the last among them."""
    if len(values) > POINTS:
        values = values[np.linspace(0, len(values) - 1, POINTS).round().astype(int)]
    return [float(value) for value in values]
