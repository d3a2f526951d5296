"""Whether two images are one picture: a perceptual hash, and how far two hashes may lie apart.

The signs of an image's lowest frequencies against their median say what it shows and little of how it was compressed,
resized or windowed. It knows single images in the form that networks read (`models.images.preprocess`), so that the
same picture as JPEG and as DX, in either polarity, has one hash.

`ALIKE` and what it costs were measured on the 4,990 images of chest_kermany (bench/near_duplicates.py, written down in
docs/learning.md): no two images of different patients are taken for one, and copies that were compressed at quality 30,
resized, made brighter, noisier or blurred, or cropped by a hundredth are found.

References
----------
Zauner C, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010 (the hash by DCT).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.images.preprocess import Values, network_input

SIZE, LOWEST = 64, 16
"""Rows and columns that are looked at, and how many frequencies of each axis count."""

BITS = LOWEST * LOWEST - 1
"""Of a hash: the mean of the image says nothing and is left out."""

ALIKE = 30
"""Bits in which two hashes of one picture may differ."""

NOTHING = ""
"""The hash of an image of a single value: it is like no other."""


def perceptual_hash(values: Values, window: tuple[float, float] | None, inverted: bool) -> str:  # noqa: FBT001 as in network_input
    """Return what an image shows, as hexadecimal digits; `NOTHING` where it shows a single value.

    Parameters
    ----------
    values, window, inverted
        As of `models.images.preprocess.network_input`.
    """
    image = network_input(values, window, inverted, SIZE)[..., 0]
    if not image.any():
        return NOTHING
    frequencies = cv2.dct(image)[:LOWEST, :LOWEST].ravel()[1:]
    bits = frequencies > np.median(frequencies)
    return np.packbits(np.concatenate([[False], bits])).tobytes().hex()


def distances(one: str, others: Sequence[str]) -> NDArray[np.int64]:
    """Return in how many bits a hash differs from each of others, shape (others,); more than `BITS` from `NOTHING`."""
    if not others:
        return np.zeros(0, np.int64)
    if one == NOTHING:
        return np.full(len(others), BITS + 1, np.int64)
    known = np.frombuffer(bytes.fromhex("".join(other or one for other in others)), np.uint8).reshape(len(others), -1)
    apart = np.bitwise_count(known ^ np.frombuffer(bytes.fromhex(one), np.uint8)).sum(1, dtype=np.int64)
    apart[[other == NOTHING for other in others]] = BITS + 1
    return np.asarray(apart, np.int64)


def alike(one: str, others: Sequence[str]) -> list[int]:
    """Return the places of those hashes that are of the same picture, the nearest first."""
    apart = distances(one, others)
    return [int(place) for place in np.argsort(apart, kind="stable") if apart[place] <= ALIKE]
