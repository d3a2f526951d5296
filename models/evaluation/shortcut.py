"""The shortcut: what sharpness alone, without any network, would reach on the same images.

In the public chest set the normal images were made by sharper equipment, so a model can look good by measuring the
equipment. A result means as much as it stands above this one.
"""

import cv2
import numpy as np

from models.data.dataset import LabelledImages
from models.evaluation import metrics
from models.evaluation.metrics import Scores

SIZE = 128
"""Rows and columns at which sharpness is measured: the shipped classifier's, so that both see the same."""


def blur(images: LabelledImages) -> Scores:
    """Return how blurred each image is, shape (images,): the deviation of its Laplacian, with the sign turned."""
    return np.array([-cv2.Laplacian(image[..., 0], cv2.CV_32F).std() for image in images.views(SIZE)], np.float64)


def sharpness_auc(images: LabelledImages) -> float:
    """Return the AUC of blur alone for presence; 0.5 is no shortcut, as far as sharpness goes."""
    return metrics.auc(images.labels, blur(images))
