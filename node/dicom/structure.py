"""Is this one whole dataset? A bounded walk over raw bytes, without decoding a value.

The walk follows tags and lengths alone, iteratively, so that no nesting can exhaust the stack, and stops at a cap on
depth and on the number of elements, so that no bytes can hold a receiver. On its way it keeps the raw values of the
few elements that the header needs, so that a dataset is walked once.

What has a defined length is skipped as a whole: a sequence or item whose length fits is sound enough to be kept, and
a sloppy private sequence inside must not cost an image. What has no length is walked to its delimiter. Contributing
Equipment alone is always walked, because the Device UIDs inside it say whether an object is our own.

It knows no database, no network and no patient.
"""

import struct
from dataclasses import dataclass, field

from node.dicom.encoding import (
    DEFLATED,
    IMPLICIT_LITTLE,
    Encoding,
    InflatesTooLarge,
    NotParsable,
    encoding_of,
    inflate,
)
from node.dicom.tags import CONTRIBUTING_EQUIPMENT_SEQUENCE, DEVICE_UID, PIXEL_DATA, WANTED

__all__ = ["InflatesTooLarge", "NotParsable", "Structure", "check_structure"]

MAXIMUM_DEPTH = 128  #: open sequences and items together; real content trees stay below 60
MAXIMUM_ELEMENTS = 1_000_000  #: about a second of walking
MAXIMUM_VALUE_BYTES = 4096  #: of each value that is kept; nothing that a header needs is longer

# PS3.5 7.1.2: these VRs have a 16-bit length, the others two reserved bytes and a 32-bit length
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_VRS = _SHORT_VRS | _LONG_VRS
_FRAGMENT_VRS = frozenset({b"OB", b"OW"})
_UNDEFINED_LENGTH_VRS = frozenset({b"SQ", b"UN", b"OB", b"OW", b""})  # the last is any implicit one

_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_ITEM_DELIMITER = 0xFFFEE00D
_SEQUENCE_DELIMITER = 0xFFFEE0DD
_FORBIDDEN_GROUPS = frozenset({0x0000, 0xFFFE, 0xFFFF})  # command elements, stray delimiters, filler

_IMPLICIT_HEADER = {False: struct.Struct("<HHI"), True: struct.Struct(">HHI")}
_EXPLICIT_HEADER = {False: struct.Struct("<HH2sH"), True: struct.Struct(">HH2sH")}
_LONG_LENGTH = {False: struct.Struct("<I"), True: struct.Struct(">I")}


@dataclass(frozen=True, slots=True)
class Structure:
    """What the walk found; values are raw and undecoded."""

    dataset: memoryview  #: the bytes that offsets refer to: as received, or inflated
    encoding: Encoding
    values: dict[int, bytes]  #: by tag, for the top-level elements in `WANTED` that are there
    device_uids: tuple[bytes, ...]  #: (0018,1002) Device UID, top level first, then Contributing Equipment
    pixels: tuple[int, int] | None
    """Offset and length of the value of a pixel data element that has any bytes of pixels. An encapsulated value
    runs from the item of its offset table to its sequence delimiter, that delimiter left out."""


def check_structure(dataset: bytes | memoryview, transfer_syntax_uid: str) -> Structure:
    """Walk over a raw dataset and return its structure.

    Parameters
    ----------
    dataset
        The encoded dataset, without preamble and file meta information.
    transfer_syntax_uid
        The transfer syntax it claims. An unknown one is taken as explicit VR little endian, encapsulated.

    Raises
    ------
    NotParsable
        The dataset is empty, truncated, garbage, in another transfer syntax, has an unknown VR, a length that
        overruns what holds it, an unclosed sequence or item, or is nested or populated past the caps.
    InflatesTooLarge
        A deflated dataset grows past the cap (a kind of `NotParsable`).

    References
    ----------
    DICOM PS3.5 7 (elements, sequences), A.4 (encapsulation), A.5 (deflated)
    """
    data = inflate(dataset) if transfer_syntax_uid in DEFLATED else memoryview(dataset)
    encoding = encoding_of(transfer_syntax_uid)
    _check_first_element(data, encoding)
    walk = _Walk(data, encoding)
    walk.run()
    return Structure(data, encoding, walk.values, tuple(walk.device_uids), walk.pixels)


