"""The requestor's two A-ASSOCIATE PDUs: the request as it is written, and the acceptance as it is read.

It knows bytes alone; who asks, and what for, is handed in.

References
----------
DICOM PS3.8 9.3.2 (A-ASSOCIATE-RQ), 9.3.3 (A-ASSOCIATE-AC), Annex D.1 (Maximum Length), PS3.7 D.3.3.2 (implementation),
D.3.3.4 (role selection).
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.network.connection import MAXIMUM_PDU_BYTES
from node.network.items import MalformedItems, item, items
from node.network.presentation import APPLICATION_CONTEXT, Syntaxes

_REQUEST = 0x01
_PROTOCOL_VERSION = 0x0001

_APPLICATION_CONTEXT, _CONTEXT, _CONTEXT_RESULT, _USER_INFORMATION = 0x10, 0x20, 0x21, 0x50
_ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x30, 0x40
_MAXIMUM_LENGTH, _IMPLEMENTATION_CLASS, _ROLE_SELECTION, _IMPLEMENTATION_VERSION = 0x51, 0x52, 0x54, 0x55
_ROLE_BYTES = 4  # of a role selection, besides its UID: the length of that, and the two roles

#: PS3.8 Table 9-17: version, reserved, two AE titles and 32 reserved bytes stand before the items.
_ITEMS_START = 68

_ACCEPTED = 0


class MalformedAnswer(ValueError):  # noqa: N818 - a state of the answer, not of the program
    """The bytes are no A-ASSOCIATE-AC: an item overruns what holds it."""


@dataclass(frozen=True, slots=True)
class Role:
    """Whether the requestor acts as SCU, and as SCP, for a SOP class (PS3.7 D.3.3.4)."""

    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What an A-ASSOCIATE-AC grants.

    Parameters
    ----------
    context_ids
        The presentation contexts that were accepted.
    maximum_pdu_bytes
        The longest P-DATA-TF content that the peer takes; 0 where it sets no limit.
    roles
        By SOP class, the roles that it lets the requestor have; where it names none, the default one stands: SCU.
    """

    context_ids: frozenset[int]
    maximum_pdu_bytes: int
    roles: Mapping[str, Role] = field(default_factory=dict)


def encode_request(
    called_ae_title: str,
    calling_ae_title: str,
    proposals: Sequence[Syntaxes],
    roles: Mapping[str, Role] | None = None,
) -> bytes:
    """Return the A-ASSOCIATE-RQ that proposes these contexts, with the IDs 1, 3, 5 and so on, in order.

    `roles` proposes other roles than the default ones, by SOP class.
    """
    titles = b"".join(title.encode("ascii", "replace")[:16].ljust(16) for title in (called_ae_title, calling_ae_title))
    contexts = b"".join(_context(2 * index + 1, syntaxes) for index, syntaxes in enumerate(proposals))
    selected = b"".join(item(_ROLE_SELECTION, _role(uid, role)) for uid, role in (roles or {}).items())
    user_information = (
        item(_MAXIMUM_LENGTH, struct.pack(">L", MAXIMUM_PDU_BYTES))
        + item(_IMPLEMENTATION_CLASS, IMPLEMENTATION_CLASS_UID.encode())
        + selected
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


def _role(sop_class_uid: str, role: Role) -> bytes:
    """Return the content of a role selection (PS3.7 Table D.3-9)."""
    return struct.pack(">H", len(sop_class_uid)) + sop_class_uid.encode() + bytes([role.scu, role.scp])


def _roles(user_information: bytes) -> Iterator[tuple[str, Role]]:
    """Yield the role selections of an acceptance (PS3.7 Table D.3-10); those that are none are left out."""
    for kind, content in items(user_information):
        if kind == _ROLE_SELECTION and len(content) > _ROLE_BYTES:
            yield content[2:-2].decode("ascii", "replace"), Role(content[-2] == 1, content[-1] == 1)


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
    maximum, roles = 0, dict[str, Role]()
    for kind, content in items(encoded):
        # PS3.8 Table 9-18: ID, reserved, result; the result has a meaning of its own for each refusal.
        if kind == _CONTEXT_RESULT and len(content) >= 3 and content[2] == _ACCEPTED:
            context_ids.add(content[0])
        elif kind == _USER_INFORMATION:
            maximum, roles = maximum_length(content), dict(_roles(content))
    return Acceptance(frozenset(context_ids), maximum, roles)


def maximum_length(user_information: bytes) -> int:
    """Return the longest P-DATA-TF content that the other side takes (PS3.8 D.1); 0 where it sets no limit."""
    lengths = (content for kind, content in items(user_information) if kind == _MAXIMUM_LENGTH)
    return int.from_bytes(next(lengths, b""), "big")
