"""Padded pixels: those that a sender added to fill up a rectangle, and that are no part of the picture.

It knows the values that mark them, and gives them the value of the background.

References
----------
DICOM PS3.3 C.7.5.1.1.2 (Pixel Padding Value and Pixel Padding Range Limit), C.7.6.24 and C.7.6.25 (those of floats)
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

_PREFIXES = {"f4": "Float", "f8": "DoubleFloat"}


def padded_pixels(dataset: Dataset, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Return which stored values are padding, or None where none is.

    Parameters
    ----------
    dataset
        The image, with (0028,0120) Pixel Padding Value where it is padded, and perhaps (0028,0121) Pixel Padding
        Range Limit, which makes it a range that includes both, whichever is the higher. Floats have elements of
        their own, (0028,0122) to (0028,0125).
    stored
        Stored values of any shape.

    Raises
    ------
    TypeError, ValueError
        An element that is no number.
    """
    prefix = _PREFIXES.get(stored.dtype.str[1:], "")
    value, limit = dataset.get(f"{prefix}PixelPaddingValue"), dataset.get(f"{prefix}PixelPaddingRangeLimit")
    if value is None:
        return None
    padded = _between(stored, value, value if limit is None else limit)
    return padded if padded.any() else None


def _between(stored: npt.NDArray[Any], one: float, other: float) -> npt.NDArray[np.bool_]:
    if stored.dtype.kind == "f":
        inside = (stored >= min(one, other)) & (stored <= max(one, other))
        return np.asarray(inside | np.isnan(stored) if np.isnan(one) else inside)
    # some senders write a signed value as US, or an unsigned one as SS: the type of the pixels decides (C.7.5.1.1.2)
    ends = np.array([one, other], np.int64).astype(stored.dtype)
    return np.asarray((stored >= ends.min()) & (stored <= ends.max()))


def as_background(values: npt.NDArray[np.float32], padded: npt.NDArray[np.bool_], *, inverted: bool) -> None:
    """Set padded pixels to the darkest value of the others, in place.

    Parameters
    ----------
    values
        Values after rescale and curve; they take the background rather than the stored values do, because a rescale of
        negative slope turns the lowest stored value into the highest.
    padded
        Which of them are padding; of the same shape, and not all.
    inverted
        Whether high values are shown dark.
    """
    picture = values[~padded]
    values[padded] = picture.max() if inverted else picture.min()
