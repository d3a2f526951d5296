"""Windows of images compared with a reference, in a child process: plain values in, plain values out.

It knows what was seen of images, and not whose they are nor where they came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # only a child process imports the learned part
    from models.evaluation.drift import Reference

_SEED = 1
_HALVES = (200, 100, 75, 50, 40, 30, 25, 20, 15, 12, 10, 8, 5)  #: images in half a window
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

        self._drift, self._name, self._bounds, self._width = drift, name, bounds, 0
        known = self._known(reference)
        numbers = _numbers([getattr(image, name) for image in known])
        self._reference: Reference | None = None
        if len(known) > 1:
            self._reference = drift.reference(numbers, [image.patient for image in known])
        self._count, self._width = len(known), len(getattr(known[0], name)) if known else 0
        self._chance: dict[int, NDArray[np.float64]] = {}

    def judged(self, window: Sequence[Image]) -> tuple[float, float, float] | None:
        """Return distance, limit and share of that half of a window which is more like the reference.

        Both halves must lie too far away for an alarm: a window that does so by chance is looked at again and again
        while images come, and halves that share no image hardly ever do at the same time. None where the window is too
        small, or there is nothing to compare.
        """
        known = self._known(window)
        size = self._size(len(known) // 2)
        if self._reference is None or len(known) < self._bounds.min_images or not size:
            return None
        halves = known[-2 * size : -size], known[-size:]
        reference = self._reference
        return min((self._apart(reference, half) for half in halves), key=lambda found: found[0] / found[1])

    def _size(self, most: int) -> int:
        """Return the largest of a few sizes: what chance makes of each is drawn but once; 0 where all are too large."""
        return next((size for size in _HALVES if size <= min(most, self._count // 2)), 0)

    def _apart(self, reference: "Reference", half: Sequence[Image]) -> tuple[float, float, float]:
        if len(half) not in self._chance:
            self._chance[len(half)] = self._drift.null(reference, len(half), _SEED)
        numbers = _numbers([getattr(image, self._name) for image in half])
        rate = self._bounds.false_alarms / _STREAMS
        found = self._drift.judge(reference, numbers, self._chance[len(half)], rate)
        return found.distance, found.limit, found.share

    def _known(self, images: Sequence[Image]) -> list[Image]:
        widths = {len(getattr(image, self._name)) for image in images} - {0}
        width = self._width or max(widths, default=0)
        return [image for image in images if len(getattr(image, self._name)) == width and width]


def _numbers(fingerprints: Sequence[bytes]) -> NDArray[np.float32]:
    """Return fingerprints of one width as numbers, shape (images, numbers), float32."""
    if not fingerprints:
        return np.zeros((0, 0), np.float32)
    return np.stack([np.frombuffer(one, "<f2") for one in fingerprints]).astype(np.float32)
