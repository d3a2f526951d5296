"""Datasets encoded by hand, byte for byte, so that broken ones can be made too."""

import struct

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"

UNDEFINED = 0xFFFFFFFF
_LONG = {b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OF"}


def explicit(tag: int, vr: bytes, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    """Encode an element with its VR; `length` claims another length than the value has."""
    claimed = len(value) if length is None else length
    if vr in _LONG:
        return struct.pack(order + "HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, claimed) + value
    return struct.pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr, claimed) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    """Encode an element without its VR; items and delimiters are encoded so in every transfer syntax."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


ITEM_OPEN = implicit(0xFFFEE000, b"", UNDEFINED)
ITEM_CLOSE = implicit(0xFFFEE00D, b"")
SEQUENCE_CLOSE = implicit(0xFFFEE0DD, b"")

SOP_CLASS = explicit(0x00080016, b"UI", b"1.2.840.10008.5.1.4.1.1.7\0")
SOP_INSTANCE = explicit(0x00080018, b"UI", b"1.2.3.4\0")
PATIENT = explicit(0x00100010, b"PN", b"Doe^Jane")
STUDY = explicit(0x0020000D, b"UI", b"1.2.3\0")
SMALL = SOP_CLASS + SOP_INSTANCE + PATIENT + STUDY


def item(content: bytes) -> bytes:
    """Encode an item of defined length."""
    return implicit(0xFFFEE000, content)


def open_sequence(tag: int, *items: bytes) -> bytes:
    """Encode a sequence of undefined length, with items of undefined length."""
    inside = b"".join(ITEM_OPEN + content + ITEM_CLOSE for content in items)
    return explicit(tag, b"SQ", inside + SEQUENCE_CLOSE, UNDEFINED)


def encapsulated(*fragments: bytes) -> bytes:
    """Encode encapsulated pixel data: an empty offset table, then the fragments."""
    inside = b"".join(item(fragment) for fragment in (b"", *fragments))
    return explicit(0x7FE00010, b"OB", inside + SEQUENCE_CLOSE, UNDEFINED)
