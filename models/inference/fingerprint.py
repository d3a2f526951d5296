"""What a bundle saw of an image, in a few numbers: enough to tell whether images have changed, and no image.

The maps of a classifier say where it looked and how much, which tells another hospital's images within a few dozen
where the scores say nothing; the place among known images tells other equipment, framing and ages. Neither can be
turned back into the image.

References
----------
Rabanser S, Gunnemann S, Lipton Z, "Failing Loudly: An Empirical Study of Methods for Detecting Dataset Shift", NeurIPS
2019 (drift is told by what a classifier makes of images, not by the images themselves).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.inference.classify import SURE
from models.inference.prepare import Seen
from models.inference.reader import Prediction

SIDE = 8
"""Rows and columns to which a map is brought down."""

LEADING = 8
"""Directions of the known images that are kept, those along which they differ most: with all 64 a reference of 300
images alarms falsely for one window in thirty (chest_kermany, patients held out), with 8 for one in 150."""

Numbers = NDArray[np.float16]
"""Shape (numbers,), float16: as many of each image that a version of a model reads; none where it has no such part."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one version of a model saw of one image."""

    classifier: Numbers  #: maps and logits of each class; empty where the image was not admitted
    anomaly: Numbers  #: its place among known images, `LEADING` + 1 numbers; empty where the bundle has no admission


def fingerprint(seen: Seen, prediction: Prediction) -> Fingerprint:
    """Return what was seen of an image.

    Parameters
    ----------
    seen
        The image as the networks took it.
    prediction
        What they said of it.
    """
    return Fingerprint(_half(_classifier(prediction)), _half(_place(seen)))


def _place(seen: Seen) -> NDArray[np.float32]:
    """Return where the image lies along the leading directions, and what cannot be rebuilt of it."""
    if seen.place is None:
        return np.zeros(0, np.float32)
    return np.concatenate([seen.place[:-1][:LEADING], seen.place[-1:]])


def _classifier(prediction: Prediction) -> NDArray[np.float32]:
    if not prediction.admitted:
        return np.zeros(0, np.float32)
    likely = np.clip(np.array(list(prediction.probabilities.values()), np.float64), SURE, 1.0 - SURE)
    logits = np.log(likely / (1.0 - likely)).astype(np.float32)
    return logits if prediction.maps is None else np.concatenate([_brought_down(prediction.maps).ravel(), logits])


def _brought_down(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return maps of at most 8 x 8, shape (h, w, classes)."""
    rows, columns = (min(side, SIDE) for side in maps.shape[:2])
    smaller = cv2.resize(np.ascontiguousarray(maps, np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.float32)


def _half(numbers: NDArray[np.float32]) -> Numbers:
    most = np.finfo(np.float16).max
    return np.clip(numbers, -most, most).astype(np.float16)
