"""How the headers of elements stand in each encoding: tags, VRs and lengths, laid out for a walk over raw bytes.

References
----------
DICOM PS3.5 7.1 (elements), 7.5 (sequences, items, delimiters)
"""

import struct

from node.dicom.encoding.tags import CONTRIBUTING_EQUIPMENT_SEQUENCE, DEVICE_UID, MANUFACTURER, PIXEL_DATA, WANTED
from node.dicom.encoding.transfer_syntax import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding, NotParsable

# PS3.5 7.1.2: these VRs have a 16-bit length, the others two reserved bytes and a 32-bit length
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
VRS = SHORT_VRS | LONG_VRS
FRAGMENT_VRS = frozenset({b"OB", b"OW"})
UNDEFINED_LENGTH_VRS = frozenset({b"SQ", b"UN", b"OB", b"OW", b""})  # the last is any implicit one
ITEM_VRS = frozenset({b"SQ", b"UN", b""})

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD
FORBIDDEN_GROUPS = (0x0000, 0xFFFE, 0xFFFF)  # command elements, stray delimiters, filler


class Layout:
    """How the headers of elements stand in one encoding.

    A tag is compared as the 32-bit number, its key, that one unpacking gives: in little endian its halves are swapped.
    """

    def __init__(self, encoding: Encoding) -> None:
        order, self.big_endian = (">", True) if encoding.big_endian else ("<", False)
        self.implicit = encoding.implicit
        self.plain = struct.Struct(order + "II")  #: key and length: implicit elements, and items in every encoding
        self.explicit = struct.Struct(order + "IHH")  #: key, VR and 16-bit length
        self.long_length = struct.Struct(order + "I")
        self.short_vrs = frozenset(int.from_bytes(vr, encoding.byte_order) for vr in SHORT_VRS)
        self.long_vrs = frozenset(int.from_bytes(vr, encoding.byte_order) for vr in LONG_VRS)
        self.item = self.swapped(ITEM)
        self.item_delimiter = self.swapped(ITEM_DELIMITER)
        self.group_mask = self.swapped(0xFFFF0000)
        self.forbidden_groups = frozenset(self.swapped(group << 16) for group in FORBIDDEN_GROUPS)
        noticed = WANTED | PIXEL_DATA | {DEVICE_UID, CONTRIBUTING_EQUIPMENT_SEQUENCE}
        self.noticed = {self.swapped(tag): tag for tag in noticed}
        self.simple = {self.swapped(tag): tag for tag in WANTED}  #: of which no more than the value is wanted
        self.noticed_in_equipment = {self.swapped(tag): tag for tag in (DEVICE_UID, MANUFACTURER)}

    def swapped(self, number: int) -> int:
        """Return the key of a tag, or the tag of a key."""
        return number if self.big_endian else number >> 16 | (number & 0xFFFF) << 16


LAYOUTS = {encoding: Layout(encoding) for encoding in (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG)}


def named(tag: int) -> str:
    """Return a tag as it is written, such as (0010,0020)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def check_room(tag: int, length: int, room: int) -> None:
    """Raise `NotParsable` where a value is longer than what is left of what holds it."""
    if length > room:
        raise NotParsable(f"{named(tag)} is {length - room} bytes longer than what holds it")


def misplaced(tag: int, offset: int) -> NotParsable:
    """Return the fault of something that stands among the items of a sequence."""
    return NotParsable(f"{named(tag)} at offset {offset} stands where an item or its delimiter must stand")
