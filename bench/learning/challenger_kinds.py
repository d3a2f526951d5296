"""Every kind of challenger at the gate, by what it learns from: one that is good, and those that are not."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bench.learning.divisions import divided, joined, some_of
from bench.learning.gate_rounds import Round
from bench.learning.shifts import compressed
from models.data.labelled import LabelledImages

GOOD, ELSEWHERE, ONE_CLASS = "more data", "without replay", "single class"
HALF, FLIPPED = 0.5, 0.2
"""Of the champion's patients, those in a challenger with half the data; of the labels, those that are turned round."""

JPEG_QUALITY = 60


def more_data(one: Round) -> LabelledImages:
    """Return all that there is of the same kind: what a good challenger learns from."""
    return one.pool


def half_the_data(one: Round) -> LabelledImages:
    """Return what half of the champion's patients leave."""
    return divided(one.known, HALF, np.random.default_rng(one.seed))[0]


def flipped(one: Round) -> LabelledImages:
    """Return all images, a fifth of their labels turned round."""
    random = np.random.default_rng(one.seed)
    turned = random.random(len(one.pool)) < FLIPPED
    return replace(one.pool, labels=np.where(turned, 1 - one.pool.labels, one.pool.labels), _views={})


def single_class(one: Round) -> LabelledImages:
    """Return the images of the ill alone."""
    return some_of(one.pool, one.pool.labels == 1)


def duplicated(one: Round) -> LabelledImages:
    """Return the champion's images and those of the site's locked set, compressed anew, as those of other patients."""
    again = tuple(compressed(np.asarray(pixels, np.uint8), JPEG_QUALITY) for pixels in one.site.pixels)
    renamed = tuple(f"again-{group}" for group in one.site.groups)
    return joined(one.known, replace(one.site, pixels=again, groups=renamed, _views={}))


def elsewhere(one: Round) -> LabelledImages:
    """Return the other hospital's images alone."""
    return one.adults


KINDS: Sequence[tuple[str, Callable[[Round], LabelledImages]]] = (
    (GOOD, more_data),
    (ELSEWHERE, elsewhere),
    ("labels flipped", flipped),
    (ONE_CLASS, single_class),
    ("duplicates", duplicated),
    ("half the data", half_the_data),
)
"""Every kind of challenger, the good one first."""
