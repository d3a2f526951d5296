"""Synthetic pathology: what is painted into normal radiographs so that networks learn to see what normals do not have.

Two families, for two networks whose scores are averaged, so that the answer hangs on no single idea of disease.
"clouds" are dense spots, as in bacterial consolidation. "veils" are larger, often hardly brighter than what surrounds
them, and hide what lies under them, borders of heart and diaphragm included, as hazy viral disease does. It knows
single images and a generator. It knows no lungs: clouds and haze placed by a rough map of them taught less (AUC 0.84
against 0.91 under changed equipment).

References
----------
Zavrtanik V et al., "DRAEM", ICCV 2021 · Sato J et al., "Anatomy-aware self-supervised learning for anomaly detection in
chest radiographs", iScience 26(7), 2023 · Felson B, Felson H, "Localization of intrathoracic lesions by means of the
postero-anterior roentgenogram: the silhouette sign", Radiology 55(3), 1950.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from models.images.augment import blurred
from models.images.preprocess import Image

SEEN = 0.1
"""Strength of an opacity from which its place counts as painted in."""

Range = tuple[float, float]
"""Lowest and highest value of a uniform draw."""


@dataclass(frozen=True, slots=True)
class Veil:
    """How opacities of one family look."""

    growth: Range  #: times the size of a spot, which is 0.06 to 0.3 of the field long and 0.04 to 0.18 wide
    hiding: Range  #: share of the structure under it that is blurred away
    relative: float  #: share of them that are a little brighter than their surroundings, not as bright as dense tissue


CLOUDS, VEILS = Veil((1.0, 1.0), (0.5, 0.5), 0.0), Veil((1.0, 1.8), (0.3, 1.0), 0.4)


def with_opacities(image: Image, random: np.random.Generator, family: str = "clouds") -> tuple[Image, Image]:
    """Return the image with synthetic pathology, and the mask of where it is.

    Parameters
    ----------
    image
        Shape (size, size), float32 in [0, 1]. Not changed.
    random
        The source of every choice.
    family
        One of `FAMILIES`.

    Returns
    -------
    tuple
        Image (size, size), float32 in [0, 1]; mask (size, size), float32, 0 or 1.

    Raises
    ------
    KeyError
        Where there is no such family.
    """
    ways = FAMILIES[family]
    painted, opacity = ways[int(random.integers(len(ways)))](image, random)
    return np.clip(painted, 0.0, 1.0).astype(np.float32), (opacity > SEEN).astype(np.float32)


def clouds(image: Image, random: np.random.Generator) -> tuple[Image, Image]:
    """Return the image with one to four dense spots, and their strength, both of shape (size, size)."""
    return _veiled(image, random, CLOUDS)


def veils(image: Image, random: np.random.Generator) -> tuple[Image, Image]:
    """Return the image with one to four large and weak opacities, and their strength, both of shape (size, size)."""
    return _veiled(image, random, VEILS)


def lost_borders(image: Image, random: np.random.Generator) -> tuple[Image, Image]:
    """Return the image with places whose borders are lost, and the strength of that, both of shape (size, size)."""
    size, strength = image.shape[0], np.zeros_like(image)
    for _ in range(int(random.integers(1, 4))):
        center = random.uniform(0.3, 0.8), random.uniform(0.25, 0.75)
        strength = np.maximum(strength, _spot(size, random, center, 1.2))
    strength = random.uniform(0.5, 1.0) * strength
    lost = blurred(image, random.uniform(2.0, 5.0) * size / 64)
    return image + strength * (lost - image + random.uniform(0.0, 0.15)), strength


FAMILIES: dict[str, tuple[Callable[[Image, np.random.Generator], tuple[Image, Image]], ...]] = {
    "clouds": (clouds,),
    "veils": (veils, lost_borders),
}
"""By name: the ways, equally likely, in which one example is painted."""


def _veiled(image: Image, random: np.random.Generator, look: Veil) -> tuple[Image, Image]:
    """Return image and strength: an opacity moves what lies under it towards denser tissue, and hides it."""
    size, growth = image.shape[0], random.uniform(*look.growth)
    opacity = np.zeros_like(image)
    for _ in range(int(random.integers(1, 5))):
        opacity = np.maximum(opacity, _cloud(size, random, growth))
    hidden = blurred(image, random.uniform(1.0, 4.0) * size / 64)
    hiding = random.uniform(*look.hiding) * (hidden - image)
    return image + opacity * (hiding + np.maximum(_brightness(image, random, look) - hidden, 0.0)), opacity


def _brightness(image: Image, random: np.random.Generator, look: Veil) -> Image | float:
    if random.random() < look.relative:
        return blurred(image, image.shape[0] / 6) + np.float32(random.uniform(0.0, 0.3))
    return float(random.uniform(0.55, 0.95))


def _cloud(size: int, random: np.random.Generator, growth: float) -> Image:
    """Return one spot of uneven strength 0 to 0.9, anywhere but at the rim."""
    center = random.uniform(0.2, 0.85), random.uniform(0.12, 0.88)
    spot = random.uniform(0.15, 0.9) * _spot(size, random, center, growth)
    return np.asarray(spot * np.clip(1.0 + 0.3 * _field(size, 16, random), 0.3, 1.3), np.float32)


def _spot(size: int, random: np.random.Generator, center: tuple[float, float], growth: float) -> Image:
    """Return a turned ellipse with a ragged, soft edge, 0 to 1; `center` as shares of rows and columns."""
    row, column = np.mgrid[0:size, 0:size].astype(np.float32) / size - np.array(center, np.float32)[:, None, None]
    angle, long, short = random.uniform(0, np.pi), random.uniform(0.06, 0.3), random.uniform(0.04, 0.18)
    along = column * np.cos(angle) + row * np.sin(angle)
    across = row * np.cos(angle) - column * np.sin(angle)
    distance = (along / (long * growth)) ** 2 + (across / (short * growth)) ** 2
    ragged = distance - 1.0 + 0.35 * _field(size, 8, random)
    return np.asarray(0.5 - 0.5 * np.tanh(random.uniform(1, 3) * ragged), np.float32)


def _field(size: int, cells: int, random: np.random.Generator) -> Image:
    """Return smooth noise of deviation 1 or a little less, with so many hills along each side."""
    coarse = random.normal(0.0, 1.0, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)
