"""What one image borrows from another changes how it was acquired, not what it shows."""

import numpy as np
import pytest

from models.images import acquisition, augment


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Return a soft image and one full of fine structure, both in [0, 1]."""
    random = np.random.default_rng(3)
    row, column = np.mgrid[0:64, 0:64].astype(np.float32) / 63
    soft = (0.5 + 0.3 * np.sin(6 * row) * np.cos(5 * column)).astype(np.float32)
    fine = np.clip(row * column + 0.2 * random.standard_normal((64, 64), np.float32), 0, 1)
    return soft, fine.astype(np.float32)


def fine_power(image: np.ndarray) -> float:
    """Return the power above half the Nyquist frequency, logarithmic."""
    return float(np.log((np.abs(np.fft.rfft2(image))[16:48, 16:] ** 2).mean()))


def test_nothing_borrowed_changes_nothing(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A share of zero is the image itself."""
    np.testing.assert_allclose(acquisition.with_spectrum_of(*pair, 0.0), pair[0], atol=1e-5)
    np.testing.assert_allclose(acquisition.with_tones_of(*pair, 0.0), pair[0], atol=1e-6)


def test_a_borrowed_spectrum_brings_sharpness_nearer(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Fine structure becomes as strong as it is in the other image, as far as gains are allowed to go."""
    soft, fine = pair
    assert fine_power(soft) < fine_power(acquisition.with_spectrum_of(soft, fine, 1.0)) <= fine_power(fine)
    assert fine_power(acquisition.with_spectrum_of(fine, soft, 1.0)) < fine_power(fine)


def test_a_borrowed_spectrum_leaves_structures_in_place(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """The phases, and with them what stands where, are kept."""
    changed = acquisition.with_spectrum_of(*pair, 1.0)
    assert np.corrcoef(changed.ravel(), pair[0].ravel())[0, 1] > 0.9


def test_borrowed_tones_are_those_of_the_other_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """After a full exchange both have one histogram."""
    changed, levels = acquisition.with_tones_of(*pair, 1.0), [0.1, 0.5, 0.9]
    np.testing.assert_allclose(np.quantile(changed, levels), np.quantile(pair[1], levels), atol=0.05)


def test_an_exchange_keeps_shape_type_range_and_originals(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Whatever is drawn, the network gets what serving would give it, and both images stay as they were."""
    before = [one.copy() for one in pair]
    for seed in range(30):
        changed = augment.aug3(*pair, np.random.default_rng(seed))
        assert changed.shape == pair[0].shape
        assert changed.dtype == np.float32
        assert 0 <= changed.min() <= changed.max() <= 1
    np.testing.assert_array_equal(before, pair)


def test_an_image_without_contrast_stays_finite() -> None:
    """A black image has no spectrum to be matched, and must not become one of not-a-number."""
    black, random = np.zeros((64, 64), np.float32), np.random.default_rng(0)
    assert np.isfinite([acquisition.acquired_otherwise(black, black, random) for _ in range(20)]).all()