def _check_first_element(data: memoryview, encoding: Encoding) -> None:
    """Tell a dataset in another transfer syntax by its first element, before a wrong length leads far into it."""
    if len(data) < 8:
        raise NotParsable("it is empty" if not data else f"it ends after {len(data)} bytes, inside its first element")
    group = int.from_bytes(data[:2], encoding.byte_order)
    # every composite instance has group 0008 and may begin with 0002 or 0004; no group reads like these swapped
    if group in {0x0200, 0x0400, 0x0800}:
        raise NotParsable("its first element is in the other byte order: another transfer syntax was used")
    if encoding.implicit and bytes(data[4:6]) in _VRS:
        raise NotParsable("its first element has a VR: it was sent as implicit VR and is explicit VR")


@dataclass(slots=True)
class _Frame:
    """One thing that is open: the dataset, a sequence, an item, or the fragments of encapsulated pixel data."""

    encoding: Encoding
    end: int  #: where it ends, or where the nearest one that has a length ends
    delimited: bool  #: it ends at its delimiter
    holds_items: bool = False
    fragments: bool = False
    equipment: bool = False  #: it is Contributing Equipment, or an item of it
    pixels_at: int | None = None  #: where the value begins, of encapsulated pixel data at the top level
    item_bytes: int = 0  #: of the items of defined length in it


