"""Hand-made features of a radiograph: where edges run, how strong they are, how bright and how busy each place is.

NumPy only. They describe what body part and what kind of image this is, and forgive sharpness and tone.

References
----------
Dalal N, Triggs B, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.
"""

import numpy as np
from numpy.typing import NDArray

from models.images.preprocess import Image

CELLS = (8, 16)
"""Cells along each side, one number for each scale."""

ORIENTATIONS = 9
"""Histogram bins over half a turn."""

FAINT = 1e-3
"""Energy below which a cell counts as empty."""

PER_CELL = ORIENTATIONS + 3
"""Numbers that describe one cell: the histogram, log energy, mean, standard deviation."""


def feature_count() -> int:
    """Return the length of a feature vector."""
    return PER_CELL * sum(cells * cells for cells in CELLS)


def features(image: Image) -> NDArray[np.float32]:
    """Return what describes an image, place by place, at two scales.

    Input shape
        (size, size), float32 in [0, 1]; size a multiple of 16.

    Output shape
        (feature_count(),), float32.
    """
    rows, columns = np.gradient(image)
    magnitude = np.hypot(rows, columns)
    bins = _votes(np.arctan2(rows, columns), magnitude)
    return np.concatenate([_at_scale(image, magnitude, bins, cells) for cells in CELLS], dtype=np.float32)


def _votes(angle: Image, magnitude: Image) -> Image:
    """Share each pixel's edge between the two nearest orientations; shape (orientations, size, size)."""
    place = (angle / np.pi % 1.0) * ORIENTATIONS
    lower = np.floor(place).astype(np.int64)
    upper_share = place - lower
    votes = np.zeros((ORIENTATIONS, *angle.shape), np.float32)
    row, column = np.indices(angle.shape)
    votes[lower % ORIENTATIONS, row, column] += magnitude * (1.0 - upper_share)
    votes[(lower + 1) % ORIENTATIONS, row, column] += magnitude * upper_share
    return votes


def _at_scale(image: Image, magnitude: Image, votes: Image, cells: int) -> Image:
    histogram = np.stack([_cell_means(vote, cells) for vote in votes])
    energy = np.sqrt((histogram**2).sum(0)) + FAINT
    mean, square = _cell_means(image, cells), _cell_means(image**2, cells)
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    log_energy = np.log(_cell_means(magnitude, cells) + FAINT)
    return np.concatenate([(histogram / energy).ravel(), log_energy.ravel(), mean.ravel(), deviation.ravel()])


def _cell_means(image: Image, cells: int) -> Image:
    side = image.shape[0] // cells
    return np.asarray(image.reshape(cells, side, cells, side).mean((1, 3)), np.float32)
