"""Admission fitted on a sample: from a few hundred images of the kind that a model reads to a limit for all others.

For models that were trained elsewhere, where nothing but a sample is at hand. The limit comes from parts of the sample
that were held out in turn, as they are and as other equipment would have made them. It knows network input and no file.

Fitted on 200 training images of chest_kermany, twice: 100 % and 100 % of the 521 validation images are admitted, and
none of 1,000 hands, heads, abdomens, breasts and chest CTs of ood_mednist; 53 % and 83 % of its 200 adult chests.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.images.augment import equipment, nudged
from models.images.preprocess import Image
from models.inference.admission import FeatureAutoencoder, Vectors, described, fit_feature_autoencoder

SIZE = 128
"""Rows and columns of the images that are described."""

FEWEST = 200
"""Different images from which on a sample says what belongs; with fewer there is no admission."""

COMPONENTS, PARTS, PERCENTILE = 64, 5, 99.5
"""Principal directions; parts of the sample held out in turn; share of them, in percent, that the limit lets in."""

Scores = NDArray[np.float64]
"""Admission scores, shape (images,)."""


@dataclass(frozen=True, slots=True)
class SampleAdmission:
    """What was fitted, and the score up to which it admits."""

    known: FeatureAutoencoder
    limit: float


def different(images: NDArray[np.float32]) -> int:
    """Return how many different images there are among some of shape (images, size, size, 1)."""
    return len({image.tobytes() for image in images})


def fit_on_sample(images: NDArray[np.float32], seed: int = 0) -> SampleAdmission | None:
    """Return admission fitted on a sample; None where it has fewer than `FEWEST` different images.

    The parts that are held out are runs of neighbours, because files of one patient tend to stand together.

    Input shape
        (images, SIZE, SIZE, 1), float32 in [0, 1].

    Parameters
    ----------
    images
        The sample, in the order of its files.
    seed
        Chooses the changes that stand for other equipment.
    """
    if different(images) < FEWEST:
        return None
    random = np.random.default_rng(seed)
    plain = described(images)
    moved = described(_changed(images, lambda image: equipment(nudged(image, random), random)))
    elsewhere = described(_changed(images, lambda image: equipment(image, random)))
    parts = np.array_split(np.arange(len(images)), PARTS)
    scores = [_held_out(np.stack([plain, moved, elsewhere]), part) for part in parts]
    limit = float(np.percentile(np.concatenate(scores), PERCENTILE))
    return SampleAdmission(fit_feature_autoencoder(np.concatenate([plain, moved]), COMPONENTS), limit)


def _held_out(vectors: Vectors, part: NDArray[np.int64]) -> Scores:
    """Return the scores of a part, plain and elsewhere, by what was fitted on the others, plain and moved."""
    others = np.delete(vectors, part, axis=1)
    known = fit_feature_autoencoder(np.concatenate([others[0], others[1]]), COMPONENTS)
    return np.concatenate([known.score(vectors[0, part]), known.score(vectors[2, part])])


def _changed(images: NDArray[np.float32], change: Callable[[Image], Image]) -> NDArray[np.float32]:
    return np.stack([change(image[..., 0])[..., np.newaxis] for image in images])
