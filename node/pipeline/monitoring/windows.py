"""Windows of images compared with a reference, in a child process: plain values in, plain values out.

It knows what was seen of images, and not whose they are nor where they came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

_SEED = 1
_STREAMS = 2  #: classifier and anomaly, each of which may alarm: half the rate for each


@dataclass(frozen=True, slots=True)
class Image:
    """What was seen of one image."""

    patient: str  #: opaque
    admitted: bool
    classifier: bytes
    anomaly: bytes


@dataclass(frozen=True, slots=True)
class Compared:
    """How a window lies to its reference; what could not be compared is None."""

    images: int
    refused: int  #: images that were not admitted
    refused_share: float | None  #: how likely so many are by chance, 0 to 1
    classifier: tuple[float, float, float] | None  #: distance, limit, share of windows by chance that lie as far
    anomaly: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What counts as an alarm."""

    min_images: int
    false_alarms: float


def compare(reference: Sequence[Image], windows: Sequence[Sequence[Image]], bounds: Bounds) -> list[Compared]:
    """Return how each window lies to the reference.

    Parameters
    ----------
    reference
        Images, admitted or not.
    windows
        Images likewise; one with fewer than `bounds.min_images` is not compared by what was seen.
    bounds
        The rate of false alarms is shared by the two streams.
    """
    streams = [_Stream(reference, name, bounds) for name in ("classifier", "anomaly")]
    refused = sum(not image.admitted for image in reference)
    usual = (refused + 1) / (len(reference) + 2)
    return [_compared(window, streams, usual, bounds) for window in windows]


def _compared(window: Sequence[Image], streams: Sequence["_Stream"], usual: float, bounds: Bounds) -> Compared:
    refused = sum(not image.admitted for image in window)
    share = at_least(refused, len(window), usual) if len(window) >= bounds.min_images else None
    return Compared(len(window), refused, share, *(stream.judged(window) for stream in streams))


def at_least(count: int, of: int, share: float) -> float:
    """Return how likely it is that so many or more of a number happen, each with this probability by itself."""
    return min(1.0, sum(comb(of, k) * share**k * (1.0 - share) ** (of - k) for k in range(count, of + 1)))


class _Stream:
    """One kind of fingerprint, with its reference and what chance makes of it."""

    def __init__(self, reference: Sequence[Image], name: str, bounds: Bounds) -> None:
        from models.evaluation import drift  # noqa: PLC0415 - only a child process imports the learned part

        self._drift, self._name, self._bounds = drift, name, bounds
        known = self._known(reference)
        numbers = _numbers([getattr(image, name) for image in known])
        self._reference = drift.reference(numbers, [image.patient for image in known]) if len(known) > 1 else None
        self._count, self._width = len(known), numbers.shape[1]
        self._chance: dict[int, NDArray[np.float64]] = {}

    def judged(self, window: Sequence[Image]) -> tuple[float, float, float] | None:
        """Return distance, limit and share of a window; None where it is too small, or there is nothing to compare."""
        known = self._known(window)
        size = min(len(known), self._count // 2)
        if self._reference is None or size < self._bounds.min_images:
            return None
        numbers = _numbers([getattr(image, self._name) for image in known[-size:]])
        if numbers.shape[1] != self._width:
            return None
        if size not in self._chance:
            self._chance[size] = self._drift.null(self._reference, size, _SEED)
        rate = self._bounds.false_alarms / _STREAMS
        found = self._drift.judge(self._reference, numbers, self._chance[size], rate)
        return found.distance, found.limit, found.share

    def _known(self, images: Sequence[Image]) -> list[Image]:
        return [image for image in images if getattr(image, self._name)]


def _numbers(fingerprints: Sequence[bytes]) -> NDArray[np.float32]:
    """Return fingerprints as numbers, shape (images, numbers), float32."""
    widths = {len(one) for one in fingerprints}
    if len(widths) != 1:
        return np.zeros((0, 0), np.float32)
    return np.stack([np.frombuffer(one, "<f2") for one in fingerprints]).astype(np.float32)
