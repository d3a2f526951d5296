"""The A-ASSOCIATE-RQ as it comes, read here before the library sees any of it, and what the library then sees.

The library aborts at items that it does not know, though they are to be ignored, dies of an even context ID, raises on
titles and UIDs of a form that it does not like, and chooses a transfer syntax by its own list. What is handed on to it
is written anew from what was read: valid, without what it would ignore in any case, and with the one transfer syntax of
each context that this node prefers. It knows no socket and not who is let in.

References
----------
DICOM PS3.8 9.3.1 (unknown items are ignored), 9.3.2 (A-ASSOCIATE-RQ), Annex D.1 (Maximum Length), PS3.7 D.3.3.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from node.domain.identifiers import is_uid
from node.network.associate import maximum_length
from node.network.connection import PDU_CAP_BYTES
from node.network.items import MalformedItems, item, items
from node.network.pdu import ABORT, ASSOCIATE_RQ, HEADER, TYPES, AbortReason, BrokenProtocol
from node.network.presentation import TRANSFER_SYNTAXES, Syntaxes, preferred_transfer_syntax

#: PS3.8 Table 9-11: version, reserved, two AE titles and 32 reserved bytes stand before the items.
ITEMS_START = 68

_APPLICATION_CONTEXT, _CONTEXT, _USER_INFORMATION = 0x10, 0x20, 0x50
_ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x30, 0x40
_MAXIMUM_LENGTH, _ROLE_SELECTION = 0x51, 0x54
_ROLES_BYTES = 4  # of a role selection, besides its UID: the length of that, and the two roles

#: Stands for what has not the form of a UID: nobody supports it, and so that context alone is refused.
_NO_UID = "0"
_LONGER_THAN_A_UID = 80

#: No request has more contexts than 128, nor a context as many transfer syntaxes as there are twice over: what 1 MiB
#: could hold of either would keep the processor busy for a third of a second.
_MOST_ITEMS = 192
_MOST_NEGOTIATED = 1024  # three kinds of extended negotiation for each context, and more
_MOST_SYNTAXES = 2 * len(TRANSFER_SYNTAXES)

#: PS3.8 Table 9-11: bit 0 says version 1, and only that bit is tested.
_VERSION_1 = 0x0001


class AbortedEarly(Exception):  # noqa: N818 - a way to end, not an error
    """The peer aborts before it has asked for anything."""


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context as proposed: its ID, and what is to be said in which encoding.

    Of the encodings proposed it is the one that the node takes, or the first where it knows none of them.
    """

    context_id: int
    syntaxes: Syntaxes


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """What an A-ASSOCIATE-RQ says.

    Parameters
    ----------
    is_version_1
        Whether it speaks the one protocol version that there is.
    called_ae_title, calling_ae_title
        Without padding; what no AE title may hold is replaced by a question mark.
    is_calling_title_sound
        Whether the calling AE title holds nothing else (PS3.5 6.2: no backslash, no control character, not empty).
    application_context
        The application context name; empty where there is none.
    contexts
        At least one, each with an odd ID of its own.
    maximum_pdu_bytes
        The longest P-DATA-TF content that the peer takes; 0 where it sets no limit.
    roles
        The contents of its SCP/SCU Role Selection items (PS3.7 D.3.3.4); those that are none are left out.
    """

    is_version_1: bool
    called_ae_title: str
    calling_ae_title: str
    is_calling_title_sound: bool
    application_context: str
    contexts: tuple[ProposedContext, ...]
    maximum_pdu_bytes: int
    roles: tuple[bytes, ...]

    def encoded(self) -> bytes:
        """Return the A-ASSOCIATE-RQ that the library is given."""
        titles = b"".join(title.encode("ascii").ljust(16) for title in (self.called_ae_title, self.calling_ae_title))
        contexts = b"".join(_encoded_context(context) for context in self.contexts)
        roles = b"".join(item(_ROLE_SELECTION, role) for role in self.roles)
        user_information = item(_MAXIMUM_LENGTH, struct.pack(">L", self.maximum_pdu_bytes)) + roles
        body = struct.pack(">HH", _VERSION_1, 0) + titles + bytes(32)
        body += item(_APPLICATION_CONTEXT, self.application_context.encode()) + contexts
        body += item(_USER_INFORMATION, user_information)
        return HEADER.pack(ASSOCIATE_RQ, len(body)) + body


def _encoded_context(context: ProposedContext) -> bytes:
    abstract = item(_ABSTRACT_SYNTAX, context.syntaxes.abstract_syntax.encode())
    transfer = item(_TRANSFER_SYNTAX, context.syntaxes.transfer_syntax.encode())
    return item(_CONTEXT, bytes([context.context_id, 0, 0, 0]) + abstract + transfer)


