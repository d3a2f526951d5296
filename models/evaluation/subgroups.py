"""What a bundle is worth for parts of a data set: kinds of disease, sites, devices, whatever its columns tell apart.

It knows labels, scores and columns. A subgroup with few images is marked, not hidden: its figures are loose.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation import metrics
from models.evaluation.metrics import Labels, Scores

SMALL = 30
"""Images of a kind below which a subgroup's figures are marked as loose: an interval of half of +-0.1 and more."""

MOST_VALUES = 12
"""Values of a column above which it names images rather than kinds of them, and is left out."""

Attributes = Mapping[str, Sequence[str]]


def by_subgroup(
    labels: Labels, scores: Scores, threshold: float | None, attributes: Attributes, groups: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row for each value of each column.

    Parameters
    ----------
    labels
        Shape (images,), 1 where the class is present.
    scores
        Shape (images,).
    threshold
        From where presence is called; None for scores without an operating point.
    attributes
        Columns by name, a value for each image.
    groups
        The group of each image.

    Returns
    -------
    list of dict
        `attribute`, `value`, `n`, `groups`, `present` (images of the class), `sensitivity`, `specificity` (None
        without such images or without a threshold), `auc`, `auc_interval`, `against` and `small`. Where a subgroup has
        labels of one kind, its AUC is against all images of the other kind, and `against` says so.
    """
    return [
        {
            "attribute": name,
            "value": value,
            **_row(labels, scores, threshold, np.asarray(groups), np.asarray(column) == value),
        }
        for name, column in attributes.items()
        if 1 < len(set(column)) <= MOST_VALUES
        for value in sorted(set(column))
    ]


def accuracy_by_subgroup(
    right: NDArray[np.bool_], attributes: Attributes, groups: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row for each value of each column, where there are several classes, with its `accuracy` as served."""
    rows = []
    for name, column in attributes.items():
        values = sorted(set(column))
        for value in values if 1 < len(values) <= MOST_VALUES else []:
            some = np.asarray(column) == value
            size = {"n": int(some.sum()), "groups": len(set(np.asarray(groups)[some].tolist()))}
            share = float(right[some].mean())
            rows.append({"attribute": name, "value": value, **size, "accuracy": share, "small": size["n"] < SMALL})
    return rows


def _row(
    labels: Labels, scores: Scores, threshold: float | None, groups: NDArray[np.str_], some: NDArray[np.bool_]
) -> dict[str, Any]:
    present, absent = some & (labels == 1), some & (labels != 1)
    both = present.any() and absent.any()
    compared = some if both else (some | (labels != labels[some][0]))
    area, ends = _area(labels[compared], scores[compared], groups[compared])
    return {
        "n": int(some.sum()),
        "groups": len(set(groups[some].tolist())),
        "present": int(present.sum()),
        "sensitivity": _share(scores[present], threshold),
        "specificity": None if threshold is None or not absent.any() else 1.0 - _called(scores[absent], threshold),
        "auc": area,
        "auc_interval": ends,
        "against": "itself" if both else "all others",
        "small": bool(min(part.sum() for part in (present, absent) if part.any()) < SMALL),
    }


def _area(labels: Labels, scores: Scores, groups: NDArray[np.str_]) -> tuple[float | None, list[float] | None]:
    if len(set(labels.tolist())) < 2:
        return None, None
    return metrics.auc(labels, scores), list(metrics.auc_interval(labels, scores, groups.tolist()))


def _share(scores: Scores, threshold: float | None) -> float | None:
    return None if threshold is None or not len(scores) else _called(scores, threshold)


def _called(scores: Scores, threshold: float) -> float:
    return float((scores >= threshold).mean())
