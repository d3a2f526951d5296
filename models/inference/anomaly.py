"""How unusual an image is: scores of several kinds, standardised among normals, averaged, and placed there.

A part's raw score means nothing by itself; its standard deviations above the mean of held-out normals do, and so does
the average of these over the parts. The rule was chosen without a label of the images that it is reported on. It knows
scores, network outputs and scales; it opens no file. NumPy and OpenCV only.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.bundle.manifest import Anomaly, AnomalyPart
from models.images.preprocess import Image, resize
from models.inference.network import Images

Scores = NDArray[np.float64]
"""One number for each image, shape (images,), float64; higher is stranger."""

Pixels = NDArray[np.float32]
"""What a network says of each place, shape (images, h, h, 1), float32."""

WEIGHTS = {"restoring": 0.5, "residual": 0.25, "one_class": 1.0, "features": 0.25}
"""Weight of each kind of part in the fused scores that are trained here.

On validation images as other equipment would have made them, the restoring autoencoder's mask, the one-class network's,
what is taken away and the features alone reach an AUC of 0.90, 0.94, 0.79 and 0.61, together 0.94. The last two follow
the equipment, but reach 0.90 on images of the known one, where the masks' 0.95 rises to 0.96 with them. Weights near
these do as well to within 0.005.
"""

WORST_MASK, WORST_RESIDUAL = 0.2, 0.1
"""Share of the pixels, the most suspicious ones, that a score averages; 0.05 costs the mask of the first 0.02."""

SMALLEST_DEVIATION = 1e-6
"""Keeps scores finite where all normals look alike."""


def mask_score(mask: Pixels) -> Scores:
    """Return how much of each image looks painted in: the mean logit of its most suspicious fifth.

    Input shape
        (images, h, h, 1), float32 logits.

    Output shape
        (images,), float64; only its place among the scores of normals means anything.
    """
    return _worst(mask, WORST_MASK)


def residual_score(images: Images, restored: Pixels) -> Scores:
    """Return how much brightness the restoring autoencoder takes away where it takes most, smoothed by a place.

    Input shape
        images (images, size, size, 1), float32 in [0, 1]; restored (images, h, h, 1), float32.

    Output shape
        (images,), float64; only its place among the scores of normals means anything.
    """
    taken = [_taken_away(image[..., 0], model[..., 0]) for image, model in zip(images, restored, strict=True)]
    return _worst(np.stack(taken), WORST_RESIDUAL)


def error_map(masks: Sequence[Pixels], size: int) -> NDArray[np.float32]:
    """Return how suspicious each place is: the probability that something was painted in, by the masks' mean logit.

    The masks find synthetic pathology on held-out normals far better than what a network would change does.

    Input shape
        Each (images, h, h, 1), float32 logits; one at least.

    Output shape
        (images, size, size), float32 in [0, 1].
    """
    logits = np.mean([[_enlarged(image[..., 0], size) for image in mask] for mask in masks], axis=0)
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))), np.float32)


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
    """Return the mean over the parts of their standardised scores, by weight, shape (images,)."""
    standard = [(scores - part.mean) / part.deviation for scores, part in zip(raw, parts, strict=True)]
    return np.asarray(np.average(standard, axis=0, weights=[part.weight for part in parts]), np.float64)


def placed(score: float, normals: Anomaly) -> tuple[float, float]:
    """Return z-score and percentile (0 to 100) of a fused score among those of the held-out normals."""
    percentile = float(np.interp(score, normals.quantiles, np.arange(101.0)))
    if bisect_left(normals.quantiles, score) == 0:
        percentile = 0.0
    return (score - normals.mean) / normals.deviation, percentile


def _taken_away(image: Image, restored: Image) -> Image:
    """Return the brightness that is gone from an image, at the restored one's resolution."""
    gone = np.maximum(resize(image, len(restored)) - restored, 0.0)
    return np.asarray(cv2.GaussianBlur(gone, (5, 5), 1.0, borderType=cv2.BORDER_REFLECT), np.float32)


def _enlarged(values: Image, size: int) -> Image:
    return np.asarray(cv2.resize(values, (size, size), interpolation=cv2.INTER_NEAREST), np.float32)


def _worst(values: Pixels, share: float) -> Scores:
    pixels = np.sort(values.reshape(len(values), -1), axis=1)
    worst = max(int(pixels.shape[1] * share), 1)
    return np.asarray(pixels[:, -worst:].mean(1), np.float64)


def _on_scale_of(part: AnomalyPart, scores: Scores) -> AnomalyPart:
    mean, deviation = _scale(scores)
    return replace(part, mean=mean, deviation=deviation)


def _scale(scores: Scores) -> tuple[float, float]:
    return float(scores.mean()), float(max(scores.std(), SMALLEST_DEVIATION))
