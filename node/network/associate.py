"""The requestor's two A-ASSOCIATE PDUs: the request as it is written, and the acceptance as it is read.

It knows bytes alone; who asks, and what for, is handed in.

References
----------
DICOM PS3.8 9.3.2 (A-ASSOCIATE-RQ), 9.3.3 (A-ASSOCIATE-AC), Annex D.1 (Maximum Length), PS3.7 D.3.3.2 (implementation).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.network.connection import MAXIMUM_PDU_BYTES
from node.network.items import MalformedItems, item, items
from node.network.presentation import APPLICATION_CONTEXT, Syntaxes

_REQUEST = 0x01
_PROTOCOL_VERSION = 0x0001

_APPLICATION_CONTEXT, _CONTEXT, _CONTEXT_RESULT, _USER_INFORMATION = 0x10, 0x20, 0x21, 0x50
_ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x30, 0x40
_MAXIMUM_LENGTH, _IMPLEMENTATION_CLASS, _IMPLEMENTATION_VERSION = 0x51, 0x52, 0x55

#: PS3.8 Table 9-17: version, reserved, two AE titles and 32 reserved bytes stand before the items.
_ITEMS_START = 68

_ACCEPTED = 0


class MalformedAnswer(ValueError):  # noqa: N818 - a state of the answer, not of the program
    """The bytes are no A-ASSOCIATE-AC: an item overruns what holds it."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What an A-ASSOCIATE-AC grants.

    Parameters
    ----------
    context_ids
        The presentation contexts that were accepted.
    maximum_pdu_bytes
        The longest P-DATA-TF content that the peer takes; 0 where it sets no limit.
    """

    context_ids: frozenset[int]
    maximum_pdu_bytes: int


def encode_request(called_ae_title: str, calling_ae_title: str, proposals: Sequence[Syntaxes]) -> bytes:
    """Return the A-ASSOCIATE-RQ that proposes these contexts, with the IDs 1, 3, 5 and so on, in order."""
    titles = b"".join(title.encode("ascii", "replace")[:16].ljust(16) for title in (called_ae_title, calling_ae_title))
    contexts = b"".join(_context(2 * index + 1, syntaxes) for index, syntaxes in enumerate(proposals))
    user_information = (
        item(_MAXIMUM_LENGTH, struct.pack(">L", MAXIMUM_PDU_BYTES))
        + item(_IMPLEMENTATION_CLASS, IMPLEMENTATION_CLASS_UID.encode())
        + item(_IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION_NAME.encode())
    )
    items = item(_APPLICATION_CONTEXT, APPLICATION_CONTEXT.encode()) + contexts
    body = struct.pack(">HH", _PROTOCOL_VERSION, 0) + titles + bytes(32) + items
    body += item(_USER_INFORMATION, user_information)
    return struct.pack(">BxL", _REQUEST, len(body)) + body


def _context(context_id: int, syntaxes: Syntaxes) -> bytes:
    abstract = item(_ABSTRACT_SYNTAX, syntaxes.abstract_syntax.encode())
    transfer = item(_TRANSFER_SYNTAX, syntaxes.transfer_syntax.encode())
    return item(_CONTEXT, bytes([context_id, 0, 0, 0]) + abstract + transfer)


def decode_acceptance(body: bytes) -> Acceptance:
    """Return what the A-ASSOCIATE-AC with this body (all after its length) grants; unknown items are ignored.

    Raises
    ------
    MalformedAnswer
        When it ends before its items, or an item overruns it.
    """
    if len(body) < _ITEMS_START:
        raise MalformedAnswer("it ends before its items")
    try:
        return _granted(body[_ITEMS_START:])
    except MalformedItems as error:
        raise MalformedAnswer(str(error)) from error


def _granted(encoded: bytes) -> Acceptance:
    context_ids: set[int] = set()
    maximum = 0
    for kind, content in items(encoded):
        # PS3.8 Table 9-18: ID, reserved, result; the result has a meaning of its own for each refusal.
        if kind == _CONTEXT_RESULT and len(content) >= 3 and content[2] == _ACCEPTED:
            context_ids.add(content[0])
        elif kind == _USER_INFORMATION:
            maximum = maximum_length(content)
    return Acceptance(frozenset(context_ids), maximum)


def maximum_length(user_information: bytes) -> int:
    """Return the longest P-DATA-TF content that the other side takes (PS3.8 D.1); 0 where it sets no limit."""
    lengths = (content for kind, content in items(user_information) if kind == _MAXIMUM_LENGTH)
    return int.from_bytes(next(lengths, b""), "big")
