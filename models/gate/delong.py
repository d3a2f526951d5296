"""The difference of two AUCs on the same images, with its standard error, after DeLong.

Images count as independent of each other; where a patient has several, the bootstrap of `models.gate.paired` draws
whole patients, and the gate asks both. It knows labels and scores.

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL, "Comparing the areas under two or more correlated receiver operating
characteristic curves: a nonparametric approach", Biometrics 44(3), 1988 · Sun X, Xu W, "Fast implementation of DeLong's
algorithm for comparing the areas under correlated receiver operating characteristic curves", IEEE Signal Processing
Letters 21(11), 2014 (placements from midranks, in n log n).
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Present = NDArray[np.bool_]
"""Shape (images,): whether the class is there."""

Scores = NDArray[np.float64]
"""Shape (images,): larger where the class is likelier."""


@dataclass(frozen=True, slots=True)
class Areas:
    """Two AUCs on the same images and what is known of their difference, the second less the first."""

    first: float
    second: float
    standard_error: float  #: of the difference

    @property
    def difference(self) -> float:
        """The second less the first, -1 to 1."""
        return self.second - self.first

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the two-sided interval of the difference."""
        reach = NormalDist().inv_cdf((1.0 + confidence) / 2.0) * self.standard_error
        return self.difference - reach, self.difference + reach


def paired(present: Present, first: Scores, second: Scores) -> Areas:
    """Return the AUCs of two scores of the same images, and the standard error of their difference.

    Parameters
    ----------
    present
        At least two images of either kind.
    first, second
        The scores.

    Raises
    ------
    ValueError
        Where there are fewer images of a kind: no variance can be estimated.
    """
    if min(present.sum(), (~present).sum()) < 2:
        raise ValueError("an AUC has a standard error only with two images of either kind")
    (one_there, one_absent), (other_there, other_absent) = (_placements(present, scores) for scores in (first, second))
    variance = np.var(one_there - other_there, ddof=1) / present.sum()
    variance += np.var(one_absent - other_absent, ddof=1) / (~present).sum()
    return Areas(float(one_there.mean()), float(other_there.mean()), float(np.sqrt(variance)))


def _placements(present: Present, scores: Scores) -> tuple[Scores, Scores]:
    """Return of each image of one kind the share of those of the other kind that it is in order with."""
    there, absent = scores[present], scores[~present]
    ranks = _midranks(scores)
    of_there = (ranks[present] - _midranks(there)) / len(absent)
    of_absent = 1.0 - (ranks[~present] - _midranks(absent)) / len(there)
    return of_there, of_absent


def _midranks(scores: Scores) -> Scores:
    """Return the ranks from 1; equal scores share the mean of theirs."""
    _, places, times = np.unique(scores, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(times) - (times - 1) / 2.0)[places], np.float64)
