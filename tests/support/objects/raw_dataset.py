"""Datasets written element by element, right or wrong, in any uncompressed transfer syntax; no library has a say.

It knows how elements are laid out (DICOM PS3.5 7.1) and nothing of what a node makes of them.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"
UNDEFINED = 0xFFFFFFFF

SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
CHARACTER_SET, PATIENT_NAME, PATIENT_ID, ACCESSION = 0x00080005, 0x00100010, 0x00100020, 0x00080050
ROWS, COLUMNS, FRAMES, PIXELS = 0x00280010, 0x00280011, 0x00280008, 0x7FE00010

_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

#: A value as it stands, padding included; a number is a US in the byte order of the transfer syntax.
Value = bytes | int
Elements = Mapping[int, tuple[str, Value]]


@dataclass(frozen=True, slots=True)
class Instance:
    """What a C-STORE brings: the UIDs that its command names, and its dataset's bytes."""

    sop_instance_uid: str
    dataset: bytes
    transfer_syntax_uid: str = EXPLICIT
    sop_class_uid: str = CT


def element(tag: int, vr: str, value: Value, transfer_syntax: str = EXPLICIT, length: int | None = None) -> bytes:
    """Return an element; `length` is what it claims, where that is not what it holds."""
    order = ">" if transfer_syntax == BIG_ENDIAN else "<"
    encoded = struct.pack(order + "H", value) if isinstance(value, int) else value
    claimed = len(encoded) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if transfer_syntax == IMPLICIT:
        return head + struct.pack("<L", claimed) + encoded
    form = order + ("xxL" if vr in _LONG_VRS else "H")
    return head + vr.encode() + struct.pack(form, claimed) + encoded


def marker(tag: int, length: int = 0) -> bytes:
    """Return the header of an item, or a delimiter, little endian (PS3.5 7.5)."""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)


def text(value: str | bytes, padding: bytes = b" ") -> bytes:
    """Return a text value, padded to an even length."""
    encoded = value if isinstance(value, bytes) else value.encode()
    return encoded + padding * (len(encoded) % 2)


def uid(value: str | bytes) -> tuple[str, bytes]:
    """Return an element's VR and value for a UID, well formed or not."""
    return "UI", text(value, b"\0")


def encoded(elements: Elements, transfer_syntax: str = EXPLICIT) -> bytes:
    """Return a whole dataset of these elements, in the order of their tags."""
    written = b"".join(element(tag, *elements[tag], transfer_syntax) for tag in sorted(elements))
    if transfer_syntax == DEFLATED:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        written = deflater.compress(written) + deflater.flush()
        written += b"\0" * (len(written) % 2)
    return written


def image(sop_instance_uid: str, changes: Mapping[int, tuple[str, Value] | None] | None = None) -> dict[int, Any]:
    """Return the elements of a small CT image; a change to None takes an element out."""
    elements: dict[int, tuple[str, Value] | None] = {
        SOP_CLASS: uid(CT),
        SOP_INSTANCE: uid(sop_instance_uid),
        ACCESSION: ("SH", b"A1"),
        0x00080060: ("CS", b"CT"),
        PATIENT_NAME: ("PN", b"Doe^Jane"),
        PATIENT_ID: ("LO", b"ID-1"),
        STUDY: uid("1.2.3"),
        SERIES: uid("1.2.3.4"),
        0x00280002: ("US", 1),
        0x00280004: ("CS", b"MONOCHROME2 "),
        ROWS: ("US", 16),
        COLUMNS: ("US", 16),
        0x00280100: ("US", 16),
        0x00280101: ("US", 12),
        0x00280102: ("US", 11),
        0x00280103: ("US", 0),
        PIXELS: ("OW", bytes(range(256)) * 2),
    }
    return {tag: value for tag, value in (elements | dict(changes or {})).items() if value is not None}


def ct(
    sop_instance_uid: str,
    transfer_syntax: str = EXPLICIT,
    changes: Mapping[int, tuple[str, Value] | None] | None = None,
) -> Instance:
    """Return a small CT image in a transfer syntax; of JPEG only the container is real."""
    elements = image(sop_instance_uid, changes)
    if transfer_syntax != JPEG:
        return Instance(sop_instance_uid, encoded(elements, transfer_syntax), transfer_syntax)
    _, pixels = elements.pop(PIXELS)
    fragments = marker(ITEM) + marker(ITEM, len(pixels)) + pixels + marker(SEQUENCE_END)
    return Instance(sop_instance_uid, encoded(elements) + element(PIXELS, "OB", fragments, EXPLICIT, UNDEFINED), JPEG)


def followed_by(instance: Instance, more: bytes) -> Instance:
    """Return the instance with these bytes after its dataset's."""
    return replace(instance, dataset=instance.dataset + more)
