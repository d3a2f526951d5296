"""Random changes that a radiograph may undergo without changing what it shows: "aug2", and "aug3" on top of it.

It knows single images and a random generator. Hospitals differ in sharpness, tone and noise far more than in anatomy,
and a classifier left alone learns the equipment instead of the disease; so most of what is here imitates equipment.
"""

import cv2
import numpy as np

from models.images.acquisition import acquired_otherwise
from models.images.preprocess import Image, stretch


def aug2(image: Image, random: np.random.Generator) -> Image:
    """Return a randomly changed copy of an image, as a network in training sees it.

    Parameters
    ----------
    image
        Shape (size, size), float32 in [0, 1]. Not changed.
    random
        The source of every choice.

    Returns
    -------
    numpy.ndarray
        Shape (size, size), float32 in [0, 1].
    """
    return erase(_elsewhere(move(image, random), random), random)


def aug3(image: Image, other: Image, random: np.random.Generator) -> Image:
    """Return a copy changed as by `aug2`, after an exchange of spectrum and tones with another image.

    Parameters
    ----------
    image
        Shape (size, size), float32 in [0, 1]. Not changed.
    other
        Any other training image of the same shape, whatever its label. Not changed.
    random
        The source of every choice.

    Returns
    -------
    numpy.ndarray
        Shape (size, size), float32 in [0, 1].
    """
    return erase(_elsewhere(acquired_otherwise(move(image, random), other, random), random), random)


def equipment(image: Image, random: np.random.Generator) -> Image:
    """Return the image as other equipment might have made it: sharpness, local contrast, tone, uneven exposure."""
    for step, chance in ((sharpness, 0.7), (local_contrast, 0.4), (tone, 0.8), (bias_field, 0.5)):
        if random.random() < chance:
            image = step(image, random)
    return stretch(image)


def move(image: Image, random: np.random.Generator) -> Image:
    """Return the image nudged, and mirrored half of the time."""
    return nudged(image[:, ::-1] if random.random() < 0.5 else image, random)


def nudged(image: Image, random: np.random.Generator) -> Image:
    """Return the image shifted by up to 10 %, turned by up to 8 degrees, sheared, and scaled on each axis by itself.

    Each axis by itself, because preprocessing does not keep the aspect ratio: how far a chest was squeezed tells
    which detector made the image, and nothing about the child.
    """
    size = image.shape[0]
    turn = np.deg2rad(random.uniform(-8.0, 8.0))
    across, down = np.exp(random.uniform(-0.2, 0.2, 2))
    shear = random.uniform(-0.08, 0.08)
    matrix = np.array([
        [np.cos(turn) * across, -np.sin(turn) * down + shear],
        [np.sin(turn) * across, np.cos(turn) * down],
    ])  # fmt: skip
    middle = np.full(2, size / 2)
    offset = middle - matrix @ middle + random.uniform(-0.1, 0.1, 2) * size
    affine = np.column_stack([matrix, offset])
    return np.asarray(cv2.warpAffine(image, affine, (size, size), borderMode=cv2.BORDER_REFLECT_101), np.float32)


def sharpness(image: Image, random: np.random.Generator) -> Image:
    """Return the image blurred, or sharpened by an unsharp mask, each half of the time."""
    if random.random() < 0.5:
        return blurred(image, random.uniform(0.3, 1.5))
    return image + random.uniform(0.3, 2.5) * (image - blurred(image, random.uniform(0.6, 2.0)))


def local_contrast(image: Image, random: np.random.Generator) -> Image:
    """Return the image with its structures of a tenth of the field made stronger or weaker, as vendors' filters do."""
    return image + random.uniform(-0.4, 0.9) * (image - blurred(image, random.uniform(0.04, 0.12) * image.shape[0]))


def tone(image: Image, random: np.random.Generator) -> Image:
    """Return the image under another characteristic curve: a gamma, then an S or its inverse."""
    bent = np.clip(image, 0.0, 1.0) ** np.exp(random.uniform(-0.5, 0.5))
    smooth_step = bent * bent * (3.0 - 2.0 * bent)
    return np.asarray(bent + random.uniform(-0.5, 0.9) * (smooth_step - bent), np.float32)


def bias_field(image: Image, random: np.random.Generator) -> Image:
    """Return the image unevenly exposed: times a smooth field of 1 +- 0.15 or so."""
    coarse = random.normal(0.0, 0.15, (3, 3)).astype(np.float32)
    field = cv2.resize(coarse, image.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(image * (1.0 + field), np.float32)


def noise(image: Image, random: np.random.Generator) -> Image:
    """Return the image with white noise of up to 5 % of its range, half of the time."""
    if random.random() < 0.5:
        return image
    return image + random.uniform(0.0, 0.05) * random.standard_normal(image.shape, np.float32)


def erase(image: Image, random: np.random.Generator) -> Image:
    """Return the image with one or two patches of up to 30 % of each side painted over, a third of the time."""
    if random.random() > 1 / 3:
        return image
    erased, size = image.copy(), image.shape[0]
    for _ in range(int(random.integers(1, 3))):
        height, width = random.integers(size // 12, size // 3, 2)
        top, left = random.integers(0, size - height), random.integers(0, size - width)
        erased[top : top + height, left : left + width] = random.random()
    return erased


def blurred(image: Image, sigma: float) -> Image:
    """Return the image under a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def _elsewhere(image: Image, random: np.random.Generator) -> Image:
    """Return the image by way of other equipment, twice: what one hospital adds to another."""
    return stretch(noise(equipment(equipment(image, random), random), random))
