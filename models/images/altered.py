"""Kinds of other images that one child could have had: one change each, for a threshold that has to stand all of them.

It knows single images and a random generator. An augmentation mixes such changes; here each stands alone, so that the
one which a network bears worst is not hidden among the others.
"""

from collections.abc import Callable

import numpy as np

from models.images import augment
from models.images.preprocess import Image, stretch

KINDS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "as they are": lambda image, _random: image,
    "blurred": lambda image, random: augment.blurred(image, random.uniform(0.5, 1.5)),
    "sharpened": lambda image, random: image + random.uniform(0.5, 2.5) * (image - augment.blurred(image, 1.0)),
    "local contrast": augment.local_contrast,
    "tone": augment.tone,
    "uneven exposure": augment.bias_field,
    "noise": lambda image, random: image + 0.05 * random.standard_normal(image.shape, np.float32),
    "position": augment.nudged,
}
"""From an image of shape (size, size), float32 in [0, 1], to a changed copy whose values may leave that range."""


def altered(image: Image, kind: str, random: np.random.Generator) -> Image:
    """Return an image of shape (size, size) as one of `KINDS` shows it, float32 in [0, 1]."""
    return stretch(KINDS[kind](image, random))