def claimed_length(header: bytes) -> int:
    """Return the length that an A-ASSOCIATE-RQ claims, before any of it is read.

    Raises
    ------
    BrokenProtocol
        When the first PDU on a connection is another one, or longer or shorter than any.
    AbortedEarly
        When it is an A-ABORT.
    """
    kind, length = HEADER.unpack(header)
    if kind == ABORT:
        raise AbortedEarly
    if kind not in TYPES:
        raise BrokenProtocol("what came is no PDU", AbortReason.UNRECOGNISED_PDU)
    if kind != ASSOCIATE_RQ:
        raise BrokenProtocol("the first PDU is no A-ASSOCIATE-RQ", AbortReason.UNEXPECTED_PDU)
    if not ITEMS_START <= length <= PDU_CAP_BYTES:
        raise BrokenProtocol(f"an A-ASSOCIATE-RQ claims {length} bytes")
    return int(length)


def decode_request(body: memoryview) -> AssociationRequest:
    """Return what the A-ASSOCIATE-RQ with this body (all after its length) says; unknown items are ignored.

    Raises
    ------
    BrokenProtocol
        When it ends before its items, an item overruns what holds it, or a context has an even ID, the ID of another,
        no abstract syntax or no transfer syntax.
    """
    if len(body) < ITEMS_START:
        raise BrokenProtocol("the A-ASSOCIATE-RQ ends before its items")
    try:
        return _decoded(body)
    except MalformedItems as error:
        raise BrokenProtocol(f"{error} in the A-ASSOCIATE-RQ") from error


def _decoded(body: memoryview) -> AssociationRequest:
    variable = _few(body[ITEMS_START:], _MOST_ITEMS)
    user = bytes(next((content for kind, content in variable if kind == _USER_INFORMATION), b""))
    names = (content for kind, content in variable if kind == _APPLICATION_CONTEXT)
    return AssociationRequest(
        is_version_1=bool(int.from_bytes(body[:2], "big") & _VERSION_1),
        called_ae_title=_title(bytes(body[4:20])),
        calling_ae_title=_title(bytes(body[20:36])),
        is_calling_title_sound=_unpadded(bytes(body[20:36])) == _title(bytes(body[20:36])) != "",
        application_context=_uid(next(names, b"")),
        contexts=tuple(map(_context, _checked([content for kind, content in variable if kind == _CONTEXT]))),
        maximum_pdu_bytes=min(maximum_length(user), 0xFFFFFFFF),
        roles=tuple(_roles(user)),
    )


def _roles(user: bytes) -> Iterator[bytes]:
    """Yield the role selections that are whole, each SOP class once (PS3.7 Table D.3-9).

    One that is not proposes nothing that could be answered, and without an answer the default roles stand (D.3.3.4);
    the library would raise at it, and so end an association that needs no roles.
    """
    seen: set[str] = set()
    for kind, content in _few(memoryview(user), _MOST_NEGOTIATED):
        uid = _uid(content[2:-2]) if kind == _ROLE_SELECTION and len(content) > _ROLES_BYTES else _NO_UID
        is_whole = uid not in (_NO_UID, *seen) and int.from_bytes(content[:2], "big") == len(content) - _ROLES_BYTES
        if is_whole and max(content[-2:]) <= 1:
            seen.add(uid)
            yield struct.pack(">H", len(uid)) + uid.encode() + bytes(content[-2:])


def _few(encoded: memoryview, most: int) -> list[tuple[int, memoryview]]:
    found = list(islice(items(encoded), most + 1))
    if len(found) > most:
        raise BrokenProtocol("more items than any A-ASSOCIATE-RQ has")
    return found


def _title(encoded: bytes) -> str:
    """Return an AE title without its padding; some pad with NUL, and PS3.5 6.2 lets neither backslash nor control."""
    text = _unpadded(encoded)
    return "".join(sign if sign.isascii() and sign.isprintable() and sign != "\\" else "?" for sign in text)


def _unpadded(encoded: bytes) -> str:
    return encoded.decode("ascii", "replace").strip("\0 ")


def _uid(encoded: bytes | memoryview) -> str:
    text = bytes(encoded[:_LONGER_THAN_A_UID]).decode("ascii", "replace").strip("\0 ")
    return text if is_uid(text) else _NO_UID


def _context(content: memoryview) -> ProposedContext:
    syntaxes = _few(content[4:], _MOST_SYNTAXES)
    abstract = [_uid(value) for kind, value in syntaxes if kind == _ABSTRACT_SYNTAX]
    transfer = [_uid(value) for kind, value in syntaxes if kind == _TRANSFER_SYNTAX]
    if not abstract or not transfer:
        raise BrokenProtocol("a presentation context without abstract or transfer syntax")
    # PS3.8 9.3.3.2 leaves the choice to the acceptor; the library takes the first of its own list.
    return ProposedContext(content[0], Syntaxes(abstract[0], preferred_transfer_syntax(transfer) or transfer[0]))


def _checked(contexts: Sequence[memoryview]) -> Sequence[memoryview]:
    """Return the contexts, whose IDs are odd and unique (PS3.8 9.3.2.2); so there are at most 128 of them."""
    if not all(len(content) >= 4 for content in contexts):
        raise BrokenProtocol("a presentation context without an ID")
    identities = {content[0] for content in contexts}
    if not contexts or len(identities) < len(contexts) or not all(identity % 2 for identity in identities):
        raise BrokenProtocol("no presentation context, or one with an even ID or the ID of another")
    return contexts
