"""Intervals by bootstrap: what a measure would have been, had other patients come.

It draws whole groups, all images of one patient, because images of one child are not independent. The seed is fixed
unless another one is handed in, so that a measure can be repeated. It knows weights and statistics, not what they mean.

References
----------
Efron B, Tibshirani R, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval) · Field C, Welsh A,
"Bootstrapping clustered data", J. R. Statist. Soc. B 69(3), 2007.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
"""How often each image counts, shape (draws, images)."""

Statistic = Callable[[Weights], Mapping[str, NDArray[np.float64]]]
"""From weights to named values, each of shape (draws,)."""

DRAWS = 1000
AT_ONCE = 4_000_000
"""Weights that are held at a time: 32 MB."""


def interval(statistic: Statistic, groups: Sequence[str], draws: int = DRAWS) -> dict[str, tuple[float, float]]:
    """Return the 95 % percentile interval of each value that a statistic gives.

    A draw in which a value does not exist (one kind of label only) says nothing about it and is left out; a value that
    exists in no draw has no interval.

    Parameters
    ----------
    statistic
        Called with weights of shape (some draws, images).
    groups
        The group of each image.
    draws
        Bootstrap samples.
    """
    parts = [statistic(weights) for weights in drawn(groups, draws)]
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: _percentiles(several) for name, several in values.items() if np.isfinite(several).any()}


def drawn(groups: Sequence[str], draws: int, seed: int = 0) -> Iterator[Weights]:
    """Yield weights of shape (some draws, images), `draws` in all, a bounded number at a time."""
    random = np.random.default_rng(seed)
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    at_once = max(AT_ONCE // max(len(group_of), 1), 1)
    for first in range(0, draws, at_once):
        some = min(at_once, draws - first)
        times = random.multinomial(len(names), np.full(len(names), 1 / len(names)), some)
        yield times[:, group_of].astype(np.float64)


def mean_interval(values: NDArray[np.float64], groups: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % interval of a mean over images, shape (images,): of paired differences, the paired interval."""
    return interval(lambda weights: {"mean": weights @ values / weights.sum(1)}, groups)["mean"]


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values[np.isfinite(values)], (2.5, 97.5))
    return float(low), float(high)
