"""Changes of images that no augmentation was written after: other detectors, consoles, edges and positions."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.images.preprocess import network_input, stretch

Pixels = NDArray[np.uint8]


def compressed(pixels: Pixels, quality: int) -> Pixels:
    """Return the image after a JPEG of some quality."""
    _, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def jpeg(pixels: Pixels) -> Pixels:
    """Return the image after a JPEG of quality 25."""
    return compressed(pixels, 25)


def small_detector(pixels: Pixels) -> Pixels:
    """Return the image by way of 96 x 96."""
    return np.asarray(cv2.resize(cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA), (224, 224)), np.uint8)


def equalised(pixels: Pixels) -> Pixels:
    """Return the image under CLAHE, as some consoles show it."""
    return np.asarray(cv2.createCLAHE(3.0, (8, 8)).apply(pixels), np.uint8)


def black_edges(pixels: Pixels) -> Pixels:
    """Return the image with black edges of 10 % on every side, nothing cut off."""
    inner = cv2.resize(pixels, (180, 180), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(inner, 22, 22, 22, 22, cv2.BORDER_CONSTANT, value=0), np.uint8)


def black_sides(pixels: Pixels) -> Pixels:
    """Return the image with black edges of 12 % left and right, painted over what was there."""
    image = pixels.copy()
    image[:, :27] = image[:, -27:] = 0
    return image


def turned(pixels: Pixels) -> Pixels:
    """Return the image turned by 12 degrees, black where nothing was."""
    return np.asarray(cv2.warpAffine(pixels, cv2.getRotationMatrix2D((112, 112), 12, 1), (224, 224)), np.uint8)


def edged(pixels: Pixels) -> Pixels:
    """Return the image after strong edge enhancement, as newer detectors do it."""
    image = pixels.astype(np.float32)
    return np.asarray(np.clip(image + 2.0 * (image - cv2.GaussianBlur(image, (0, 0), 1.5)), 0, 255), np.uint8)


SHIFTS: dict[str, Callable[[Pixels], Pixels]] = {
    change.__name__: change for change in (jpeg, small_detector, equalised, black_edges, black_sides, turned, edged)
}


def shifted(pixels: Sequence[Pixels], size: int) -> dict[str, NDArray[np.float32]]:
    """Return network inputs of each shift, each of shape (images, size, size, 1)."""
    return {name: np.stack([stretched(change(image), size) for image in pixels]) for name, change in SHIFTS.items()}


def stretched(pixels: Pixels, size: int) -> NDArray[np.float32]:
    """Return the network's input of 8-bit pixels."""
    return stretch(network_input(pixels, None, False, size)[..., 0])[..., np.newaxis]
