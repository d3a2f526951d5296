"""Files of DICOM PS3.10 taken apart without a DICOM library, whose import takes longer than what a sender does."""

import struct

_META_LENGTH_AT, _META_AT = 140, 144
_UID_ELEMENT = b"\x02\x00\x03\x00UI"  # (0002,0003) Media Storage SOP Instance UID


def uid_and_dataset(whole: bytes) -> tuple[str, bytes]:
    """Return SOP Instance UID and encoded dataset of a file."""
    at = whole.index(_UID_ELEMENT) + len(_UID_ELEMENT)
    (length,) = struct.unpack_from("<H", whole, at)
    begins = _META_AT + int.from_bytes(whole[_META_LENGTH_AT:_META_AT], "little")
    return whole[at + 2 : at + 2 + length].rstrip(b"\0 ").decode(), whole[begins:]
