"""The shortcut: what sharpness alone, without any network, would reach on the same images.

In the public chest set the images of either kind were not made alike, so a model can look good by measuring the
equipment. A result means as much as it stands above this one. Of eleven measures of sharpness at five sizes, the mean
gradient of the image as it comes told the validation images apart best (AUC 0.91). That one depends on the unit of the
pixels: images of 12 bits would be sharper than the same ones of eight, and two devices be told apart by their contrast.
So the mean gradient is taken of the stretched network input, at the one of 64, 128 and 224 pixels that told the
validation images apart best (0.870, 0.878 and 0.868).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.labelled import LabelledImages
from models.evaluation import metrics
from models.evaluation.metrics import Scores

SIDE = 128
"""Rows and columns at which sharpness is taken."""


def blur(images: LabelledImages) -> Scores:
    """Return how blurred each image is, shape (images,): its mean gradient as network input, with the sign turned."""
    return np.array([-_mean_gradient(image[..., 0]) for image in images.views(SIDE)], np.float64)


def sharpness(images: LabelledImages) -> dict[str, Any]:
    """Return the AUC of blur or sharpness alone for presence; 0.5 is no shortcut, as far as sharpness goes.

    Returns
    -------
    dict
        `sharpness_auc`, at least 0.5, `sharpness_auc_interval` (95 %, by group) and `sharpness_direction`, which says
        what stands for presence: "blurred" or "sharp".
    """
    scores, direction = blur(images), "blurred"
    if metrics.auc(images.labels, scores) < 0.5:
        scores, direction = -scores, "sharp"
    ends = metrics.auc_interval(images.labels, scores, images.groups)
    area = metrics.auc(images.labels, scores)
    return {"sharpness_auc": area, "sharpness_auc_interval": list(ends), "sharpness_direction": direction}


def _mean_gradient(image: NDArray[np.float32]) -> float:
    plain = np.ascontiguousarray(image)
    return float(np.hypot(cv2.Sobel(plain, cv2.CV_32F, 1, 0), cv2.Sobel(plain, cv2.CV_32F, 0, 1)).mean())
