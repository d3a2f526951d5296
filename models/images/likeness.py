"""How far two perceptual hashes lie apart, and from where on two images are one picture.

It knows hexadecimal digits (`models.images.alike` makes them) and no library, so that whoever compares loads none.
"""

from collections.abc import Iterable, Sequence

ALIKE = 30
"""Bits, of 255, in which two hashes of one picture may differ (docs/learning-measured.md)."""

NOTHING = ""
"""The hash of an image of a single value: it is like no other."""


def alike(one: str, others: Sequence[str]) -> list[int]:
    """Return the places of those hashes that are of the same picture."""
    if one == NOTHING:
        return []
    own = int(one, 16)
    pairs = enumerate(others)
    return [place for place, other in pairs if other != NOTHING and (own ^ int(other, 16)).bit_count() <= ALIKE]


def any_alike(one: str, others: Iterable[int]) -> bool:
    """Return whether one of many hashes, as whole numbers, is of the same picture."""
    if one == NOTHING:
        return False
    own = int(one, 16)
    return any((own ^ other).bit_count() <= ALIKE for other in others)
