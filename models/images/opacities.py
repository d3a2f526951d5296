"""Synthetic pathology: soft opacities painted into normal radiographs. It knows single images and a generator."""

import cv2
import numpy as np

from models.images.preprocess import Image


def with_opacities(image: Image, random: np.random.Generator) -> tuple[Image, Image]:
    """Return the image with soft synthetic opacities, and the mask of where they are.

    Input shape
        (size, size), float32 in [0, 1].

    Output shape
        Image (size, size), float32 in [0, 1]; mask (size, size), float32, 0 or 1.
    """
    opacity = np.zeros_like(image)
    for _ in range(int(random.integers(1, 5))):
        opacity = np.maximum(opacity, _opacity(image.shape[0], random))
    # An opacity attenuates: it moves what lies under it towards the brightness of dense tissue, and hides structure.
    brightness = random.uniform(0.55, 0.95)
    hidden = cv2.GaussianBlur(image, (0, 0), random.uniform(1.0, 4.0))
    veiled = image + opacity * (0.5 * (hidden - image) + np.maximum(brightness - hidden, 0.0))
    return np.clip(veiled, 0.0, 1.0).astype(np.float32), (opacity > 0.1).astype(np.float32)


def _opacity(size: int, random: np.random.Generator) -> Image:
    """Return one cloud: a turned ellipse with a ragged, soft edge; strength 0 to 0.9."""
    row, column = np.mgrid[0:size, 0:size].astype(np.float32) / size
    center_row, center_column = random.uniform(0.2, 0.85), random.uniform(0.12, 0.88)
    angle, long, short = random.uniform(0, np.pi), random.uniform(0.06, 0.3), random.uniform(0.04, 0.18)
    along = (column - center_column) * np.cos(angle) + (row - center_row) * np.sin(angle)
    across = (row - center_row) * np.cos(angle) - (column - center_column) * np.sin(angle)
    distance = (along / long) ** 2 + (across / short) ** 2
    ragged = cv2.resize(random.normal(0, 1, (8, 8)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    texture = cv2.resize(random.normal(0, 1, (16, 16)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    cloud = 0.5 - 0.5 * np.tanh(random.uniform(1, 3) * (distance - 1.0 + 0.35 * ragged))
    return np.asarray(random.uniform(0.15, 0.9) * cloud * np.clip(1.0 + 0.3 * texture, 0.3, 1.3), np.float32)
