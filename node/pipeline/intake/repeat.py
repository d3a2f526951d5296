"""The same SOP Instance UID again: which of five things it is.

A PACS sends a study again after a merge with corrected names under the old UIDs; a scanner's retry brings equal bytes;
a router recompresses; a faulty device re-uses UIDs for other pixels. Nothing is hashed and nothing decoded: the bytes
are compared with those of the held file, a piece of each at a time.
"""

from enum import StrEnum

from node.dicom.encoding.mapped import Scratch, same_bytes
from node.dicom.instance.header import pixel_bytes
from node.pipeline.kept_file import KeptFile


class Repeat(StrEnum):
    """What a second copy of a held UID is."""

    EQUAL = "equal"
    """The same bytes: nothing new, 0x0000."""

    OTHER_TRANSFER_SYNTAX = "other transfer syntax"
    """0x0000, the first copy is kept, and it is noted."""

    OTHER_IDENTITY = "another patient or study, and pixels that cannot be compared"
    """0x0000 and quarantined: it came in another transfer syntax, or the file that is held is gone."""

    REVISION = "revision"
    """The same pixels under a changed header: 0x0000, kept as a revision."""

    OTHER_PIXELS = "other pixels under the same UID"
    """0x0111, the first copy is kept, the second is quarantined."""


def compare(held: KeptFile, came: KeptFile, scratch: Scratch, *, same_identity: bool) -> Repeat:
    """Return what `came` is to the held file of the same SOP Instance UID.

    Parameters
    ----------
    held, came
        Both files, open.
    scratch
        Opens the files that deflated datasets are inflated into.
    same_identity
        Whether both headers name the same patient and study.

    Raises
    ------
    NotParsable
        The held file is no dataset any more.
    OSError
        A scratch file cannot be written.
    """
    if held.transfer_syntax_uid != came.transfer_syntax_uid:
        pixel_bytes(held.dataset, held.transfer_syntax_uid, scratch)  # of a torn file, this copy would be the only one
        return Repeat.OTHER_TRANSFER_SYNTAX if same_identity else Repeat.OTHER_IDENTITY
    if same_bytes(held.dataset, came.dataset):
        return Repeat.EQUAL
    pixels = [pixel_bytes(one.dataset, one.transfer_syntax_uid, scratch) for one in (held, came)]
    return Repeat.REVISION if same_bytes(*pixels) else Repeat.OTHER_PIXELS
