"""Whether a map is more than decoration: an image without the outlined region has to lose more of its score.

For each image the region is painted over from its surroundings; so are regions of the same size and shape at random
places, and its mirror image on the other side, which for a chest is the same place of the other lung and the harder
comparison. It knows arrays, outlines and a function that scores; what it scores with is the caller's.

References
----------
Fong R, Vedaldi A, "Interpretable Explanations of Black Boxes by Meaningful Perturbation", ICCV 2017 · Petsiuk V, Das A,
Saenko K, "RISE", BMVC 2018 (deletion) · Telea A, "An image inpainting technique based on the fast marching method",
J. Graphics Tools 9(1), 2004.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.bootstrap import mean_interval
from models.images.preprocess import Image
from models.inference.explain import Outline

PLACES = 4
"""Random places that are tried for each image."""

REACH = 4
"""Pixels around a place from which it is painted over."""

Images = NDArray[np.float32]
Score = Callable[[Images], NDArray[np.float64]]
"""Images (images, size, size, 1) to scores (images,); what a region adds to."""

Mask = NDArray[np.uint8]
"""Shape (size, size), 1 inside of a region."""


def deletion_test(
    score: Score, images: Images, outlines: Sequence[Outline], groups: Sequence[str]
) -> dict[str, Any] | None:
    """Return what the score loses with the outlined region, with random ones, and with the mirrored one.

    Parameters
    ----------
    score
        What is asked of the network, such as a logit.
    images
        Shape (images, size, size, 1), float32 in [0, 1].
    outlines
        The strongest region of each image, in its pixels; images without one are left out.
    groups
        The group of each image.

    Returns
    -------
    dict or None
        `n`, `area` (mean share of the image), `region`, `random`, `mirrored` (mean drops of the score), and of the
        paired differences to the random and to the mirrored region: `above_random`, `above_mirrored` (shares of the
        images where the region's drop is the greater one), `over_random`, `over_mirrored` (mean differences), each of
        these with its `..._interval` (95 %, by patient). None where no image has a region.
    """
    marked = [number for number, outline in enumerate(outlines) if outline]
    if not marked:
        return None
    masks = [filled(outlines[number], images.shape[1]) for number in marked]
    before = score(images[marked])
    drops = {
        name: before - np.mean([score(copies) for copies in variants], axis=0)
        for name, variants in _variants(images[marked, ..., 0], masks).items()
    }
    return {
        "n": len(marked),
        "area": float(np.mean(masks)),
        **{name: float(drop.mean()) for name, drop in drops.items()},
        **_compared("random", drops, [groups[number] for number in marked]),
        **_compared("mirrored", drops, [groups[number] for number in marked]),
    }


def filled(outline: Outline, size: int) -> Mask:
    """Return the inside of an outline as a mask."""
    mask = np.zeros((size, size), np.uint8)
    return np.asarray(cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1), np.uint8)


def elsewhere(mask: Mask, random: np.random.Generator) -> Mask:
    """Return the region moved to a random place where all of it is in the image; it may overlap the one it was."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top, left = (random.integers(0, whole - length + 1) for whole, length in zip(mask.shape, part.shape, strict=True))
    moved = np.zeros_like(mask)
    moved[top : top + part.shape[0], left : left + part.shape[1]] = part
    return moved


def removed(image: Image, mask: Mask) -> Image:
    """Return the image with a region painted over from its surroundings; shape (size, size), float32 in [0, 1]."""
    painted = cv2.inpaint(np.round(image * 255).astype(np.uint8), mask, REACH, cv2.INPAINT_TELEA)
    return np.where(mask == 1, painted.astype(np.float32) / 255, image)


def _variants(images: Images, masks: Sequence[Mask]) -> dict[str, list[Images]]:
    """Return the images without their region, without random ones (as often as `PLACES`), and without the mirrored."""
    random = np.random.default_rng(0)
    return {
        "region": [_without(images, masks)],
        "random": [_without(images, [elsewhere(mask, random) for mask in masks]) for _ in range(PLACES)],
        "mirrored": [_without(images, [np.ascontiguousarray(mask[:, ::-1]) for mask in masks])],
    }


def _without(images: Images, masks: Sequence[Mask]) -> Images:
    return np.stack([removed(image, mask) for image, mask in zip(images, masks, strict=True)])[..., np.newaxis]


def _compared(name: str, drops: dict[str, NDArray[np.float64]], groups: Sequence[str]) -> dict[str, Any]:
    more = drops["region"] - drops[name]
    shares = (more > 0).astype(np.float64)
    return {
        f"above_{name}": float(shares.mean()),
        f"above_{name}_interval": list(mean_interval(shares, groups)),
        f"over_{name}": float(more.mean()),
        f"over_{name}_interval": list(mean_interval(more, groups)),
    }
