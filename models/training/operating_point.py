"""Where a challenger calls a class: as good as it can be on validation, missing no more of the ill than its champion.

The gate asks that of every locked set; a point that is only balanced gives sensitivity away wherever a better network
finds more of the well. It knows labels and probabilities, and of the champion one number for each source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CANDIDATES = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True, slots=True)
class Validated:
    """What a challenger says of validation images of one source, on which there are both labels."""

    labels: NDArray[np.int64]
    likely: NDArray[np.float64]
    kept: float = 0.0  #: the champion's sensitivity on them at its own operating point; 0 where nothing is to be kept


def operating_point(sources: Sequence[Validated]) -> float:
    """Return the probability at which the worst source has the best balanced accuracy, of those that keep sensitivity.

    Where no candidate keeps it on every source, all of them count.
    """
    rates = [_rates(one) for one in sources]
    keeps = np.all([found >= one.kept for one, (found, _) in zip(sources, rates, strict=True)], axis=0)
    worst = np.min([(found + spared) / 2 for found, spared in rates], axis=0)
    worst = np.where(keeps, worst, -1.0) if keeps.any() else worst
    return float(np.median(CANDIDATES[worst >= worst.max() - 1e-9]))


def _rates(one: Validated) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sensitivity and specificity at each candidate."""
    called = one.likely[None, :] >= CANDIDATES[:, None]
    return called[:, one.labels == 1].mean(1), (~called[:, one.labels == 0]).mean(1)
