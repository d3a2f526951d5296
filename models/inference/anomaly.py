"""How unusual an image is, from what the restoring autoencoder says of it. NumPy only."""

import numpy as np
from numpy.typing import NDArray

WORST_SHARE = 0.05
"""Share of the pixels, the most suspicious ones, whose mean mask value is the anomaly score."""


def anomaly_score(mask: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much of an image looks painted in: the mean mask logit of its most suspicious pixels.

    Input shape
        (images, size, size, 1), float32 logits.

    Output shape
        (images,), float64; only its place among the scores of normals means anything.
    """
    pixels = np.sort(mask.reshape(len(mask), -1), axis=1)
    worst = max(int(pixels.shape[1] * WORST_SHARE), 1)
    return np.asarray(pixels[:, -worst:].mean(1), np.float64)
