"""How often each training image is shown, and what it weighs, where images come from several places.

A site's few hundred images beside thousands that a champion learned from would count for nothing, and where one place
shows more of a class than another, a network learns the place in place of the disease. So within each class all places
weigh the same: few images are shown several times, and what repetition cannot even out, weights do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import LabelledImages

SOURCE = "source"
"""The attribute of images that names where they are from."""

MOST = 8
"""Times that an image is shown in one epoch at most, changed by augmentation each time."""


@dataclass(frozen=True, slots=True)
class Draws:
    """The images of one epoch before they are shuffled."""

    numbers: NDArray[np.int64]  #: of images, some of them several times
    weights: NDArray[np.float32]  #: of each image, by its number; 1 on average within a class


def once(images: int) -> Draws:
    """Return that each of so many images is shown once."""
    return Draws(np.arange(images), np.ones(images, np.float32))


def draws_of(images: LabelledImages) -> Draws:
    """Return how often each image is shown; once and with the weight 1 where all are of one place."""
    sources = images.attributes.get(SOURCE, ())
    names, places = np.unique(np.asarray(sources or ("",) * len(images)), return_inverse=True)
    weights, times = np.ones(len(images), np.float32), np.ones(len(images), np.int64)
    for label in np.unique(images.labels) if len(names) > 1 else ():
        cells = [np.flatnonzero((images.labels == label) & (places == place)) for place in range(len(names))]
        cells = [cell for cell in cells if len(cell)]
        largest = max(map(len, cells))
        for cell in cells:
            times[cell] = min(MOST, max(round(largest / len(cell)), 1))
        shown = [int(times[cell].sum()) for cell in cells]
        for cell, count in zip(cells, shown, strict=True):
            weights[cell] = sum(shown) / (len(cells) * count)
    return Draws(np.repeat(np.arange(len(images)), times), weights)
