"""Weights that 16 bits can hold: stored in half the space, and equal wherever they are computed with.

Every weight is rounded once, at the end of its training and before anything is measured or fixed with it; what is
stored and exported afterwards is exact.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rounded_to_half(array: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the array with every value at the nearest number that float16 has, as float32.

    Raises
    ------
    ValueError
        Where a value is beyond the range of float16 (65504) or is not finite.
    """
    with np.errstate(over="ignore"):
        half = np.asarray(array, np.float16)
    if not np.isfinite(half).all():
        raise ValueError("a weight is beyond what float16 holds, or is no number: the training did not converge")
    return half.astype(np.float32)


def stored(array: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    """Return the array as float16 where every value survives that, else as float32."""
    whole = np.asarray(array, np.float32)
    with np.errstate(over="ignore"):
        half = whole.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), whole) else whole
