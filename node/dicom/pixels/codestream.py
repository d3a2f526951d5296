"""What a compressed frame says of its own size and samples, and whether it is all there, without decoding it.

A decoder takes the size from the frame, not from the dataset around it, so a frame that claims another one would be
allocated as it claims and then be cut into a picture that nobody took; and of a frame that ends early, decoders make
a picture that is grey from there on. It knows JPEG, JPEG-LS and JPEG 2000 (High
Throughput too) by their headers; RLE has none.

References
----------
ITU-T T.81 B.1.1.3 (JPEG markers) and B.2.2 (frame header), ITU-T T.87 C.2.2 (JPEG-LS), ITU-T T.800 A.5.1 (SIZ) and
I.4 (JP2 boxes)
"""

import struct
from typing import NamedTuple

_START_OF_IMAGE = b"\xff\xd8"
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_END = b"\xff\xd9"  # of the image (JPEG) and of the codestream (JPEG 2000); compressed data never has it inside
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC share their range
_JPEG_LS = 0xF7
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_FILL = 0xFF
_SIGN = 0x80  # in Ssiz; the other bits are the precision less one


class FrameSize(NamedTuple):
    """Rows, columns and samples per pixel."""

    rows: int
    columns: int
    samples: int


class Samples(NamedTuple):
    """How a frame keeps its samples."""

    bits: int  #: precision
    signed: bool  #: False of JPEG and JPEG-LS, which know no sign: there the bits are kept as they are


class Codestream(NamedTuple):
    """A compressed frame by its header."""

    size: FrameSize
    is_whole: bool  #: its end marker is there
    family: str  #: JPEG, JPEG lossless, JPEG-LS or JPEG 2000
    samples: Samples


def codestream_of(frame: bytes) -> Codestream | None:
    """Return what a compressed frame claims, or None where it has no header that can be read.

    Parameters
    ----------
    frame
        One whole compressed frame, of any of the JPEG families.
    """
    try:
        if frame.startswith(_START_OF_IMAGE):
            return _jpeg(frame)
        return _jpeg_2000(frame, _codestream_offset(frame))
    except (struct.error, IndexError):
        return None


def _jpeg(frame: bytes) -> Codestream | None:
    position = len(_START_OF_IMAGE)
    while frame[position] == _FILL:
        marker = frame[position + 1]
        if marker in _FRAME_HEADERS:
            precision, *size = struct.unpack_from(">BHHB", frame, position + 4)
            is_whole = _END in frame[position:]  # a thumbnail before the header has an end of its own
            return Codestream(FrameSize(*size), is_whole, _family(marker), Samples(precision, signed=False))
        position += _segment_length(frame, position, marker)
    return None


def _family(marker: int) -> str:
    if marker == _JPEG_LS:
        return "JPEG-LS"
    return "JPEG lossless" if marker in _LOSSLESS else "JPEG"


def _segment_length(frame: bytes, position: int, marker: int) -> int:
    if marker == _FILL:
        return 1  # any number of fill bytes may stand before a marker (B.1.1.2)
    if marker in _WITHOUT_LENGTH:
        return 2
    length: int = struct.unpack_from(">H", frame, position + 2)[0]
    return 2 + length


def _codestream_offset(frame: bytes) -> int:
    """Return where the codestream begins: at once, as PS3.5 A.4.4 asks, or in a JP2 file, which some senders write."""
    position = 0
    if not frame.startswith(_JP2_SIGNATURE):
        return position
    while True:
        length, kind = struct.unpack_from(">I4s", frame, position)
        header = 8
        if length == 1:
            length, header = struct.unpack_from(">Q", frame, position + header)[0], 16
        if kind == b"jp2c":
            return position + header
        position += max(length, header) if length else len(frame)


def _jpeg_2000(frame: bytes, start: int) -> Codestream | None:
    if not frame.startswith(_START_OF_CODESTREAM, start):
        return None
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    (samples,) = struct.unpack_from(">H", frame, start + 40)
    depths = frame[start + 42 : start + 42 + 3 * samples : 3]  # Ssiz of each component
    if len(set(depths)) != 1:
        return None  # components of different kinds make no pixel that the Image Pixel module could describe
    kept = Samples((depths[0] & ~_SIGN) + 1, signed=bool(depths[0] & _SIGN))
    size = FrameSize(bottom - top, right - left, samples)
    return Codestream(size, _END in frame[start:], "JPEG 2000", kept)
