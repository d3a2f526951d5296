"""Items within A-ASSOCIATE PDUs: a type, a reserved byte, a length and a content (PS3.8 9.3.2)."""

import struct
from collections.abc import Iterator
from typing import TypeVar


class MalformedItems(ValueError):  # noqa: N818 - a state of the bytes, not of the program
    """An item overruns what holds it."""


def item(kind: int, content: bytes) -> bytes:
    """Return an encoded item."""
    return struct.pack(">BxH", kind, len(content)) + content


_Encoded = TypeVar("_Encoded", bytes, memoryview)


def items(encoded: _Encoded) -> Iterator[tuple[int, _Encoded]]:
    """Yield type and content of each item, copied or viewed as `encoded` is; `MalformedItems` where one overruns it."""
    position = 0
    while position < len(encoded):
        end = position + 4 + int.from_bytes(encoded[position + 2 : position + 4], "big")
        if end > len(encoded):
            raise MalformedItems("an item overruns what holds it")
        yield encoded[position], encoded[position + 4 : end]
        position = end
