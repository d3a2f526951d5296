"""Synthetic pathology is where its mask says, and nowhere else to speak of."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.images.opacities import FAMILIES, with_opacities

SIZE = 64


@pytest.fixture
def chest(draw_chest: Callable[..., NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return a drawn chest as network input, without its last axis."""
    drawn = draw_chest(np.random.default_rng(1), ill=False, size=SIZE)
    return (drawn / np.float32(255)).astype(np.float32)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_painted_is_in_the_mask(chest: NDArray[np.float32], family: str) -> None:
    """Outside of the mask an image changes by a tenth of an opacity's strength at most; inside it mostly changes."""
    before, changed_inside = chest.copy(), []
    for seed in range(40):
        painted, mask = with_opacities(chest, np.random.default_rng(seed), family)
        assert painted.shape == mask.shape == (SIZE, SIZE)
        assert painted.dtype == mask.dtype == np.float32
        assert set(np.unique(mask)) <= {0.0, 1.0}
        assert 0.0 <= painted.min() <= painted.max() <= 1.0
        change = np.abs(painted - chest)
        assert change[mask == 0].max() <= 0.15
        changed_inside.append(change[mask == 1].mean() if mask.any() else 0.0)
    np.testing.assert_array_equal(chest, before)
    assert np.mean(changed_inside) > 0.02


def test_clouds_brighten_and_veils_hide(chest: NDArray[np.float32]) -> None:
    """The first are dense; the second take more of the detail under them with less brightness."""

    def told(family: str) -> tuple[float, float]:
        brighter, smoother = [], []
        for seed in range(60):
            painted, mask = with_opacities(chest, np.random.default_rng(seed), family)
            inside = mask == 1
            if inside.any():
                brighter.append((painted - chest)[inside].mean())
                detail = [np.abs(cv2.Laplacian(image, cv2.CV_32F))[inside].mean() for image in (painted, chest)]
                smoother.append(detail[0] / detail[1])
        return float(np.mean(brighter)), float(np.mean(smoother))

    (clouds, _), (veils, hidden) = told("clouds"), told("veils")
    assert clouds > veils > 0
    assert hidden < 1


def test_the_same_generator_paints_the_same(chest: NDArray[np.float32]) -> None:
    """And another one something else."""
    first, again, other = (with_opacities(chest, np.random.default_rng(seed), "veils")[0] for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_unknown_family_is_an_error(chest: NDArray[np.float32]) -> None:
    """There are two."""
    with pytest.raises(KeyError, match="fog"):
        with_opacities(chest, np.random.default_rng(0), "fog")
