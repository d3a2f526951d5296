"""Explanation: which place of an image an answer came from, as an array and as an outline in the image's coordinates.

The classifier's map is what the exported network says itself: the contribution of each place to each logit, in closed
form, whose mean over all places is the logit. The anomaly map is the autoencoder's error. Both are read, never
derived: no gradients, no TensorFlow. NumPy and OpenCV only; it knows arrays, no header and no report.

What a classifier's map says of a chest is broad, and lies in part on the mediastinum, on shoulders and on letters: it
says which images it calls, and hardly where. So what a place says for a class is weighed by the root of how much worse
than the image's median its error is, where a bundle has an error map; where the two have little in common, no place
stands out.

The rule of an outline: the map is smoothed by a Gaussian of 1/12 of its side and upsampled bilinearly; what reaches six
tenths of its maximum is its region, where that maximum is positive; of several connected parts the one with the largest
sum counts. Where that part is more than a third of the image, or holds less than 15 % of what speaks for the answer,
no place stands out and there is no outline. The smoothing keeps every region above about 2 % of the image. How the rule
was chosen and what it is worth is measured (docs/what-a-report-says.md, docs/decisions/0027).

References
----------
Zhou B et al., "Learning Deep Features for Discriminative Localization", CVPR 2016 (the closed form).
DICOM PS3.3 C.18.6.1.2 (spatial coordinates: the top left corner of the top left pixel is at column 0.0, row 0.0).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.bundle.manifest import Classifier, Manifest
from models.images.preprocess import Image
from models.inference.reader import Prediction

GRID = 256
"""Rows and columns to which a map is upsampled; an outline is exact to half of a 256th of the image's side."""

LEVEL = 0.6
"""Share of the maximum that bounds a region."""

LARGEST_SHARE = 1 / 3
"""Share of the image above which a region points to nothing."""

SMALLEST_PART = 0.15
"""Share of all that speaks for an answer which a region holds at least: a lone spot holds 25 to 40 %, one of two half
of that; what is scattered further has no strongest place."""

AGREEMENT = 0.6
"""What a class and the errors say together at their best common place, in shares of what each says at its own best one,
multiplied: below it they speak of different places."""

SMOOTHING = 1 / 12
"""Standard deviation of the smoothing, in sides of the map."""

MOST_POINTS = 40
"""Points of an outline, the closing one included."""

MOST_CELLS = 64
"""Rows and columns of a map's grid at most."""

ANOMALY = "anomaly"
"""Under this name stands the explanation of the anomaly score, beside those of the classes."""

Outline = tuple[tuple[float, float], ...]
"""A closed polyline, (column, row) in pixels of the image; (0.0, 0.0) is its top left corner; empty: no region."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one answer about one image came from."""

    map: Image  #: shape (h, w), float32: what a place says for a class (`weighed`), or errors above their median
    outline: Outline  #: of the strongest region, in the coordinates of the image that was read


def explained(
    prediction: Prediction, manifest: Manifest, rows: int, columns: int, names: Collection[str]
) -> dict[str, Explanation]:
    """Return where some answers about an image that was just read came from; no network is run again.

    Parameters
    ----------
    prediction
        What was said of the image, by the bundle of this manifest.
    manifest
        What the bundle says of itself.
    rows, columns
        Size of the image as it came, in pixels.
    names
        Classes, and "anomaly", that are to be explained.

    Returns
    -------
    dict
        By name; without the parts for which the bundle has no map, or one with numbers that are not finite.
    """
    return {
        name: Explanation(map_, strongest_region(map_, rows, columns))
        for name, map_ in _maps(manifest, prediction.maps, prediction.error_map)
        if name in names and np.isfinite(map_).all()
    }


