"""Augmentation changes a radiograph within its range, and by its generator alone."""

import numpy as np
import pytest

from models.images import augment
from models.images.altered import KINDS, altered


@pytest.fixture
def image() -> np.ndarray:
    """Return a smooth image in [0, 1]."""
    row, column = np.mgrid[0:64, 0:64].astype(np.float32) / 63
    return (row * 0.6 + 0.4 * column).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_altered_copy_keeps_shape_type_and_range_and_all_but_one_change_the_image(
    image: np.ndarray, kind: str
) -> None:
    """The one that does not is the image as it is."""
    changed = altered(image, kind, np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == (image.shape, np.float32)
    assert 0 <= changed.min() < changed.max() <= 1
    assert (np.abs(changed - altered(image, "as they are", np.random.default_rng(1))).mean() > 1e-4) == (
        kind != "as they are"
    )


@pytest.mark.parametrize("change", [augment.aug2, augment.equipment])
def test_augmented_images_keep_shape_type_and_range(image: np.ndarray, change: object) -> None:
    """Whatever is drawn, the network gets what serving would give it."""
    for seed in range(40):
        changed = change(image, np.random.default_rng(seed))  # type: ignore[operator]
        assert changed.shape == image.shape
        assert changed.dtype == np.float32
        assert changed.min() >= 0
        assert changed.max() <= 1


def test_the_same_generator_gives_the_same_image(image: np.ndarray) -> None:
    """A training can be repeated."""
    first, second = (augment.aug2(image, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_different_draws_give_different_images(image: np.ndarray) -> None:
    """Augmentation that changes nothing would pass the other tests."""
    drawn = [augment.aug2(image, np.random.default_rng(seed)) for seed in range(10)]
    assert all(np.abs(one - image).mean() > 1e-3 for one in drawn)
    assert np.std([one.mean() for one in drawn]) > 1e-3


def test_the_original_is_left_as_it_was(image: np.ndarray) -> None:
    """Images are kept in memory over epochs: no step may write into them."""
    before = image.copy()
    for seed in range(20):
        augment.aug2(image, np.random.default_rng(seed))
    np.testing.assert_array_equal(image, before)
