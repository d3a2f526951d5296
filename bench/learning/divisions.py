"""Labelled images divided by patient, chosen and joined."""

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import LabelledImages


def divided(images: LabelledImages, share: float, random: np.random.Generator) -> tuple[LabelledImages, LabelledImages]:
    """Return the images of a share of the patients, and those of all others."""
    patients = np.unique(np.asarray(images.groups))
    chosen = set(random.permutation(patients)[: round(share * len(patients))].tolist())
    there = np.array([group in chosen for group in images.groups])
    return some_of(images, there), some_of(images, ~there)


def some_of(images: LabelledImages, there: NDArray[np.bool_]) -> LabelledImages:
    """Return those of the images that are chosen, with what is known of each."""
    numbers = np.flatnonzero(there)
    return LabelledImages(
        tuple(images.pixels[number] for number in numbers),
        images.labels[numbers],
        tuple(images.groups[number] for number in numbers),
        tuple(images.names[number] for number in numbers),
        attributes={name: tuple(column[number] for number in numbers) for name, column in images.attributes.items()},
    )


def joined(one: LabelledImages, other: LabelledImages) -> LabelledImages:
    """Return the images of both, without what is known of them beside label and patient."""
    return LabelledImages(
        one.pixels + other.pixels,
        np.concatenate([one.labels, other.labels]),
        one.groups + other.groups,
        one.names + other.names,
    )
