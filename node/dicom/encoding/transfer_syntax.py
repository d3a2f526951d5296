"""How the bytes of a dataset are encoded: what each transfer syntax says, and the inflating of deflated ones.

It knows the transfer syntaxes of DICOM PS3.5 Annex A by what matters for walking over raw bytes, and nothing of any
element's meaning.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"

DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Deflated Explicit VR Little Endian, JPIP Referenced Deflate and JPIP HTJ2K Referenced Deflate: the whole dataset is
deflated (DICOM PS3.5 A.5)."""

_RAW = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})

MAXIMUM_INFLATED_BYTES = 512 << 20

_INFLATED_PIECE_BYTES = 1 << 20
_DEFLATED_PIECE_BYTES = 1 << 18  # zlib copies what it has not taken of a piece, each time
_MAXIMUM_TRAILER_BYTES = 1 << 16


class NotParsable(Exception):  # noqa: N818 - the word of the design: it names a finding about bytes, and maps to 0xC000
    """The bytes are not one whole dataset in their transfer syntax; the message says where and why.

    The message holds offsets, tags and lengths and never a value, so it may be logged.
    """


class InflatesTooLarge(NotParsable):
    """A deflated dataset grows past the cap; nothing is known of what follows (answered 0xA700, out of resources)."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are laid out: byte order, and whether the VR stands in the element."""

    big_endian: bool
    implicit: bool

    @property
    def byte_order(self) -> Literal["big", "little"]:
        """The byte order, as `int.from_bytes` names it."""
        return "big" if self.big_endian else "little"


IMPLICIT_LITTLE = Encoding(big_endian=False, implicit=True)
EXPLICIT_LITTLE = Encoding(big_endian=False, implicit=False)
EXPLICIT_BIG = Encoding(big_endian=True, implicit=False)

_OTHER_THAN_EXPLICIT_LITTLE = {
    IMPLICIT_VR_LITTLE_ENDIAN: IMPLICIT_LITTLE,
    EXPLICIT_VR_BIG_ENDIAN: EXPLICIT_BIG,
}


def is_raw(transfer_syntax_uid: str) -> bool:
    """Return whether pixels stand in the file as they are: no decoder, and no inflating, has to be trusted."""
    return transfer_syntax_uid in _RAW


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Return how a dataset of this transfer syntax is laid out, once inflated.

    Every transfer syntax but Implicit VR Little Endian and the retired Explicit VR Big Endian encodes its elements as
    Explicit VR Little Endian (DICOM PS3.5 Annex A); unknown and private ones are taken to do the same.
    """
    return _OTHER_THAN_EXPLICIT_LITTLE.get(transfer_syntax_uid, EXPLICIT_LITTLE)


def inflate(dataset: bytes | memoryview, maximum_bytes: int = MAXIMUM_INFLATED_BYTES) -> memoryview:
    """Return a deflated dataset inflated in memory; `inflated_pieces` says how, and what it raises."""
    whole = bytearray()
    for piece in inflated_pieces(dataset, maximum_bytes):
        whole += piece
    return memoryview(whole)


def inflated_pieces(dataset: bytes | memoryview, maximum_bytes: int = MAXIMUM_INFLATED_BYTES) -> Iterator[bytes]:
    """Inflate a dataset in pieces, never past the cap by more than a piece.

    Parameters
    ----------
    dataset
        The raw deflate stream (RFC 1951, no zlib header), with any zero padding after its end.
    maximum_bytes
        The cap on the inflated size, and on the deflated one: no stream that says anything is the longer of the two.

    Raises
    ------
    InflatesTooLarge
        The stream grows past the cap.
    NotParsable
        It is not a deflate stream, or it ends before its end.

    References
    ----------
    DICOM PS3.5 A.5
    """
    if len(dataset) > maximum_bytes:
        raise InflatesTooLarge(f"it is deflated and has {len(dataset)} bytes, more than {maximum_bytes}")
    inflater, total, position = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
    with memoryview(dataset) as source:
        while not inflater.eof and position < len(source):
            with source[position : position + _DEFLATED_PIECE_BYTES] as waiting:
                for piece in _inflated(inflater, waiting):
                    total += len(piece)
                    if total > maximum_bytes:
                        raise InflatesTooLarge(f"it inflates to more than {maximum_bytes} bytes")
                    yield piece
                position += len(waiting)
        if not inflater.eof:
            raise NotParsable("the deflate stream is truncated")
        position -= len(inflater.unused_data)
        _check_trailer(bytes(source[position : position + _MAXIMUM_TRAILER_BYTES]), len(source) - position, total)


def _inflated(inflater: "zlib._Decompress", waiting: bytes | memoryview) -> Iterator[bytes]:
    """Inflate one piece of input, into pieces that are bounded too: a thousandfold is what deflate can do."""
    while not inflater.eof:
        try:
            piece = inflater.decompress(waiting, _INFLATED_PIECE_BYTES)
        except zlib.error:
            raise NotParsable("it is not a deflate stream") from None
        if piece:
            yield piece
        waiting = inflater.unconsumed_tail
        # all input may be taken while output is still to come, so only an empty piece says that there is no more
        if not piece and not waiting:
            return


def _check_trailer(trailer: bytes, trailer_bytes: int, inflated_bytes: int) -> None:
    """Let in padding, and the checksum and size that gzip puts after a stream and some writers leave there."""
    is_gzip_trailer = trailer[4:8] == struct.pack("<I", inflated_bytes & 0xFFFFFFFF)
    is_padding = not trailer[8:].strip(b"\0") and (is_gzip_trailer or not trailer.strip(b"\0"))
    if trailer_bytes > len(trailer) or not is_padding:
        raise NotParsable(f"the deflate stream is followed by {trailer_bytes} other bytes")
