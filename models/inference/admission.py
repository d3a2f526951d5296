"""Admission: whether an image is of the kind that the model learned, judged by its pixels.

A linear autoencoder on hand-made features: what the principal components of chest radiographs cannot rebuild, or only
in a way that no chest radiograph takes, was no chest radiograph. NumPy only, fitted in seconds, no network and no
label; it says nothing about disease.

References
----------
Tipping M, Bishop C, "Probabilistic Principal Component Analysis", J. R. Statist. Soc. B 61(3), 1999.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import BundleError
from models.bundle.half import rounded_to_half
from models.images.features import feature_count, features
from models.images.preprocess import Image

BLANK = 1000.0
"""Score of an image of a single value: there is nothing to describe, and no limit reaches so far."""

SPARE_DIRECTIONS, ITERATIONS = 16, 8
"""How exactly principal directions are found; more changes no score in its fourth digit."""

SMALLEST = 1e-3
"""Below this no scale or spread goes: what never varies would otherwise decide everything."""

Vectors = NDArray[np.float32]
"""Feature vectors, shape (images, features), float32."""


@dataclass(frozen=True, slots=True)
class FeatureAutoencoder:
    """Mean and scale of each feature, the principal directions of what is known, and how far it spreads."""

    mean: Vectors  #: shape (features,)
    scale: Vectors  #: shape (features,), positive
    components: Vectors  #: shape (components, features), rows orthonormal
    spread: Vectors  #: shape (components,), standard deviation along each direction
    residual: Vectors  #: shape (1,), root mean square of what is left over, per feature

    def score(self, vectors: Vectors) -> NDArray[np.float64]:
        """Return how strange each image is; known ones lie around the square root of 2.

        Two things add up: what cannot be rebuilt, and how unusual that is which was rebuilt. The first alone lets
        pass what is too smooth to have much to rebuild.

        Input shape
            (images, features), float32.

        Output shape
            (images,), float64, 0 or more.
        """
        return scored(self.placed(vectors))

    def placed(self, vectors: Vectors) -> Vectors:
        """Return where each image lies among the known ones.

        Input shape
            (images, features), float32.

        Output shape
            (images, components + 1), float32: its place along each direction, in standard deviations, and what cannot
            be rebuilt, as a root mean square in units of the known images'.
        """
        standard = (vectors - self.mean) / self.scale
        along = standard @ self.components.T
        left_over = (standard - along @ self.components) / self.residual
        unlike = np.sqrt(np.mean(left_over**2, axis=1, dtype=np.float64))
        return np.concatenate([along / self.spread, unlike[:, np.newaxis]], axis=1).astype(np.float32)

    def arrays(self) -> dict[str, Vectors]:
        """Return what is stored, by its stable names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def scored(places: Vectors) -> NDArray[np.float64]:
    """Return how strange images are that lie at these places, as `FeatureAutoencoder.placed` gives them."""
    exact = np.asarray(places, np.float64)
    return np.asarray(np.sqrt(exact[:, -1] ** 2 + np.mean(exact[:, :-1] ** 2, axis=1)), np.float64)


def feature_autoencoder(arrays: Mapping[str, Vectors], part: str) -> FeatureAutoencoder:
    """Return the feature autoencoder that stored arrays make.

    Parameters
    ----------
    arrays
        As `FeatureAutoencoder.arrays` returned them.
    part
        What they are for, for messages.

    Raises
    ------
    BundleError
        Where names or shapes are not those of this version's features.
    """
    try:
        known = FeatureAutoencoder(**arrays)
    except TypeError as error:
        raise BundleError(f"the {part} weights have other variables than the code: {error}") from error
    count, directions = feature_count(), len(known.components)
    needed = [(count,), (count,), (directions, count), (directions,), (1,)]
    if [array.shape for array in known.arrays().values()] != needed:
        raise BundleError(f"the {part} weights have other shapes than the code's features")
    return known


def described(images: NDArray[np.float32]) -> Vectors:
    """Return the feature vectors of images.

    Input shape
        (images, size, size, 1), float32 in [0, 1].

    Output shape
        (images, features), float32.
    """
    return np.stack([features(image[..., 0]) for image in images])


def admission_score(autoencoder: FeatureAutoencoder, image: Image) -> float:
    """Return the score of one image of shape (size, size, 1), float32 in [0, 1]."""
    if not image.any():
        return BLANK
    return float(autoencoder.score(described(image[np.newaxis]))[0])


def fit_feature_autoencoder(vectors: Vectors, components: int) -> FeatureAutoencoder:
    """Fit to the feature vectors of images that are to be admitted.

    Parameters
    ----------
    vectors
        Shape (images, features).
    components
        Principal directions to keep; fewer where there are fewer images.

    Raises
    ------
    ValueError
        Where the vectors are not this version's features.
    """
    if vectors.ndim != 2 or vectors.shape[1] != feature_count():
        raise ValueError(f"vectors of {feature_count()} features are needed, not the shape {vectors.shape}")
    mean = vectors.mean(0, dtype=np.float64)
    scale = np.maximum(vectors.std(0, dtype=np.float64), SMALLEST)
    standard = ((vectors - mean) / scale).astype(np.float32)
    kept = principal_directions(standard, min(components, len(vectors) - 1))
    along = standard @ kept.T
    residual = np.sqrt(np.mean((standard - along @ kept) ** 2, dtype=np.float64))
    spread, left_over = np.maximum(along.std(0), SMALLEST), np.maximum([residual], SMALLEST)
    return FeatureAutoencoder(*(rounded_to_half(array) for array in (mean, scale, kept, spread, left_over)))


def principal_directions(standard: Vectors, count: int) -> Vectors:
    """Return the leading principal directions of centred vectors, shape (count, features), rows orthonormal.

    Subspace iteration: a full decomposition of thousands of features costs a minute, this a second.

    References
    ----------
    Halko N, Martinsson P-G, Tropp J, "Finding structure with randomness", SIAM Review 53(2), 2011, algorithm 4.4.
    """
    basis = np.random.default_rng(0).standard_normal((standard.shape[1], count + SPARE_DIRECTIONS), np.float32)
    for _ in range(ITERATIONS):
        basis, _ = np.linalg.qr(standard.T @ (standard @ basis))
    _, _, turned = np.linalg.svd(standard @ basis, full_matrices=False)
    return np.ascontiguousarray((turned @ basis.T)[:count], np.float32)