def heat_grid(map_: NDArray[np.floating[Any]]) -> NDArray[np.uint8] | None:
    """Return how much each place speaks for an answer, as a small picture.

    Parameters
    ----------
    map_
        Shape (h, w), of finite numbers.

    Returns
    -------
    numpy.ndarray or None
        Shape (h, w), each `MOST_CELLS` at most, uint8: 0 nothing or against, 255 the strongest place; None where no
        place speaks for it.
    """
    rows, columns = (min(length, MOST_CELLS) for length in map_.shape)
    small = cv2.resize(np.ascontiguousarray(map_, np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    top = float(small.max())
    if top <= 0:
        return None
    return np.asarray(np.round(np.clip(small / top, 0.0, 1.0) * 255), np.uint8)


def strongest_region(map_: NDArray[np.floating[Any]], rows: int, columns: int) -> Outline:
    """Return the outline of the strongest region of a map; the module says by which rule.

    Parameters
    ----------
    map_
        Shape (h, w), any real dtype; its cells divide the image evenly, whatever the aspect ratio.
    rows, columns
        Size of the image, in pixels.

    Returns
    -------
    tuple
        Up to `MOST_POINTS` points, the first also the last, columns in [0, columns], rows in [0, rows]; empty where
        there is no region.

    Raises
    ------
    ValueError
        Where the map has no place or holds values that are not finite.
    """
    fine = _upsampled(map_)
    region = _strongest_part(fine)
    if not _stands_out(region, fine):
        return ()
    corners = _simplified(region)
    # the outermost pixels of the grid stand for the image's edges
    places = corners * (np.array([columns, rows]) / (GRID - 1))
    closed = [(float(column), float(row)) for column, row in (*places, places[0])]
    return tuple(closed) if len(places) > 2 else ()


def contributions(maps: NDArray[np.float32], classifier: Classifier) -> NDArray[np.float32]:
    """Return what each place says for each class.

    Only differences between logits matter to a softmax, so there the mean over the classes is taken off; where only
    some of them are told, the reader has done so.

    Input shape
        (h, w, classes), float32.

    Output shape
        (h, w, classes), float32.
    """
    exclusive = classifier.activation == "softmax" and not classifier.places
    return maps - maps.mean(-1, keepdims=True, dtype=np.float32) if exclusive else maps


def weighed(map_: NDArray[np.float32], errors: NDArray[np.float32] | None) -> Image:
    """Return what each place says for a class, weighed by how odd the errors find the same place.

    Parameters
    ----------
    map_
        Contributions to the class's logit, shape (h, w).
    errors
        How unexpected each place is, above the median of the image, shape (rows, columns); None where nothing says so.

    Returns
    -------
    numpy.ndarray
        The contributions as they are where there are no errors; else of the errors' shape, contributions times root,
        0 where either is negative; 0 everywhere where the two speak of different places (`AGREEMENT`).
    """
    if errors is None:
        return np.ascontiguousarray(map_, np.float32)
    fine = cv2.resize(np.ascontiguousarray(map_, np.float32), errors.shape[::-1], interpolation=cv2.INTER_LINEAR)
    said, odd = np.maximum(fine, 0), np.sqrt(np.maximum(errors, 0))
    both = np.asarray(said * odd, np.float32)
    return np.zeros_like(both) if both.max() < AGREEMENT * said.max() * odd.max() else both


def above_median(errors: NDArray[np.float32]) -> Image:
    """Return errors above their median: what is wrong everywhere is wrong nowhere."""
    return np.asarray(errors - np.median(errors), np.float32)


def _maps(
    manifest: Manifest, maps: NDArray[np.float32] | None, errors: NDArray[np.float32] | None
) -> Iterable[tuple[str, Image]]:
    """Yield each map by its name."""
    odd = above_median(errors) if errors is not None else None
    if maps is not None:
        said = contributions(maps, manifest.classifier)
        for place, known in enumerate(manifest.classes):
            yield known.name, weighed(said[..., place], odd)
    if odd is not None:
        yield ANOMALY, odd


def _upsampled(map_: NDArray[np.floating[Any]]) -> Image:
    plain = np.ascontiguousarray(map_, np.float32)
    if plain.ndim != 2 or not plain.size or not np.isfinite(plain).all():
        raise ValueError(f"a map of shape {map_.shape} with finite values only is needed to find a region")
    across, down = (max(length * SMOOTHING, 1e-3) for length in plain.shape[::-1])
    smooth = cv2.GaussianBlur(plain, (0, 0), across, sigmaY=down, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(smooth, (GRID, GRID), interpolation=cv2.INTER_LINEAR), np.float32)


def _strongest_part(fine: Image) -> NDArray[np.uint8]:
    """Return the connected part above a share of the maximum that sums to most, as 0 and 1; shape (GRID, GRID)."""
    top = float(fine.max())
    above = (fine >= LEVEL * top) & (top > 0)
    marked = above.astype(np.uint8)
    count, labels = cv2.connectedComponents(marked, connectivity=4)
    if count <= 2:  # the background is one of them
        return marked
    sums = np.bincount(labels[above], fine[above])
    return np.asarray(labels == sums.argmax(), np.uint8)


def _stands_out(part: NDArray[np.uint8], fine: Image) -> bool:
    """Return whether a part is there, small enough to point somewhere, and enough of all that speaks for the answer."""
    if not 0 < cv2.countNonZero(part) <= LARGEST_SHARE * part.size:
        return False
    return float(fine[part == 1].sum()) >= SMALLEST_PART * float(fine[fine > 0].sum())


def _simplified(part: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the corners (points, 2) of a part's contour, with a tolerance that grows until they are few enough."""
    contour, tolerance = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0], 1.0
    while len(corners := cv2.approxPolyDP(contour, tolerance, closed=True)) >= MOST_POINTS:
        tolerance *= 1.5
    return np.asarray(corners[:, 0], np.int32)
