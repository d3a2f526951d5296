"""How unusual an image is: scores of several kinds, standardised among normals, averaged, and placed there.

A part's raw score means nothing by itself; its standard deviations above the mean of held-out normals do, and so does
the average of these over the parts. It knows scores, network outputs and scales; it opens no file.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.bundle.manifest import Anomaly, AnomalyPart
from models.inference.network import Images, Outputs

Scores = NDArray[np.float64]
"""One number for each image, float64; higher is stranger."""

WORST_SHARE = 0.05
"""Share of the pixels, the most suspicious ones, whose mean mask value is the restoring autoencoder's score."""

SMALLEST_DEVIATION = 1e-6
"""Keeps scores finite where all normals look alike."""


def anomaly_score(mask: NDArray[np.float32]) -> Scores:
    """Return how much of an image looks painted in: the mean mask logit of its most suspicious pixels.

    Input shape
        (images, size, size, 1), float32 logits.

    Output shape
        (images,), float64; only its place among the scores of normals means anything.
    """
    pixels = np.sort(mask.reshape(len(mask), -1), axis=1)
    worst = max(int(pixels.shape[1] * WORST_SHARE), 1)
    return np.asarray(pixels[:, -worst:].mean(1), np.float64)


def error_map(images: Images, outputs: Outputs) -> NDArray[np.float32]:
    """Return how far each pixel is from what the restoring autoencoder would expect there.

    Input shape
        images (images, size, size, 1), float32 in [0, 1]; outputs["restored"] likewise.

    Output shape
        (images, size, size), float32, 0 or more.
    """
    return np.asarray(np.abs(images - outputs["restored"])[..., 0], np.float32)


def scaled(parts: Sequence[AnomalyPart], raw: Sequence[Scores]) -> Anomaly:
    """Return the parts with the scales that normals' scores give them, and the scale of their fusion.

    Parameters
    ----------
    parts
        Their own scales are replaced.
    raw
        What each part says of the normals, each of shape (images,).
    """
    own = tuple(_on_scale_of(part, scores) for part, scores in zip(parts, raw, strict=True))
    together = fused(raw, own)
    return Anomaly(own, *_scale(together), quantiles=tuple(map(float, np.percentile(together, np.arange(101)))))


def fused(raw: Sequence[Scores], parts: Sequence[AnomalyPart]) -> Scores:
    """Return the mean over the parts of their standardised scores, shape (images,)."""
    standard = [(scores - part.mean) / part.deviation for scores, part in zip(raw, parts, strict=True)]
    return np.asarray(np.mean(standard, axis=0), np.float64)


def placed(score: float, normals: Anomaly) -> tuple[float, float]:
    """Return z-score and percentile (0 to 100) of a fused score among those of the held-out normals."""
    percentile = float(np.interp(score, normals.quantiles, np.arange(101.0)))
    if bisect_left(normals.quantiles, score) == 0:
        percentile = 0.0
    return (score - normals.mean) / normals.deviation, percentile


def _on_scale_of(part: AnomalyPart, scores: Scores) -> AnomalyPart:
    mean, deviation = _scale(scores)
    return replace(part, mean=mean, deviation=deviation)


def _scale(scores: Scores) -> tuple[float, float]:
    return float(scores.mean()), float(max(scores.std(), SMALLEST_DEVIATION))
