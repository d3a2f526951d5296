"""The three unique identifiers of a DICOM object, and how this node mints its own.

References
----------
DICOM PS3.5 9.1 (UID encoding rules) and B.2 (UUID derived UID).
"""

import hashlib
import re
import uuid
from functools import lru_cache
from typing import NewType

StudyInstanceUID = NewType("StudyInstanceUID", str)
SeriesInstanceUID = NewType("SeriesInstanceUID", str)
SOPInstanceUID = NewType("SOPInstanceUID", str)

_UID_FORM = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_UID_MAXIMUM_LENGTH = 64


def is_uid(text: str) -> bool:
    """Return whether `text`, its padding already taken off, has the form of a UID.

    Leading zeros in a component are let in: they break PS3.5 9.1, but scanners in use send them. An empty component
    (``1..2``) is not, so that no UID can ever name a folder above.
    """
    return len(text) <= _UID_MAXIMUM_LENGTH and _has_uid_form(text)


@lru_cache(maxsize=1024)  # each UID of an instance is asked for several times, those of its study for every image
def _has_uid_form(text: str) -> bool:
    return _UID_FORM.fullmatch(text) is not None


def new_uid() -> str:
    """Return a UID that nobody ever used: ``2.25.`` and a random UUID in decimal (DICOM PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def derived_uid(*parts: str) -> str:
    """Return the UID that these parts always give: ``2.25.`` and a decimal 128-bit digest.

    The same parts give the same UID on every host and after every restart, so doing a thing twice mints nothing new.

    Parameters
    ----------
    *parts
        What the identity depends on, in order. The parts are length-prefixed before hashing, so ``("a", "bc")`` and
        ``("ab", "c")`` differ.

    References
    ----------
    DICOM PS3.5 B.2; the version and variant bits are those of a name-based UUID (RFC 9562, version 8).
    """
    digest = hashlib.sha256(b"".join(b"%d:%s" % (len(part.encode()), part.encode()) for part in parts)).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | (0x8 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return f"2.25.{number}"
