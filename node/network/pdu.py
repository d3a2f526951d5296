"""Protocol data units: their types and lengths, those that are always the same bytes, and what is wrong with one.

It knows no socket and no association.

References
----------
DICOM PS3.8 9.3 (PDU structure), Table 9-26 (A-ABORT), Annex E (message control header).
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(0x01, 0x08)
TYPES = range(ASSOCIATE_RQ, ABORT + 1)

#: Type, a reserved byte, and the length of what follows.
HEADER = struct.Struct(">BxL")
#: A presentation data value within a P-DATA-TF: its length, which counts the two bytes after it; context ID; control.
FRAGMENT = struct.Struct(">LBB")

IS_COMMAND, IS_LAST = 0x01, 0x02  # message control header: PS3.8 E.2; the other bits are not looked at

#: Length of every PDU but those of A-ASSOCIATE and P-DATA (PS3.8 Tables 9-24 to 9-26).
SHORT_BYTES = 4

RELEASE_RQ_PDU = struct.pack(">BxL4x", RELEASE_RQ, SHORT_BYTES)
RELEASE_RP_PDU = struct.pack(">BxL4x", RELEASE_RP, SHORT_BYTES)

_DATA_HEADER = struct.Struct(">BxLLBB")
_FRAGMENT_HEADER_BYTES = FRAGMENT.size
_USER, _PROVIDER = 0, 2


class AbortReason(IntEnum):
    """Why the service provider aborts (PS3.8 Table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNISED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNISED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER_VALUE = 6


class BrokenProtocol(Exception):  # noqa: N818 - a state of the peer, not of the program
    """A peer sent what the Standard rules out at this place: its association is aborted, and nobody else's.

    Parameters
    ----------
    words
        What it was, for the log; nothing of what was sent.
    reason
        What the A-ABORT says.
    """

    def __init__(self, words: str, reason: AbortReason = AbortReason.INVALID_PARAMETER_VALUE) -> None:
        super().__init__(words)
        self.reason = reason


#: An A-ABORT of the service user: the node ends the association for a cause of its own.
ABORT_BY_USER = struct.pack(">BxLxxBB", ABORT, SHORT_BYTES, _USER, 0)


def abort_pdu(reason: AbortReason) -> bytes:
    """Return an A-ABORT of the service provider."""
    return struct.pack(">BxLxxBB", ABORT, SHORT_BYTES, _PROVIDER, reason)


def reject_pdu(codes: tuple[int, int, int]) -> bytes:
    """Return an A-ASSOCIATE-RJ with this result, source and reason (PS3.8 9.3.4)."""
    return struct.pack(">BxLxBBB", ASSOCIATE_RJ, SHORT_BYTES, *codes)


def data_pdus(context_id: int, data: bytes, kind: int, maximum_bytes: int) -> Iterator[bytes]:
    """Yield the P-DATA-TF PDUs, of one fragment each, that carry `data`.

    Parameters
    ----------
    context_id
        The presentation context.
    data
        A command set or a dataset, encoded.
    kind
        `IS_COMMAND`, or 0 for a dataset.
    maximum_bytes
        The longest PDU that the peer takes, at least 7.
    """
    view, step = memoryview(data), maximum_bytes - _FRAGMENT_HEADER_BYTES
    for start in range(0, max(len(view), 1), step):
        fragment = view[start : start + step]
        control = kind | (IS_LAST if start + step >= len(view) else 0)
        length = len(fragment) + 2
        yield _DATA_HEADER.pack(DATA, length + 4, length, context_id, control) + fragment
