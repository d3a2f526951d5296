"""Drift: whether the latest images are still like those of a reference, told by what a model saw of them.

The maximum mean discrepancy (MMD) between the fingerprints of a window and of a reference, with a Gaussian kernel as
wide as the median distance within the reference. How large it may be by chance is drawn from the reference itself,
patient by patient: several images of one patient are alike, and a null that draws images alarms falsely for one window
in six.

References
----------
Gretton A et al., "A Kernel Two-Sample Test", JMLR 13, 2012.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
"""Windows that the null is drawn from; a rate of false alarms of 1 % then rests on ten of them."""

_SMALLEST = 1e-3  # below this no spread goes: what never varied in the reference would otherwise decide everything

Numbers = NDArray[np.float32]
"""Fingerprints, shape (images, numbers)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What later images are compared with."""

    mean: Numbers  #: shape (numbers,)
    spread: Numbers  #: shape (numbers,), positive
    points: Numbers  #: shape (images, numbers), standardised
    kernel: NDArray[np.float64]  #: shape (images, images)
    squared_width: float
    members: tuple[NDArray[np.int_], ...]  #: the images of each patient, by place


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a window lies from its reference."""

    distance: float  #: MMD squared, 0 or more but for rounding
    limit: float  #: what a window of the reference's own kind exceeds at the rate of false alarms
    share: float  #: share of such windows that lie as far, 0 to 1


def reference(numbers: Numbers, patients: Sequence[str]) -> Reference:
    """Return the reference that images make.

    Parameters
    ----------
    numbers
        Fingerprints, shape (images, numbers).
    patients
        Whose each image is, opaque; the images of one are drawn together.

    Raises
    ------
    ValueError
        Where there are fewer than two images, or patients and images differ in number.
    """
    if len(numbers) < 2 or len(numbers) != len(patients):
        raise ValueError(f"{len(numbers)} fingerprints of {len(patients)} patients make no reference")
    mean, spread = numbers.mean(0), np.maximum(numbers.std(0), _SMALLEST)
    points = ((numbers - mean) / spread).astype(np.float32)
    distances = _squared_distances(points, points)
    between = distances[np.triu_indices(len(points), 1)]
    width = max(float(np.median(between)), _SMALLEST)
    named = np.asarray(patients)
    members = tuple(np.flatnonzero(named == one) for one in dict.fromkeys(patients))
    return Reference(mean, spread, points, np.exp(-distances / width), width, members)


def null(known: Reference, size: int, seed: int, draws: int = DRAWS) -> NDArray[np.float64]:
    """Return how far windows of the reference lie from the rest of it, in rising order, shape (draws,).

    Parameters
    ----------
    known
        The reference.
    size
        Images in a window; at most half of the reference.
    seed
        Of the draws.
    draws
        How many.

    Raises
    ------
    ValueError
        Where the reference is less than twice as large as the window.
    """
    if len(known.points) < 2 * size:
        raise ValueError(f"a reference of {len(known.points)} images is too small for windows of {size}")
    random = np.random.default_rng(seed)
    return np.sort([_drawn(known, size, random) for _ in range(draws)])


def judge(known: Reference, window: Numbers, chance: NDArray[np.float64], rate: float) -> Drift:
    """Return how far a window lies from the reference.

    Parameters
    ----------
    known
        The reference.
    window
        Fingerprints, shape (images, numbers).
    chance
        As `null` gives it for windows of this size.
    rate
        Share of false alarms, above 0 and below 1.
    """
    points = ((window - known.mean) / known.spread).astype(np.float32)
    among = np.exp(-_squared_distances(points, points) / known.squared_width).mean()
    across = np.exp(-_squared_distances(points, known.points) / known.squared_width).mean()
    distance = float(among + known.kernel.mean() - 2.0 * across)
    as_far = len(chance) - int(np.searchsorted(chance, distance, "left"))
    return Drift(distance, float(np.quantile(chance, 1.0 - rate)), (as_far + 1) / (len(chance) + 1))


def _drawn(known: Reference, size: int, random: np.random.Generator) -> float:
    """Return the distance of one window, drawn patient by patient, from the images of all other patients."""
    order, taken, images = random.permutation(len(known.members)), 0, np.zeros(0, np.int_)
    while len(images) < size:
        images = np.concatenate([images, known.members[order[taken]]])
        taken += 1
    rest = np.ones(len(known.points), bool)
    rest[images] = False
    window = images[:size]
    kernel = known.kernel
    across = kernel[np.ix_(window, rest)].mean()
    return float(kernel[np.ix_(window, window)].mean() + kernel[np.ix_(rest, rest)].mean() - 2.0 * across)


def _squared_distances(one: Numbers, other: Numbers) -> NDArray[np.float64]:
    exact, against = one.astype(np.float64), other.astype(np.float64)
    squared = (exact**2).sum(1)[:, np.newaxis] + (against**2).sum(1)[np.newaxis] - 2.0 * exact @ against.T
    return np.asarray(np.maximum(squared, 0.0), np.float64)
