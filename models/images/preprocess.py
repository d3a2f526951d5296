"""From plain pixel values to network input: the one way there is, in training and in serving.

It knows arrays only: no dataset, no file, no network. The order is fixed: area resize first, then window, polarity and
a robust stretch, so that an 8-bit JPEG and the same image wrapped as DX, with a window or without one, give equal
tensors, and so that a large radiograph costs no more than its resize.
"""

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""Grey values, shape (rows, columns), float32."""

Values = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
"""Pixel values as they come, shape (rows, columns), any real dtype and unit."""

TAIL_PERCENT = 0.5
"""Share of the pixels, in percent, that the stretch lets saturate at either end: markers, collimation, dead pixels."""

FLAT = 1e-5
"""Contrast, relative to the values, that the rounding of a resize makes out of an image of a single value."""


def network_input(values: Values, window: tuple[float, float] | None, inverted: bool, size: int) -> Image:  # noqa: FBT001 the order of a dataset's elements
    """Return the tensor that every network here reads.

    Parameters
    ----------
    values
        Modality values, shape (rows, columns), any real dtype and any unit. Not changed.
    window
        (0028,1050) Window Center and (0028,1051) Window Width in modality values, or None for the whole range.
    inverted
        Whether low values are shown bright (MONOCHROME1).
    size
        Rows and columns of the result; the aspect ratio is not kept.

    Returns
    -------
    numpy.ndarray
        Shape (size, size, 1), float32 in [0, 1]; all zero where the image has a single value.

    Raises
    ------
    ValueError
        Where `values` is not a filled two-dimensional array of finite numbers.

    References
    ----------
    DICOM PS3.3 C.11.2.1.2 (window), C.7.6.3.1.2 (photometric interpretation).
    """
    return _seen(_checked(values), window, size, inverted=inverted)


def network_inputs(
    values: Values,
    window: tuple[float, float] | None,
    inverted: bool,  # noqa: FBT001 the order of network_input
    sizes: Iterable[int],
) -> dict[int, Image]:
    """Return what `network_input` returns for each of several sizes; the values are checked once."""
    image = _checked(values)
    return {size: _seen(image, window, size, inverted=inverted) for size in sizes}


def _seen(image: Image, window: tuple[float, float] | None, size: int, *, inverted: bool) -> Image:
    resized = resize(image, size)
    if window is not None:
        resized = _windowed(resized, *window)
    if inverted:
        resized = -resized
    return stretch(resized)[..., np.newaxis]


def resize(image: Image, size: int) -> Image:
    """Return the image at `size` x `size`: by area along the axes that shrink, then bilinear along those that grow."""
    rows, columns = (min(length, size) for length in image.shape)
    shrunk = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def stretch(image: Image) -> Image:
    """Return the image with its lowest and highest values, tails aside, at 0 and 1; zeros where it is constant."""
    low, high = np.percentile(image, (TAIL_PERCENT, 100.0 - TAIL_PERCENT))
    if high - low <= FLAT * max(abs(low), abs(high)):
        return np.zeros_like(image, dtype=np.float32)
    return np.asarray(np.clip((image - np.float32(low)) / np.float32(high - low), 0.0, 1.0), np.float32)


def _checked(values: Values) -> Image:
    image = np.ascontiguousarray(values, dtype=np.float32)
    if image.ndim != 2 or not image.size:
        raise ValueError(f"a grey image has rows and columns, this one has the shape {values.shape}")
    if not np.isfinite(image).all():
        raise ValueError("the image holds values that are not finite numbers")
    return image


def _windowed(image: Image, center: float, width: float) -> Image:
    """Clip to the window's ends; the stretch that follows does the scaling."""
    # DICOM PS3.3 C.11.2.1.2.1: the linear function reaches its ends at center - 0.5 -+ (width - 1) / 2.
    half = max(width - 1.0, 0.0) / 2.0
    return np.asarray(np.clip(image, center - 0.5 - half, center - 0.5 + half), np.float32)
