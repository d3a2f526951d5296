"""Admission knows what it was fitted to, and nothing else."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.images.features import feature_count, features
from models.images.preprocess import network_input
from models.inference.admission import BLANK, admission_score, described, fit_feature_autoencoder

Draw = Callable[[np.random.Generator], np.ndarray]


@pytest.fixture(scope="module")
def chest(draw_chest: Callable[..., np.ndarray]) -> Draw:
    """Draws one chest as admission sees it, shape (64, 64, 1)."""
    return lambda random: network_input(draw_chest(random, ill=random.random() < 0.5), None, False, 64)


@pytest.fixture(scope="module")
def fitted(chest: Draw) -> tuple[object, float]:
    """Return a feature autoencoder of drawn chests, and the score of the strangest of some held-out ones."""
    random = np.random.default_rng(0)
    autoencoder = fit_feature_autoencoder(described(np.stack([chest(random) for _ in range(150)])), 24)
    held_out = autoencoder.score(described(np.stack([chest(random) for _ in range(50)])))
    return autoencoder, float(held_out.max())


def test_features_are_as_many_as_said_and_finite(chest: Draw) -> None:
    """Also where an image has no edge at all."""
    for image in (chest(np.random.default_rng(1)), np.zeros((64, 64, 1), np.float32)):
        vector = features(image[..., 0])
        assert vector.shape == (feature_count(),)
        assert np.isfinite(vector).all()


def test_noise_stripes_and_a_chest_on_its_side_are_stranger_than_any_chest(
    fitted: tuple[object, float], chest: Draw
) -> None:
    """What the principal directions of chests cannot rebuild scores above the limit."""
    autoencoder, limit = fitted
    random = np.random.default_rng(2)
    noise = network_input(random.normal(0, 1, (200, 200)), None, False, 64)
    stripes = network_input(np.tile(np.sin(np.arange(200) / 5), (200, 1)), None, False, 64)
    turned = np.rot90(chest(random)).copy()
    disc = np.zeros((200, 200), np.float32)
    cv2.circle(disc, (100, 100), 70, 1.0, -1)
    for stranger in (noise, stripes, turned, network_input(disc, None, False, 64)):
        assert admission_score(autoencoder, stranger) > limit  # type: ignore[arg-type] # the fixture's autoencoder


def test_a_chest_that_was_not_seen_is_no_stranger(fitted: tuple[object, float], chest: Draw) -> None:
    """Held-out chests stay near the limit."""
    autoencoder, limit = fitted
    scores = [admission_score(autoencoder, chest(np.random.default_rng(seed))) for seed in range(100, 140)]  # type: ignore[arg-type]
    assert np.mean(np.array(scores) <= limit) >= 0.9


def test_a_constant_image_is_beyond_every_limit(fitted: tuple[object, float]) -> None:
    """An empty exposure is not read."""
    assert admission_score(fitted[0], np.zeros((64, 64, 1), np.float32)) == BLANK  # type: ignore[arg-type]


def test_vectors_of_other_features_are_refused() -> None:
    """Stored weights and code that differ must not meet silently."""
    with pytest.raises(ValueError, match=str(feature_count())):
        fit_feature_autoencoder(np.zeros((10, 7), np.float32), 3)
