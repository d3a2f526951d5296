"""Which group of images is for what: a group is on one side of a split and stays there.

A group is whatever must not be torn apart: all images of one patient. It knows names and hashes, not images.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping


def torn_groups(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the groups that stand in more than one split, with those splits.

    Parameters
    ----------
    pairs
        (group, split) of every image.
    """
    splits: dict[str, set[str]] = defaultdict(set)
    for group, split in pairs:
        splits[group].add(split)
    return {group: tuple(sorted(names)) for group, names in splits.items() if len(names) > 1}


def split_of(group: str, salt: str, shares: Mapping[str, float]) -> str:
    """Return the split of a group: always the same one, whatever other groups there are.

    Parameters
    ----------
    group
        The group's name.
    salt
        What makes this split differ from another one of the same groups.
    shares
        The share of the groups that each split is to get; positive, the sum is taken as the whole.

    Raises
    ------
    ValueError
        Where no share is positive.
    """
    whole = sum(shares.values())
    if not shares or min(shares.values()) < 0 or whole <= 0:
        raise ValueError("a split needs positive shares")
    digest = hashlib.sha256(f"{salt}\0{group}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64 * whole
    for name, share in shares.items():
        if point < share:
            return name
        point -= share
    return list(shares)[-1]
