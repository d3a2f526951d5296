"""The walk over raw bytes: tags and lengths alone, iteratively, so that no nesting can exhaust the stack.

Two tight loops skip over the elements that nothing is wanted of, one for each form of header; whatever opens, closes
or may not stand where it stands leaves the loop and is looked at with care. All loops draw from one allowance of
steps, so that no bytes whatever can hold a receiver: it bounds elements, items, fragments and delimiters together.

It knows no transfer syntax, no database, no network and no patient.
"""

import struct
from collections.abc import Iterator
from itertools import repeat
from operator import length_hint

from node.dicom.encoding.layout import (
    FORBIDDEN_GROUPS,
    FRAGMENT_VRS,
    ITEM,
    ITEM_VRS,
    LAYOUTS,
    LONG_VRS,
    SEQUENCE_DELIMITER,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    UNDEFINED_LENGTH_VRS,
    Layout,
    check_room,
    misplaced,
    named,
)
from node.dicom.encoding.nesting import NOTHING, Open, equipment, within
from node.dicom.encoding.tags import CODES, CONTRIBUTING_EQUIPMENT_SEQUENCE, DEVICE_UID, PIXEL_DATA
from node.dicom.encoding.transfer_syntax import Encoding, NotParsable

MAXIMUM_DEPTH = 128  #: open sequences and items together; real content trees stay below 60
MAXIMUM_STEPS = 1_500_000
"""Elements, items, fragments and delimiters that are stepped over, together: a step takes 0.15 to 1 microsecond, so
about a second of walking at most. An enhanced image of 10,000 frames needs 40 to 140 steps a frame where its sequences
have no length, and one in all where they have one; a cine with a fragment a frame needs as many as it has frames."""
MAXIMUM_VALUE_BYTES = 1024  #: of each value that is kept; the longest that a header needs has 64 characters three times
MAXIMUM_DEVICE_UIDS = 64  #: different values that are kept; whoever handles an instance adds one


