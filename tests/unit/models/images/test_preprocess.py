"""One way from pixel values to network input, in training and in serving."""

import numpy as np
import pytest

from models.images.preprocess import network_input, resize


@pytest.fixture
def jpeg() -> np.ndarray:
    """Return an image as a JPEG decodes: 8 bits."""
    return np.random.default_rng(3).integers(0, 256, (150, 211)).astype(np.float32)


def test_a_jpeg_and_its_twelve_bit_wrapping_give_equal_tensors(jpeg: np.ndarray) -> None:
    """The scale of the stored values means nothing, with a window that covers them or without one."""
    expected = network_input(jpeg, None, False, 64)
    wrapped = jpeg * 16
    np.testing.assert_allclose(network_input(wrapped, None, False, 64), expected, atol=1e-6)
    np.testing.assert_allclose(network_input(wrapped, (2048.0, 4096.0), False, 64), expected, atol=1e-6)


def test_a_window_on_an_eight_bit_image_changes_nothing_when_it_covers_it(jpeg: np.ndarray) -> None:
    """The usual window of 8 bits, center 128 and width 256, is the whole range."""
    expected = network_input(jpeg, None, False, 64)
    np.testing.assert_allclose(network_input(jpeg, (128.0, 256.0), False, 64), expected, atol=1e-6)


def test_an_inverted_image_gives_the_tensor_of_the_upright_one(jpeg: np.ndarray) -> None:
    """MONOCHROME1 stores the same picture with low values bright."""
    upright = network_input(jpeg, None, False, 64)
    np.testing.assert_allclose(network_input(255 - jpeg, None, True, 64), upright, atol=1e-5)


def test_a_window_cuts_what_lies_outside_it() -> None:
    """Values beyond the window's ends become its ends."""
    ramp = np.tile(np.arange(256, dtype=np.float32), (256, 1))
    tensor = network_input(ramp, (128.0, 65.0), False, 256)[..., 0]
    assert (tensor[:, :95] == 0).all()
    assert (tensor[:, 161:] == 1).all()
    assert 0.4 < tensor[0, 128] < 0.6


@pytest.mark.parametrize("shape", [(40, 30), (64, 64), (2000, 1700), (1, 1)])
def test_any_size_becomes_the_networks_size_within_zero_and_one(shape: tuple[int, int]) -> None:
    """Shape, type and range hold for small, exact and large images, in any unit."""
    values = np.random.default_rng(0).normal(-400, 900, shape).astype(np.float32)
    tensor = network_input(values, None, False, 64)
    assert tensor.shape == (64, 64, 1)
    assert tensor.dtype == np.float32
    assert tensor.min() >= 0
    assert tensor.max() <= 1


def test_an_image_that_shrinks_along_one_axis_only_is_averaged_along_it() -> None:
    """Stripes finer than the result turn to an even grey; picking single pixels would make a pattern of them."""
    columns = np.tile(np.array([0.0, 1.0], np.float32), 640)
    low = np.tile(columns, (100, 1))
    for image in (low, low.T):
        assert resize(np.ascontiguousarray(image), 128) == pytest.approx(0.5, abs=1e-6)


def test_the_input_is_left_as_it_was(jpeg: np.ndarray) -> None:
    """The caller's array is not written to."""
    before = jpeg.copy()
    network_input(jpeg, (100.0, 50.0), True, 32)
    np.testing.assert_array_equal(jpeg, before)


@pytest.mark.parametrize("value", [0.0, 7.0, -1024.0, 65535.0])
def test_a_constant_image_becomes_zeros(value: float) -> None:
    """There is nothing to stretch in a single value, whatever a resize rounds it to."""
    assert not network_input(np.full((50, 50), value, np.float32), None, False, 32).any()


@pytest.mark.parametrize("values", [np.zeros((3, 4, 5)), np.zeros((0, 4)), np.array([[1.0, np.nan]])])
def test_what_is_no_grey_image_is_refused(values: np.ndarray) -> None:
    """Stacks, empty arrays and numbers that are not finite are errors, not guesses."""
    with pytest.raises(ValueError, match=r"rows and columns|finite"):
        network_input(values, None, False, 32)
