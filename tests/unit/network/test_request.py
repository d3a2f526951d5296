"""A-ASSOCIATE-RQ, read before the library sees it."""

import struct

import pytest
from pynetdicom.pdu import A_ASSOCIATE_RQ

from node.network.items import item
from node.network.pdu import BrokenProtocol
from node.network.presentation import APPLICATION_CONTEXT, Syntaxes
from node.network.request import AssociationRequest, decode_request

CT = b"1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, RLE = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.5"
UNKNOWN = item(0x77, b"what nobody knows")


def context(identity: int, abstract: bytes = CT, transfer: tuple[bytes, ...] = (EXPLICIT,), more: bytes = b"") -> bytes:
    """Return a presentation context item."""
    syntaxes = item(0x30, abstract) + b"".join(item(0x40, one) for one in transfer)
    return item(0x20, bytes([identity, 0, 0, 0]) + syntaxes + more)


def user_information(more: bytes = b"") -> bytes:
    """Return a user information item that takes PDUs of 16 384 bytes."""
    return item(0x50, item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3") + more)


def body(
    *variable: bytes, version: int = 1, called: bytes = b"NODE", calling: bytes = b"SCANNER", application: str = ""
) -> bytes:
    """Return the body of an A-ASSOCIATE-RQ."""
    head = struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    return head + item(0x10, (application or APPLICATION_CONTEXT).encode()) + b"".join(variable)


def decoded(encoded: bytes) -> AssociationRequest:
    """Return what the body says."""
    return decode_request(memoryview(encoded))


def library_reads(request: AssociationRequest) -> A_ASSOCIATE_RQ:
    """Return what the library makes of what it is given."""
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(request.encoded())
    return pdu


def test_what_is_asked_is_read() -> None:
    """Titles without padding, contexts, and how long a PDU may be."""
    request = decoded(body(context(1), context(3, b"1.2.3"), user_information(), called=b" NODE\0"))
    assert (request.calling_ae_title, request.called_ae_title) == ("SCANNER", "NODE")
    assert [one.context_id for one in request.contexts] == [1, 3]
    assert request.contexts[0].syntaxes == Syntaxes(CT.decode(), EXPLICIT.decode())
    assert request.maximum_pdu_bytes == 16384
    assert request.is_version_1


def test_unknown_items_are_ignored_wherever_they_stand() -> None:
    """Among the items, within a context and within the user information (PS3.8 9.3.1); the library aborts at each."""
    request = decoded(body(UNKNOWN, context(1, more=UNKNOWN), user_information(UNKNOWN), UNKNOWN))
    read = library_reads(request).to_primitive()
    assert [one.context_id for one in read.presentation_context_definition_list] == [1]
    assert read.application_context_name == APPLICATION_CONTEXT


@pytest.mark.parametrize(("version", "is_known"), [(1, True), (3, True), (0x8001, True), (2, False), (0, False)])
def test_bit_0_alone_says_the_protocol_version(version: int, is_known: bool) -> None:  # noqa: FBT001 - a table
    """PS3.8 Table 9-11: only that bit is tested."""
    assert decoded(body(context(1), version=version)).is_version_1 is is_known


def test_the_library_sees_one_transfer_syntax_of_each_context() -> None:
    """The sender's compression, the node's order among the uncompressed, or the first where none is known."""
    request = decoded(
        body(context(1, CT, (RLE, IMPLICIT)), context(3, CT, (IMPLICIT, EXPLICIT)), context(5, CT, (b"1.2", b"1.3")))
    )
    read = library_reads(request).to_primitive().presentation_context_definition_list
    assert [[str(one) for one in each.transfer_syntax] for each in read] == [
        [RLE.decode()],
        [EXPLICIT.decode()],
        ["1.2"],
    ]


def test_extended_negotiation_for_every_context_is_no_crowd() -> None:
    """A peer may add three items for each of 128 classes; of them, roles are handed on."""
    many = [
        item(kind, b"\0\x07" + f"1.2.{number}".encode() + b"\1\0")
        for kind in (0x54, 0x56, 0x57)
        for number in range(100, 228)
    ]
    request = decoded(body(*(context(2 * number + 1) for number in range(128)), user_information(b"".join(many))))
    assert len(request.contexts) == len(request.roles) == 128


@pytest.mark.parametrize(
    "role",
    [
        b"",
        b"\0\5",
        b"\0\0\1\0",
        b"\0\x051.2.3\1",
        b"\0\x061.2.3\1\0",
        b"\xff\xff1.2.3\1\0",
        b"\0\x051.2.3\2\0",
        b"\0\x041.x3\1\0",
        b"\0\x46" + b"9" * 70 + b"\1\0",
    ],
)
def test_a_role_selection_that_is_none_is_left_out(role: bytes) -> None:
    """The association stands, with the default roles of that class (PS3.7 D.3.3.4); the sound ones are handed on."""
    sound = item(0x54, b"\0\x051.2.9\1\1")
    request = decoded(body(context(1), user_information(item(0x54, role) + sound + sound)))
    assert request.roles == (b"\0\x051.2.9\1\1",)
    assert library_reads(request).to_primitive()


def test_what_is_no_uid_costs_its_own_context_alone() -> None:
    """A UID of 70 characters or of letters becomes one that nobody supports, and the library can encode the answer."""
    request = decoded(body(context(1, b"9" * 70), context(3, b"what", (b"\xff",)), context(5)))
    assert [one.syntaxes.abstract_syntax for one in request.contexts] == ["0", "0", CT.decode()]
    assert len(library_reads(request).to_primitive().presentation_context_definition_list) == 3


def test_titles_with_what_no_title_may_hold_are_made_harmless() -> None:
    """Control characters, backslashes and bytes above 127 become question marks: titles are logged and compared."""
    request = decoded(body(context(1), calling=b"A\\B\n\xe9", called=b"\0" * 16))
    assert request.calling_ae_title == "A?B??"
    assert request.called_ae_title == ""
    assert not request.is_calling_title_sound


@pytest.mark.parametrize(
    ("calling", "is_sound"),
    [(b"CT 1", True), (b"CT?1\0\0", True), (b"", False), (b"CT\0001", False), (b"CT\\1", False)],
)
def test_a_calling_title_is_told_from_what_is_none(calling: bytes, *, is_sound: bool) -> None:
    """A NUL within, a backslash or nothing at all names nobody."""
    assert decoded(body(context(1), calling=calling)).is_calling_title_sound is is_sound


def test_a_limit_of_the_peers_that_is_no_number_is_none() -> None:
    """An item of another length than four bytes does not keep the rest from being read."""
    assert decoded(body(context(1), item(0x50, item(0x51, b"")))).maximum_pdu_bytes == 0
    assert decoded(body(context(1), item(0x50, item(0x51, b"\xff" * 9)))).maximum_pdu_bytes == 0xFFFFFFFF
    assert decoded(body(context(1))).maximum_pdu_bytes == 0


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        bytes(67),
        body(),
        body(context(2)),
        body(context(0)),
        body(context(1), context(1)),
        body(context(1, transfer=())),
        body(item(0x20, bytes([1, 0, 0, 0]) + item(0x40, EXPLICIT))),
        body(item(0x20, b"\1\0")),
        body(context(1), *[UNKNOWN] * 300),
        body(context(1, transfer=(EXPLICIT,) * 300)),
        body(context(1)) + b"\x50\0\xff\xff",
        body(context(1)) + b"\x50",
        body(item(0x20, bytes([1, 0, 0, 0]) + b"\x30\0\xff\xff")),
        body(context(1), item(0x50, b"\x51\0\xff\xff")),
    ],
    ids=[
        "nothing",
        "short",
        "no context",
        "even ID",
        "ID 0",
        "ID twice",
        "no transfer syntax",
        "no abstract syntax",
        "no ID",
        "hundreds of items",
        "hundreds of transfer syntaxes",
        "item overruns",
        "half an item",
        "context's item overruns",
        "user information's item overruns",
    ],
)
def test_what_the_standard_rules_out_breaks_the_protocol(encoded: bytes) -> None:
    """It is aborted before the library sees it."""
    with pytest.raises(BrokenProtocol):
        decoded(encoded)
