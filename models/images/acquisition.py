"""Random changes of how an image was acquired, partly borrowed from another image, whatever that one shows.

It knows single images, their spectra and a random generator. Sharpness and tone go with the label in a collection
whose normal images come from other rooms than its ill ones. Giving an image the spectrum or the tones of another one,
drawn without regard to its label, breaks that tie, while the phases, which hold what stands where, stay.

References
----------
Yang Y, Soatto S, "FDA: Fourier Domain Adaptation for Semantic Segmentation", CVPR 2020 · Xu Q et al., "A Fourier-based
Framework for Domain Generalization", CVPR 2021.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.images.preprocess import Image

Spectrum = NDArray[np.complexfloating[Any, Any]]
"""What `numpy.fft.rfft2` makes of an image, shape (size, size // 2 + 1)."""

Curve = NDArray[np.float64]
"""A value for each ring of the spectrum, shape (RINGS,)."""

RINGS = 34
"""Rings of equal width, 24 of them up to the Nyquist frequency of an axis, the rest in the corners."""

RING_WIDTH = 1 / 48
"""Cycles a pixel."""

KEPT_RINGS = 3
"""The innermost rings hold lungs and heart themselves, and are not borrowed."""

LEAST_GAIN, MOST_GAIN = -2.5, 1.5
"""Bounds of a borrowed gain, as natural logarithms: noise must not be raised until it is all that is seen."""

KNOTS = np.linspace(0.04, 1.2, 6)
"""Where a random gain takes its steps, in Nyquist frequencies."""

QUANTILES = np.linspace(0.0, 1.0, 33)

TONE_ROWS = 32
"""Rows and columns that the tones are read from; all pixels would give the same curve at ten times the cost."""


def acquired_otherwise(image: Image, other: Image, random: np.random.Generator) -> Image:
    """Return the image with the spectrum or the tones of another one, or with a random gain of its spectrum.

    Parameters
    ----------
    image, other
        Shape (size, size), float32 in [0, 1]. Not changed.
    random
        The source of every choice.

    Returns
    -------
    numpy.ndarray
        Shape (size, size), float32, near [0, 1].
    """
    if random.random() < 0.3:
        image = with_spectrum_of(image, other, random.uniform(0.0, 1.2))
    if random.random() < 0.5:
        image = with_random_spectrum(image, random)
    if random.random() < 0.3:
        image = with_tones_of(image, other, random.random())
    return image


def with_spectrum_of(image: Image, other: Image, share: float) -> Image:
    """Return the image with a share of the way gone to the other's mean power at each spatial frequency."""
    spectrum = np.fft.rfft2(image)
    gain = 0.5 * (_ring_means(np.fft.rfft2(other), len(image)) - _ring_means(spectrum, len(image)))
    begin = np.clip((np.arange(RINGS) - KEPT_RINGS + 1) / 3.0, 0.0, 1.0)
    gain = np.clip(gain, LEAST_GAIN, MOST_GAIN) * begin * share
    places = _radius(len(image)) / RING_WIDTH
    return _amplified(spectrum, np.interp(places, np.arange(RINGS) + 0.5, gain))


def with_random_spectrum(image: Image, random: np.random.Generator) -> Image:
    """Return the image with its spatial frequencies raised and lowered along a random walk from the lowest on."""
    walk = 0.5 * np.cumsum(random.normal(0.0, 0.6, len(KNOTS)))
    gain = np.interp(2.0 * _radius(len(image)), KNOTS, walk - walk[0])
    return _amplified(np.fft.rfft2(image), np.clip(gain, -2.0, 1.2))


def with_tones_of(image: Image, other: Image, share: float) -> Image:
    """Return the image with a share of the way gone to the other's histogram."""
    tones, wanted = _tones(image), _tones(other)
    matched = np.interp(image, tones + 1e-6 * np.arange(len(tones)), wanted)  # np.interp needs tones that rise
    return np.asarray((1.0 - share) * image + share * matched, np.float32)


def _tones(image: Image) -> NDArray[np.float64]:
    step = max(len(image) // TONE_ROWS, 1)
    return np.asarray(np.quantile(image[::step, ::step], QUANTILES), np.float64)


def _amplified(spectrum: Spectrum, gain: NDArray[np.float64]) -> Image:
    size = len(spectrum)
    return np.asarray(np.fft.irfft2(spectrum * np.exp(gain).astype(np.float32), (size, size)), np.float32)


def _ring_means(spectrum: Spectrum, size: int) -> Curve:
    """Return the mean log power of each ring."""
    rings = _rings(size)
    power = np.log(np.abs(spectrum.ravel()) ** 2 + 1e-6)
    return np.asarray(np.bincount(rings, power, RINGS) / np.maximum(np.bincount(rings, minlength=RINGS), 1))


@cache
def _rings(size: int) -> NDArray[np.int64]:
    """Return the ring of each place of the half spectrum, flat."""
    return np.minimum((_radius(size) / RING_WIDTH).astype(np.int64), RINGS - 1).ravel()


@cache
def _radius(size: int) -> NDArray[np.float64]:
    """Return the spatial frequency of each place of the half spectrum, in cycles a pixel."""
    return np.asarray(np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size)[np.newaxis]))
