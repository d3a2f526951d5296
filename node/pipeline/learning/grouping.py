"""Which side and which group a newly kept image comes to, beside those that are kept already.

It knows pseudonyms, sides and hashes; no database and no pixels. Images that show one picture are of one group, whoever
they are said to be of; where they would stand on two sides, the first one stands and the newcomer is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.images.likeness import alike
from node.domain.split import Side


@dataclass(frozen=True, slots=True)
class Standing:
    """An image that is kept, or of a locked set."""

    image_hash: str
    side: Side
    group: str
    place: str  #: what a reason calls it, such as the training set


@dataclass(frozen=True, slots=True)
class Link:
    """What a newcomer is bound to."""

    groups: tuple[str, ...]  #: those that become one with its own
    left_out: str = ""  #: why it is not used; "" where it is


def linked(image_hash: str, side: Side, standing: Sequence[Standing]) -> Link:
    """Return what an image is bound to by those that show the same.

    Parameters
    ----------
    image_hash
        Of the newcomer.
    side
        Its patient's.
    standing
        All others, those that came first first.
    """
    same = [standing[place] for place in alike(image_hash, [one.image_hash for one in standing])]
    other = next((one for one in same if one.side is not side), None)
    if other is not None:
        reason = f"it shows a picture of the {other.place}, and its patient is on the side {side.value}"
        return Link((), reason)
    return Link(tuple(dict.fromkeys(one.group for one in same)))
