"""Paired differences of two versions on the same images, with intervals that draw whole patients.

Both versions see the same draws, so what a draw does to both of them cancels out. It knows arrays.

References
----------
Efron B, Tibshirani R, "An Introduction to the Bootstrap", 1993 · Field C, Welsh A, "Bootstrapping clustered data",
J. R. Statist. Soc. B 69(3), 2007.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.bootstrap import Weights, drawn
from models.evaluation.metrics import plain
from models.gate.protocol import Protocol

Values = NDArray[np.float64]

Figure = Callable[[int, Weights], Values]
"""The figure of the champion (0) or the challenger (1) in each draw, shape (draws,)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two figures, and the interval of the second less the first; None where there is none."""

    champion: float | None
    challenger: float | None
    lower: float | None = None
    upper: float | None = None

    @property
    def value(self) -> float | None:
        """The challenger's less the champion's."""
        if self.champion is None or self.challenger is None:
            return None
        return self.challenger - self.champion


def differing(figure: Figure, patients: Sequence[str], protocol: Protocol) -> Difference:
    """Return how a figure differs, with the percentile interval of a bootstrap over patients.

    Draws in which the figure does not exist say nothing and are left out.
    """
    once = np.ones((1, len(patients)))
    champion, challenger = (plain(figure(number, once)[0]) for number in (0, 1))
    parts = [figure(1, some) - figure(0, some) for some in drawn(patients, protocol.draws, protocol.seed)]
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    if champion is None or challenger is None or not len(values):
        return Difference(champion, challenger)
    aside = 50.0 * (1.0 - protocol.confidence)
    lower, upper = np.percentile(values, (aside, 100.0 - aside))
    return Difference(champion, challenger, float(lower), float(upper))
