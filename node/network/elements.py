"""The data elements of a small dataset, found one after another: no recursion, and no object for what is not asked.

What a peer sends decides neither how deep this goes nor how much memory it takes. It knows tags, VRs and lengths, and
nothing of what a value means.

References
----------
DICOM PS3.5 7.1 (data elements), 7.5 (sequences), 6.2.2 (unknown VR), Annex A.1 and A.2 (the two encodings).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_TAG = struct.Struct("<HH")
_LENGTH = struct.Struct("<L")
_SHORT_LENGTH = struct.Struct("<H")


class MalformedIdentifier(ValueError):  # noqa: N818 - a state of the bytes, not of the program
    """The bytes are no dataset in their transfer syntax."""


@dataclass(frozen=True, slots=True)
class Found:
    """An element: its tag, its VR, empty where the encoding says none, and where its value begins and ends."""

    tag: int
    vr: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Elements:
    """A dataset, or the items of a sequence in it, in Little Endian.

    Parameters
    ----------
    encoded
        The bytes of the whole dataset.
    is_explicit
        Whether VRs are encoded.
    """

    encoded: bytes
    is_explicit: bool

    def between(self, start: int, end: int) -> Iterator[Found]:
        """Yield the elements of the dataset or item between these positions, none of those within sequences.

        Raises
        ------
        MalformedIdentifier
            Where an element overruns it.
        """
        while start < end:
            tag, vr, at, length = self._header(start, explicit=self.is_explicit)
            if tag == _ITEM_END:
                return
            start = self._after(at, vr) if length == _UNDEFINED else at + length
            if start > end:
                raise MalformedIdentifier("a dataset with an element that overruns it")
            yield Found(tag, vr.decode("ascii", "replace"), at, start)

    def items(self, sequence: Found) -> Iterator[tuple["Elements", int, int]]:
        """Yield the items of a sequence: how each is encoded, and where it begins and ends.

        Raises
        ------
        MalformedIdentifier
            Where the value is no sequence.
        """
        # PS3.5 6.2.2: what stands under UN is in Implicit VR Little Endian
        within = Elements(self.encoded, is_explicit=self.is_explicit and sequence.vr != "UN")
        position = sequence.start
        while position < sequence.end:
            tag, _, at, length = self._header(position, explicit=False)
            if tag == _SEQUENCE_END:
                return
            position = within._after(at, b"") if length == _UNDEFINED else at + length
            if tag != _ITEM or position > sequence.end:
                raise MalformedIdentifier("a sequence that cannot be decoded")
            yield within, at, position

    def _after(self, position: int, vr: bytes) -> int:
        """Return where a value of undefined length ends, its delimiter included."""
        explicit = [self.is_explicit and vr != b"UN"]  # of each value that is open here
        while explicit:
            tag, vr, at, length = self._header(position, explicit=explicit[-1])
            position = at
            if tag in (_ITEM_END, _SEQUENCE_END):
                explicit.pop()
            elif length == _UNDEFINED:
                explicit.append(explicit[-1] and vr != b"UN")
            else:
                position += length
        return position

    def _header(self, position: int, *, explicit: bool) -> tuple[int, bytes, int, int]:
        """Return tag, VR, where the value begins, and its length."""
        try:
            group, element = _TAG.unpack_from(self.encoded, position)
            tag = group << 16 | element
            if not explicit or group == 0xFFFE:
                return tag, b"", position + 8, _LENGTH.unpack_from(self.encoded, position + 4)[0]
            vr = self.encoded[position + 4 : position + 6]
            if vr in _LONG:
                return tag, vr, position + 12, _LENGTH.unpack_from(self.encoded, position + 8)[0]
            return tag, vr, position + 8, _SHORT_LENGTH.unpack_from(self.encoded, position + 6)[0]
        except struct.error:
            raise MalformedIdentifier("a dataset that ends within an element") from None
