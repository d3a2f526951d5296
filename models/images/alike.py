"""What an image shows, as a perceptual hash: two hashes tell whether two images are one picture.

The signs of an image's lowest frequencies against their median say what it shows and little of how it was compressed,
resized or windowed. It knows single images in the form that networks read (`models.images.preprocess`), so that the
same picture as JPEG and as DX, in either polarity, has one hash.

What `models.images.likeness.ALIKE` costs was measured on the 4,990 images of chest_kermany (bench/near_duplicates.py,
docs/learning-measured.md): no two images of different patients are taken for one; copies that were compressed at
quality 30, resized, made brighter, noisier or blurred, or cropped by a hundredth are found.

References
----------
Zauner C, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010 (the hash by DCT).
"""

import cv2
import numpy as np

from models.images.likeness import NOTHING
from models.images.preprocess import Values, network_input

SIZE, LOWEST = 64, 16
"""Rows and columns that are looked at, and how many frequencies of each axis count."""


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
    frequencies = cv2.dct(image)[:LOWEST, :LOWEST].ravel()[1:]  # the mean says nothing
    bits = frequencies > np.median(frequencies)
    return np.packbits(np.concatenate([[False], bits])).tobytes().hex()