class Walk:
    """One walk over a dataset, and what it has found; `run` is the only way in.

    Where `data` is but the beginning of `size_bytes`, a header that stands beyond it raises `struct.error`.
    """

    def __init__(
        self, data: bytes | memoryview, encoding: Encoding, maximum_steps: int = MAXIMUM_STEPS, size_bytes: int = -1
    ) -> None:
        layout = LAYOUTS[encoding]
        self._size_bytes = len(data) if size_bytes < 0 else size_bytes
        self.values: dict[int, bytes] = {}
        self.pixels: tuple[int, int] | None = None
        self._other_device_uids: dict[bytes, None] = {}
        self.manufacturers: dict[bytes, None] = {}  #: of Contributing Equipment, raw
        self._data = data
        self._maximum_steps = maximum_steps
        self._steps: Iterator[None] = repeat(None, maximum_steps)  # the cheapest counter that there is
        self._open = [Open(layout, self._size_bytes, delimited=False, noticed=layout.noticed)]

    @property
    def steps(self) -> int:
        """How many steps the walk has taken."""
        return self._maximum_steps - length_hint(self._steps)

    @property
    def device_uids(self) -> tuple[bytes, ...]:
        """The raw Device UIDs that were found, the dataset's own first, then those of Contributing Equipment."""
        return (*filter(None, (self.values.get(DEVICE_UID),)), *self._other_device_uids)

    def run(self) -> None:
        """Walk to the end of the dataset.

        Raises
        ------
        NotParsable
            It is not one whole dataset, or has more in it than the caps allow.
        """
        if self._size_bytes >= UNDEFINED_LENGTH:
            raise NotParsable("it is longer than 4 GiB")  # the loops tell by this that an undefined length is one
        position = 0
        while self._open:
            layout = self._open[-1].layout
            position = (self._implicit if layout.implicit else self._explicit)(layout, position)

    def _explicit(self, layout: Layout, position: int) -> int:
        """Go on over elements with a VR, as long as they are encoded so."""
        data, unpack, unpack_length = self._data, layout.explicit.unpack_from, layout.long_length.unpack_from
        short_vrs, long_vrs, forbidden = layout.short_vrs, layout.long_vrs, layout.forbidden_groups
        group_mask, values, most, at_hand = layout.group_mask, self.values, MAXIMUM_VALUE_BYTES, len(data)
        while self._open and (here := self._open[-1]).layout is layout:
            end, noticed = here.end, here.noticed
            simple = layout.simple if noticed is layout.noticed else NOTHING
            for _ in self._steps:
                value = position + 8
                if value > end:
                    break
                key, vr, length = unpack(data, position)
                if vr not in short_vrs:
                    if vr not in long_vrs or value + 4 > end:
                        break
                    (length,) = unpack_length(data, value)
                    value += 4
                if (after := value + length) > end:
                    break
                if key in simple and length <= most and after <= at_hand:
                    values[simple[key]] = bytes(data[value:after])  # as `_kept`, which takes longer to be called
                elif key & group_mask in forbidden or (key in noticed and not self._kept(noticed[key], value, length)):
                    break
                position = after
            else:
                raise self._too_much()
            position = self._look(here, position)
        return position

    def _implicit(self, layout: Layout, position: int) -> int:
        """Go on over elements without a VR, as long as they are encoded so."""
        data, unpack, group_mask = self._data, layout.plain.unpack_from, layout.group_mask
        forbidden, values, most, at_hand = layout.forbidden_groups, self.values, MAXIMUM_VALUE_BYTES, len(data)
        while self._open and (here := self._open[-1]).layout is layout:
            end, noticed = here.end, here.noticed
            simple = layout.simple if noticed is layout.noticed else NOTHING
            for _ in self._steps:
                value = position + 8
                if value > end:
                    break
                key, length = unpack(data, position)
                if (after := value + length) > end:
                    break
                if key in simple and length <= most and after <= at_hand:
                    values[simple[key]] = bytes(data[value:after])  # as `_kept`, which takes longer to be called
                elif key & group_mask in forbidden or (key in noticed and not self._kept(noticed[key], value, length)):
                    break
                position = after
            else:
                raise self._too_much()
            position = self._look(here, position)
        return position

    def _look(self, here: Open, position: int) -> int:
        """Look at what the loops leave: an end, an element that closes or opens something, or a fault."""
        layout = here.layout
        if position + 8 > here.end:
            return self._ended(here, position)
        key, length = layout.plain.unpack_from(self._data, position)
        if key == layout.item_delimiter and here.delimited and length == 0:
            self._open.pop()
            return self._items(self._open[-1], position + 8)
        tag = layout.swapped(key)
        if tag >> 16 in FORBIDDEN_GROUPS:
            raise NotParsable(f"{named(tag)} at offset {position} cannot stand there")
        vr, value = b"", position + 8
        if not layout.implicit:
            vr, length, value = self._vr(here, tag, position)
        if length == UNDEFINED_LENGTH:
            return self._undefined(here, tag, vr, value)
        check_room(tag, length, here.end - value)
        # what fits is left by the loops for one reason alone: it is Contributing Equipment
        end = value + length
        return self._items(self._opened(equipment(here, vr, end)), value) if vr in ITEM_VRS else end

    def _ended(self, here: Open, position: int) -> int:
        if position < here.end:
            raise NotParsable(f"it ends inside the element at offset {position}")
        if here.delimited:
            raise NotParsable(f"a sequence or item opened before offset {here.end} is not closed")
        self._open.pop()
        return self._items(self._open[-1], position) if self._open else position

    def _vr(self, here: Open, tag: int, position: int) -> tuple[bytes, int, int]:
        """Return VR and length of an element, and where its value begins."""
        vr, value = bytes(self._data[position + 4 : position + 6]), position + 8
        if vr in SHORT_VRS:
            return vr, here.layout.explicit.unpack_from(self._data, position)[2], value
        if vr not in LONG_VRS:
            raise NotParsable(f"{named(tag)} at offset {position} has no known VR")
        if value + 4 > here.end:
            raise NotParsable(f"it ends inside the element at offset {position}")
        return vr, here.layout.long_length.unpack_from(self._data, value)[0], value + 4

    def _undefined(self, here: Open, tag: int, vr: bytes, value: int) -> int:
        """Walk into what ends at a delimiter, or over it; return where to go on."""
        if vr not in UNDEFINED_LENGTH_VRS:
            raise NotParsable(f"{named(tag)} has no length, which its VR does not allow")
        if (top_level := len(self._open) == 1) and tag in CODES:
            self.values[tag] = bytes(self._data[value : value + MAXIMUM_VALUE_BYTES])
        if vr in FRAGMENT_VRS or tag in PIXEL_DATA:
            return self._fragments(here, value, pixels=top_level and tag in PIXEL_DATA)
        if top_level and tag == CONTRIBUTING_EQUIPMENT_SEQUENCE:
            return self._items(self._opened(equipment(here, vr, None)), value)
        return self._items(self._opened(within(here, vr)), value)

    def _items(self, sequence: Open, position: int) -> int:
        """Step over items of defined length; return where to go on, in an item to look into or behind them all."""
        data, end = self._data, sequence.end
        unpack, item, skips = sequence.layout.plain.unpack_from, sequence.layout.item, not sequence.equipment
        for _ in self._steps:
            content = position + 8
            if content > end:
                return self._items_ended(sequence, position)
            key, length = unpack(data, position)
            if key != item or length > end - content or not skips:
                return self._item(sequence, key, content, length)
            position = content + length
        raise self._too_much()

    def _items_ended(self, sequence: Open, position: int) -> int:
        if position < sequence.end or sequence.delimited:
            raise NotParsable(f"a sequence that begins before offset {position} is not closed")
        self._open.pop()
        return position

    def _item(self, sequence: Open, key: int, content: int, length: int) -> int:
        """Open an item, or end the items at their delimiter."""
        tag = sequence.layout.swapped(key)
        if tag == ITEM and length == UNDEFINED_LENGTH:
            self._opened(within(sequence, b""))
        elif tag == ITEM:
            check_room(tag, length, sequence.end - content)
            noticed = sequence.layout.noticed_in_equipment
            self._opened(Open(sequence.layout, content + length, delimited=False, noticed=noticed))
        elif tag == SEQUENCE_DELIMITER and sequence.delimited and length == 0:
            self._open.pop()
        else:
            raise misplaced(tag, content - 8)
        return content

    def _opened(self, inner: Open) -> Open:
        if len(self._open) > MAXIMUM_DEPTH:
            raise NotParsable(f"it is nested deeper than {MAXIMUM_DEPTH} sequences and items")
        self._open.append(inner)
        return inner

    def _fragments(self, here: Open, start: int, *, pixels: bool) -> int:
        """Step over the fragments of encapsulated pixel data (PS3.5 A.4); return where to go on."""
        data, end, position, fragment_bytes = self._data, here.end, start, 0
        unpack, item = here.layout.plain.unpack_from, here.layout.item
        for _ in self._steps:
            content = position + 8
            if content > end:
                raise NotParsable(f"it ends inside the pixel data that begins at offset {start}")
            key, length = unpack(data, position)
            if key != item or length > end - content:
                break
            position = content + length
            fragment_bytes += length
        else:
            raise self._too_much()
        if here.layout.swapped(key) != SEQUENCE_DELIMITER or length:
            raise misplaced(here.layout.swapped(key), position)
        if pixels and fragment_bytes:
            self.pixels = (start, position - start)
        return content

    def _kept(self, tag: int, value: int, length: int) -> bool:
        """Keep what is wanted of an element; say no where it must be looked into."""
        if tag in PIXEL_DATA:
            self.pixels = (value, length) if length else self.pixels
            return True
        raw = bytes(self._data[value : value + min(length, MAXIMUM_VALUE_BYTES)])
        if len(raw) < min(length, MAXIMUM_VALUE_BYTES):
            raise struct.error  # as for a header beyond what is at hand
        if len(self._open) > 1:
            inside = self._other_device_uids if tag == DEVICE_UID else self.manufacturers
            inside |= {raw: None} if len(inside) < MAXIMUM_DEVICE_UIDS else {}
        else:
            self.values[tag] = raw
        return tag != CONTRIBUTING_EQUIPMENT_SEQUENCE

    def _too_much(self) -> NotParsable:
        return NotParsable(f"it has more than {self._maximum_steps} elements, items and fragments")
