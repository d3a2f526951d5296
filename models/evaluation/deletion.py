"""Whether a map is more than decoration: an image without the outlined region has to lose more of its score.

For each image the region is taken out; so are regions of the same size and shape at random places, and its mirror
image on the other side, which for a chest is the same place of the other lung and the harder comparison. There are two
ways to take it out. Painted over from its surroundings, it becomes smooth; for a score that looks for smooth patches,
as the restoring autoencoder's does, that would put something in (on validation images it raised the score). So it can
also be replaced by what stands at the mirrored place, which is tissue.

It knows arrays, outlines and a function that scores; what it scores with is the caller's.

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

Remove = Callable[[Image, Mask], Image]
"""Takes a region out of an image of shape (size, size), float32 in [0, 1]."""


def painted_over(image: Image, mask: Mask) -> Image:
    """Return the image with a region painted over from its surroundings."""
    painted = cv2.inpaint(np.round(image * 255).astype(np.uint8), mask, REACH, cv2.INPAINT_TELEA)
    return np.where(mask == 1, painted.astype(np.float32) / 255, image)


def from_other_side(image: Image, mask: Mask) -> Image:
    """Return the image with a region replaced by what stands at the mirrored place."""
    return np.where(mask == 1, image[:, ::-1], image)


WORDS: dict[Remove, str] = {
    painted_over: "painted over from its surroundings",
    from_other_side: "replaced by what stands at the mirrored place",
}
CONTROLS = ("random", "mirrored")


def deletion_test(
    score: Score, images: Images, outlines: Sequence[Outline], groups: Sequence[str], remove: Remove = painted_over
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
    remove
        How a region is taken out.

    Returns
    -------
    dict or None
        `n`, `area` (mean share of the image), `removal` (in words), `region`, `random`, `mirrored` (mean drops of the
        score), and of the paired differences to the random and to the mirrored region: `above_random`,
        `above_mirrored` (shares of the images where the region's drop is the greater one), `over_random`,
        `over_mirrored` (mean differences), each of these with its `..._interval` (95 %, by patient). None where no
        image has a region; of the mirrored region where its content would go to and fro.
    """
    marked = [number for number, outline in enumerate(outlines) if outline]
    if not marked:
        return None
    masks = [filled(outlines[number], images.shape[1]) for number in marked]
    before = score(images[marked])
    drops = {
        name: before - np.mean([score(copies) for copies in variants], axis=0)
        for name, variants in _variants(images[marked, ..., 0], masks, remove).items()
    }
    paired = [groups[number] for number in marked]
    return {
        "n": len(marked),
        "area": float(np.mean(masks)),
        "removal": WORDS[remove],
        **{name: float(drops[name].mean()) if name in drops else None for name in ("region", *CONTROLS)},
        **{key: value for name in CONTROLS for key, value in _compared(name, drops, paired).items()},
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


def _variants(images: Images, masks: Sequence[Mask], remove: Remove) -> dict[str, list[Images]]:
    """Return the images without their region, without random ones (as often as `PLACES`), and without the mirrored."""
    random = np.random.default_rng(0)

    def without(chosen: Sequence[Mask]) -> Images:
        return np.stack([remove(image, mask) for image, mask in zip(images, chosen, strict=True)])[..., np.newaxis]

    variants = {
        "region": [without(masks)],
        "random": [without([elsewhere(mask, random) for mask in masks]) for _ in range(PLACES)],
    }
    if remove is painted_over:  # from the other side, it would copy the region instead of taking its mirror image out
        variants["mirrored"] = [without([np.ascontiguousarray(mask[:, ::-1]) for mask in masks])]
    return variants


def _compared(name: str, drops: dict[str, NDArray[np.float64]], groups: Sequence[str]) -> dict[str, Any]:
    if name not in drops:
        keys = (f"above_{name}", f"over_{name}")
        return dict.fromkeys((*keys, *(f"{key}_interval" for key in keys)))
    more = drops["region"] - drops[name]
    shares = (more > 0).astype(np.float64)
    return {
        f"above_{name}": float(shares.mean()),
        f"above_{name}_interval": list(mean_interval(shares, groups)),
        f"over_{name}": float(more.mean()),
        f"over_{name}_interval": list(mean_interval(more, groups)),
    }
