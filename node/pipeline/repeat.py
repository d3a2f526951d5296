"""The same SOP Instance UID again: which of four things it is.

A PACS sends a study again after a merge with corrected names under the old UIDs; a scanner's retry brings equal bytes;
a router recompresses; a faulty device re-uses UIDs for other pixels. Nothing is hashed: the bytes are compared with
those of the held file.
"""

from enum import StrEnum

from node.dicom.header import pixel_bytes


class Repeat(StrEnum):
    """What a second copy of a held UID is."""

    EQUAL = "equal"
    """The same bytes: nothing new, 0x0000."""

    OTHER_TRANSFER_SYNTAX = "other transfer syntax"
    """0x0000, the first copy is kept, and it is noted."""

    REVISION = "revision"
    """The same pixels under a changed header: 0x0000, kept as a revision."""

    OTHER_PIXELS = "other pixels"
    """0x0111, the first copy is kept, the second is quarantined."""


def compare(held: bytes, held_syntax: str, came: bytes | memoryview, came_syntax: str) -> Repeat:
    """Return what `came` is to the held dataset of the same SOP Instance UID.

    Parameters
    ----------
    held, came
        The encoded datasets, without preamble and file meta information.
    held_syntax, came_syntax
        Their transfer syntaxes.
    """
    if held_syntax != came_syntax:
        return Repeat.OTHER_TRANSFER_SYNTAX
    if held == came:
        return Repeat.EQUAL
    same = pixel_bytes(held, held_syntax) == pixel_bytes(came, came_syntax)
    return Repeat.REVISION if same else Repeat.OTHER_PIXELS
