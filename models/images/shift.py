"""Random positions: what a small picture such as a digit may undergo without becoming another one: "shift"."""

import cv2
import numpy as np

from models.images.preprocess import Image

TURN_DEGREES, GROWTH, SHEAR, SHARE = 12.0, 0.12, 0.15, 0.08
"""How far at most, to either side: turn, logarithm of the scale, shear, and shift as a share of the image."""


def shift(image: Image, random: np.random.Generator) -> Image:
    """Return the image turned by up to 12 degrees, scaled and sheared a little, and shifted by up to 8 %.

    What comes in from outside is background.

    Parameters
    ----------
    image
        Shape (size, size), float32 in [0, 1], bright on 0. Not changed.
    random
        The source of every choice.
    """
    turn, across, down, shear, right, below = random.uniform(-1.0, 1.0, 6)
    angle, size = np.deg2rad(TURN_DEGREES * turn), image.shape[0]
    across, down = np.exp(GROWTH * across), np.exp(GROWTH * down)
    matrix = np.array([
        [np.cos(angle) * across, -np.sin(angle) * down + SHEAR * shear],
        [np.sin(angle) * across, np.cos(angle) * down],
    ])  # fmt: skip
    middle = np.full(2, (size - 1) / 2)
    offset = middle - matrix @ middle + SHARE * size * np.array([right, below])
    return np.asarray(cv2.warpAffine(image, np.column_stack([matrix, offset]), (size, size)), np.float32)
