"""Patients held out by how their images were acquired: where a shortcut misleads, and where images are sharpest.

It looks at images and labels alone, and knows neither networks nor files.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.images.preprocess import Image, Values, network_input, resize

SHARE = 0.2
"""Share of the patients of each class that is held out."""

RINGS = 12
"""Rings of the spectrum, from a quarter of the Nyquist frequency up to it."""


def acquisition(pixels: Values) -> NDArray[np.float64]:
    """Return what tells the equipment rather than the child: spectrum, blur and edges; shape (RINGS + 5,)."""
    image = network_input(pixels, None, False, 224)[..., 0]
    edges = [image[:9], image[-9:], image[:, :9], image[:, -9:]]
    return np.array([*rings(image), blur(image), *(float((edge < 0.03).mean()) for edge in edges)])


def rings(image: Image) -> NDArray[np.float64]:
    """Return the mean log power of each ring of frequencies, shape (RINGS,)."""
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    power = np.log(np.abs(np.fft.rfft2((image - image.mean()) * window)) ** 2 + 1e-6)
    radius = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]) / 0.5
    number = np.floor((radius - 0.25) / 0.75 * RINGS).astype(int)
    return np.array([power[number == ring].mean() for ring in range(RINGS)])


def blur(image: Image) -> float:
    """Return the negative spread of the Laplacian at 128 px."""
    return -float(cv2.Laplacian(resize(image, 128), cv2.CV_32F).std())


def held_out(
    pixels: Sequence[Values], labels: NDArray[np.float32], groups: Sequence[str]
) -> dict[str, NDArray[np.bool_]]:
    """Return for `swapped` and `sharper` which images are held out, each of shape (images,)."""
    features = np.stack([acquisition(image) for image in pixels])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
    looks_ill = cross_val_predict(model, features, labels, groups=groups, cv=GroupKFold(5), method="decision_function")
    wrong = np.where(labels == 0, looks_ill, -looks_ill)
    return {
        "swapped": of_highest_groups(wrong, labels, groups),
        "sharper": of_highest_groups(-features[:, RINGS], labels, groups),
    }


def of_highest_groups(
    values: NDArray[np.float64], labels: NDArray[np.float32], groups: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which images belong to the SHARE of groups of either class whose mean value is highest."""
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    mean = np.bincount(number, values) / np.bincount(number)
    ill = np.bincount(number, labels) > 0
    chosen = np.zeros(len(names), bool)
    for kind in (ill, ~ill):
        chosen |= kind & (mean >= np.quantile(mean[kind], 1 - SHARE))
    return np.asarray(chosen[number], bool)
