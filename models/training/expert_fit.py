"""What an expert learns from: changed copies of a site's images, and of others, from which they are to be told.

It knows images and how they are described; of bundles, senders and labels from elsewhere it knows nothing. What it was
chosen by: `bench/experts.py`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import Images
from models.images.altered import KINDS, altered
from models.images.augment import aug2, equipment, move
from models.images.preprocess import Image, stretch
from models.training.expert import Head, fitted_head, logarithms

Features = NDArray[np.float32]
"""Shape (images, features)."""

Describe = Callable[[Images], Features]

Change = Callable[[Image, np.random.Generator], Image]

MOVED = 5
"""Copies of the site's images in other positions, beside each as it is and mirrored. Copies as by other equipment make
the class harder to tell: within one site, how an image was acquired says something of the patient."""

OF_CLASS, OF_SITE = 0.02, 0.1
"""Strengths (`fitted_head`) of the two logits."""

MOST_TOLD_FROM, MOST_CHANGED, MOST_PLACING = 4000, 1500, 500
"""Others' images that the expert is told from, of which copies are, too, and by altered copies of which the border is
placed."""

LET_THROUGH = 0.002
"""Share of those altered copies that the expert may answer for: of others it may say the opposite of what is so."""

SHARPNESS = 2.0
"""How decided the choice is: what the logit of being the site's is multiplied by, the border taken from it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A site's images and their copies, as a head is fitted on them."""

    features: Features  #: shape (copies, images, features), the first copy being the image as it is

    @property
    def flat(self) -> Features:
        """All copies, shape (copies * images, features)."""
        return self.features.reshape(-1, self.features.shape[-1])


def shown(images: Images, describe: Describe, random: np.random.Generator) -> Shown:
    """Return a site's images of shape (images, size, size, 1) with their copies."""
    kinds = [images, images[:, :, ::-1], *(_copies(images, _moved, random) for _ in range(MOVED))]
    return Shown(np.stack([describe(some) for some in kinds]))


def of_the_class(site: Shown, labels: NDArray[np.int64]) -> Head:
    """Return the logit of the class, of a balanced training, from the labels of a site's images."""
    copies = len(site.features)
    truth = np.tile(labels == 1, copies)
    return fitted_head(site.flat, truth, np.full(len(truth), 1.0 / copies), OF_CLASS)


def of_the_site(site: Shown, others: Images, groups: NDArray[np.str_], describe: Describe, seed: int) -> Head:
    """Return the logit of how much the expert counts, by logarithms of features: above 0 for what is the site's.

    Of the others hardly any may be among it, also if other equipment had made them: the border is where altered copies
    of patients whom the logit was not fitted on pass it as rarely as `LET_THROUGH`.

    Parameters
    ----------
    site
        The site's images.
    others
        Images that the champion is to answer for, shape (images, size, size, 1).
    groups
        Of the others: what must not be torn apart.
    describe
        Gives features.
    seed
        Of what is chosen and changed.
    """
    random = np.random.default_rng((seed, 5))
    known, placing = _parted(groups, random)
    changed = [_copies(others[known[:MOST_CHANGED]], change, random) for change in (aug2, _elsewhere)]
    features = np.concatenate([site.flat, *map(describe, (others[known], *changed))])
    own = np.arange(len(features)) < len(site.flat)
    head = fitted_head(logarithms(features), own, np.ones(len(features)), OF_SITE)
    passing = [head(logarithms(describe(some))) for some in _altered(others[placing], random)]
    border = max(float(np.quantile(np.concatenate(passing), 1.0 - LET_THROUGH)), 0.0)
    return head.scaled(SHARPNESS, -SHARPNESS * border)


def _parted(groups: NDArray[np.str_], random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return images to tell the site's from, and images of other patients to place the border by."""
    order = random.permutation(np.unique(groups))
    last = max(len(order) // 4, 1)
    placing = np.flatnonzero(np.isin(groups, order[:last]))
    known = np.flatnonzero(np.isin(groups, order[last:]))
    return random.permutation(known)[:MOST_TOLD_FROM], random.permutation(placing)[:MOST_PLACING]


def _altered(images: Images, random: np.random.Generator) -> Iterable[Images]:
    for kind in KINDS:
        yield _copies(images, lambda image, own, kind=kind: altered(image, kind, own), random)  # type: ignore[misc]


def _copies(images: Images, change: Change, random: np.random.Generator) -> Images:
    return np.stack([change(image[..., 0], random)[..., np.newaxis] for image in images])


def _moved(image: Image, random: np.random.Generator) -> Image:
    return stretch(move(image, random))


def _elsewhere(image: Image, random: np.random.Generator) -> Image:
    return equipment(move(image, random), random)
