"""What is open while a dataset is walked over: the dataset itself, a sequence or an item, and where each of them ends.

References
----------
DICOM PS3.5 7.5 (sequences and items), 6.2.2 (what stands under an unknown VR)
"""

from dataclasses import dataclass

from node.dicom.encoding.layout import LAYOUTS, Layout
from node.dicom.encoding.transfer_syntax import IMPLICIT_LITTLE

NOTHING: dict[int, int] = {}


@dataclass(slots=True)
class Open:
    """One thing that is open: the dataset, a sequence or an item."""

    layout: Layout
    end: int  #: where it ends, or where the nearest one that has a length ends
    delimited: bool  #: it ends at its delimiter
    noticed: dict[int, int]  #: tags by key, of elements to look at
    equipment: bool = False  #: it is Contributing Equipment, whose items are all looked into
    inner: "Open | None" = None  #: what opens inside without a length: it ends where this ends, so one serves for all


def within(here: Open, vr: bytes) -> Open:
    """Return what opens inside without a length."""
    if vr == b"UN" and not here.layout.implicit:  # what is inside is Implicit VR Little Endian (PS3.5 6.2.2)
        return Open(LAYOUTS[IMPLICIT_LITTLE], here.end, delimited=True, noticed=NOTHING)
    if here.inner is None:
        noticed = here.layout.noticed_in_equipment if here.equipment else NOTHING
        here.inner = Open(here.layout, here.end, delimited=True, noticed=noticed)
    return here.inner


def equipment(here: Open, vr: bytes, end: int | None) -> Open:
    """Return Contributing Equipment, opened; `end` is None where it ends at its delimiter."""
    layout = LAYOUTS[IMPLICIT_LITTLE] if vr == b"UN" else here.layout
    return Open(layout, here.end if end is None else end, delimited=end is None, noticed=NOTHING, equipment=True)
