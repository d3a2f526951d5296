"""Whether a data set tears groups of images apart: a group belongs to one side of a split.

A group is whatever must not be torn apart: all images of one patient. It knows names, not images.
"""

from collections import defaultdict
from collections.abc import Iterable


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