@dataclass(slots=True)
class _Walk:
    """The state of one walk; `run` is the only way in."""

    data: memoryview
    encoding: Encoding
    position: int = 0
    count: int = 0
    frame: _Frame = field(init=False)
    outer: list[_Frame] = field(default_factory=list)
    values: dict[int, bytes] = field(default_factory=dict)
    device_uids: list[bytes] = field(default_factory=list)
    pixels: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.frame = _Frame(self.encoding, len(self.data), delimited=False)

    def run(self) -> None:
        """Walk to the end of the dataset."""
        while True:
            frame = self.frame
            if self.position < frame.end:
                self._step(frame)
            elif frame.delimited:
                raise NotParsable(f"a sequence or item opened before offset {frame.end} is not closed")
            elif not self.outer:
                return
            else:
                self.frame = self.outer.pop()

    def _step(self, frame: _Frame) -> None:
        self.count += 1
        if self.count > MAXIMUM_ELEMENTS:
            raise NotParsable(f"it has more than {MAXIMUM_ELEMENTS} elements and items")
        if frame.holds_items:
            self._item(frame)
        else:
            self._element(frame)

    def _element(self, frame: _Frame) -> None:
        tag, vr, length = self._header(frame)
        if tag == _ITEM_DELIMITER and frame.delimited and length == 0:
            self.frame = self.outer.pop()
        elif tag >> 16 in _FORBIDDEN_GROUPS:
            raise NotParsable(f"{_named(tag)} at offset {self.position} cannot stand there")
        elif length == _UNDEFINED_LENGTH:
            self._open_undefined(frame, tag, vr)
        else:
            self._check_room(frame, length, tag)
            self._defined(frame, tag, length)

    def _header(self, frame: _Frame) -> tuple[int, bytes, int]:
        """Read an element's tag, VR and length, and move to its value; an implicit VR is empty."""
        if self.position + 8 > frame.end:
            raise NotParsable(f"it ends inside the element at offset {self.position}")
        big_endian = frame.encoding.big_endian
        if frame.encoding.implicit:
            group, element, length = _IMPLICIT_HEADER[big_endian].unpack_from(self.data, self.position)
            vr = b""
        else:
            group, element, vr, length = _EXPLICIT_HEADER[big_endian].unpack_from(self.data, self.position)
        tag = group << 16 | element
        if vr in _LONG_VRS:
            return self._long_header(frame, tag, vr)
        # items and delimiters have no VR in any transfer syntax (PS3.5 7.5)
        if not frame.encoding.implicit and vr not in _SHORT_VRS and tag != _ITEM_DELIMITER:
            raise NotParsable(f"{_named(tag)} at offset {self.position} has no known VR")
        self.position += 8
        return tag, vr, length

    def _long_header(self, frame: _Frame, tag: int, vr: bytes) -> tuple[int, bytes, int]:
        if self.position + 12 > frame.end:
            raise NotParsable(f"it ends inside the element at offset {self.position}")
        (length,) = _LONG_LENGTH[frame.encoding.big_endian].unpack_from(self.data, self.position + 8)
        self.position += 12
        return tag, vr, length

    def _defined(self, frame: _Frame, tag: int, length: int) -> None:
        """Skip over a value of known length, keeping what is wanted of it."""
        at, self.position = self.position, self.position + length
        if not self.outer:
            self._top_level(frame, tag, at, length)
        elif frame.equipment and tag == DEVICE_UID and len(self.outer) == 2:
            self.device_uids.append(bytes(self.data[at : at + min(length, MAXIMUM_VALUE_BYTES)]))

    def _top_level(self, frame: _Frame, tag: int, at: int, length: int) -> None:
        if tag in WANTED:
            self.values[tag] = bytes(self.data[at : at + min(length, MAXIMUM_VALUE_BYTES)])
        elif tag == DEVICE_UID:
            self.device_uids.insert(0, bytes(self.data[at : at + min(length, MAXIMUM_VALUE_BYTES)]))
        elif tag in PIXEL_DATA and length:
            self.pixels = (at, length)
        elif tag == CONTRIBUTING_EQUIPMENT_SEQUENCE:
            self.position = at
            self._open(_Frame(frame.encoding, at + length, delimited=False, holds_items=True, equipment=True))

    def _open_undefined(self, frame: _Frame, tag: int, vr: bytes) -> None:
        """Open a sequence, or encapsulated pixel data, that ends at a delimiter."""
        if vr not in _UNDEFINED_LENGTH_VRS:
            raise NotParsable(f"{_named(tag)} has no length, which its VR does not allow")
        top_level = not self.outer
        opened = _Frame(
            # a sequence of VR UN is encoded as Implicit VR Little Endian inside (PS3.5 6.2.2)
            IMPLICIT_LITTLE if vr == b"UN" else frame.encoding,
            frame.end,
            delimited=True,
            holds_items=True,
            fragments=vr in _FRAGMENT_VRS or tag in PIXEL_DATA,
            equipment=top_level and tag == CONTRIBUTING_EQUIPMENT_SEQUENCE,
            pixels_at=self.position if top_level and tag in PIXEL_DATA else None,
        )
        self._open(opened)

    def _open(self, frame: _Frame) -> None:
        self.outer.append(self.frame)
        if len(self.outer) > MAXIMUM_DEPTH:
            raise NotParsable(f"it is nested deeper than {MAXIMUM_DEPTH} sequences and items")
        self.frame = frame

    def _item(self, frame: _Frame) -> None:
        """Read what must be an item, or the delimiter that ends the items."""
        at = self.position
        if at + 8 > frame.end:
            raise NotParsable(f"it ends inside the item at offset {at}")
        group, element, length = _IMPLICIT_HEADER[frame.encoding.big_endian].unpack_from(self.data, at)
        tag = group << 16 | element
        self.position += 8
        if tag == _SEQUENCE_DELIMITER and frame.delimited and length == 0:
            self._close_items(frame, at)
        elif tag != _ITEM or (frame.fragments and length == _UNDEFINED_LENGTH):
            raise NotParsable(f"{_named(tag)} at offset {at} stands where an item or its delimiter must stand")
        elif length == _UNDEFINED_LENGTH:
            self._open(_Frame(frame.encoding, frame.end, delimited=True, equipment=frame.equipment))
        else:
            self._check_room(frame, length, tag)
            self._defined_item(frame, length)

    def _defined_item(self, frame: _Frame, length: int) -> None:
        if frame.equipment:
            self._open(_Frame(frame.encoding, self.position + length, delimited=False, equipment=True))
            return
        self.position += length
        frame.item_bytes += length

    def _close_items(self, frame: _Frame, end: int) -> None:
        if frame.pixels_at is not None and frame.item_bytes:
            self.pixels = (frame.pixels_at, end - frame.pixels_at)
        self.frame = self.outer.pop()

    def _check_room(self, frame: _Frame, length: int, tag: int) -> None:
        if length > frame.end - self.position:
            missing = length - (frame.end - self.position)
            raise NotParsable(f"{_named(tag)} is {missing} bytes longer than what holds it")


def _named(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
