"""Which images are one picture, by what they show."""

from itertools import combinations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.images.alike import perceptual_hash
from models.images.likeness import ALIKE, NOTHING, alike, any_alike
from tests.support.learning.site import chest

PICTURE = chest(1, ill=True, size=128)


def _compressed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def _apart(one: str, other: str) -> int:
    """Return in how many bits two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize(
    "change",
    [
        _compressed,
        lambda image: cv2.resize(image, (300, 200), interpolation=cv2.INTER_CUBIC),
        lambda image: np.clip(image * 0.7 + 20, 0, 255),
        lambda image: image.astype(np.float32) * 16 - 1024,
        lambda image: image[1:-1, 1:-1],
    ],
    ids=["compressed", "resized", "darker", "other unit", "cropped"],
)
def test_a_copy_of_a_picture_is_alike(change: object) -> None:
    """Compressed, resized, in another tone, in another unit, cropped by a hundredth."""
    copy = change(PICTURE)  # type: ignore[operator]
    assert alike(perceptual_hash(PICTURE, None, False), [perceptual_hash(copy, None, False)]) == [0]


def test_a_picture_shown_the_other_way_round_is_alike() -> None:
    """MONOCHROME1 with turned values, and a window that leaves all in."""
    turned = 255.0 - PICTURE
    assert _apart(perceptual_hash(PICTURE, None, False), perceptual_hash(turned, (127.5, 256.0), True)) <= ALIKE


def test_pictures_of_different_patients_are_not_alike() -> None:
    """Every two of forty."""
    hashes = [perceptual_hash(chest(number, ill=number % 2 == 0), None, False) for number in range(40)]
    assert min(_apart(one, other) for one, other in combinations(hashes, 2)) > ALIKE


def test_an_image_of_nothing_is_like_no_other() -> None:
    """Two blank images are not one patient's."""
    blank = perceptual_hash(np.zeros((64, 64), np.uint8), None, False)
    assert blank == NOTHING
    assert alike(blank, [blank, perceptual_hash(PICTURE, None, False)]) == []
    assert not any_alike(blank, [0])
