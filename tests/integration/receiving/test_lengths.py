"""Lengths that lie: of PDUs, of items, of fragments; the memory of the node does not follow them."""

import struct

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import CT, EXPLICIT, PIXELS, ct
from tests.support.peers.raw_peer import (
    ABORTED,
    APPLICATION_CONTEXT,
    ASSOCIATE_AC,
    ASSOCIATE_RQ,
    ECHO_REQUEST,
    LAST_COMMAND,
    P_DATA,
    USER_INFORMATION,
    Context,
    RawPeer,
    associate_request,
    context_item,
    item,
    pdu,
    pdv,
    store_request,
)

_MB = 1_000_000
_HEAD = struct.pack(">HH", 1, 0) + b"PACSNODE".ljust(16) + b"MODALITY".ljust(16) + bytes(32)
_CONTEXT = context_item(1, CT, (EXPLICIT,))


def _pour(peer: RawPeer, most_mb: int) -> None:
    """Send on for as long as the node takes it, up to a limit."""
    megabyte = bytes(_MB)
    for _ in range(most_mb):
        if not peer.send(megabyte):
            return


@pytest.mark.parametrize(
    "length",
    [
        pytest.param((1 << 20) + 1, id="one byte over 1 MiB"),
        pytest.param(300 * _MB, id="300 MB"),
        pytest.param(0xFFFFFFFF, id="4 GiB"),
    ],
)
def test_a_request_over_the_cap_is_aborted_before_it_is_gathered(length: int, node: ReceivingNode) -> None:
    """The length alone ends it; a good peer is served beside it."""
    peer = node.connect()
    peer.send(pdu(ASSOCIATE_RQ, associate_request(), length))
    node.serves()
    _pour(peer, 100)
    assert peer.ending() == ABORTED


@pytest.mark.parametrize("length", [pytest.param(64 * _MB, id="64 MB"), pytest.param(0xFFFFFFFF, id="4 GiB")])
def test_data_over_the_cap_are_aborted_before_they_are_gathered(length: int, node: ReceivingNode) -> None:
    """Of the P-DATA-TF and of the fragment within it, on an association that was in order until then."""
    peer = node.associate()
    peer.send(pdu(P_DATA, pdv(LAST_COMMAND, b"", 1, min(length, 0xFFFFFFFF - 4)), length))
    node.serves()
    _pour(peer, 100)
    assert peer.ending() == ABORTED


def test_data_over_the_maximum_that_was_announced_are_aborted(node: ReceivingNode) -> None:
    """PS3.8 D.1: the acceptance says how long a P-DATA-TF may be; one byte more is too much, and that long is not."""
    peer = node.connect()
    accepted = peer.request()
    assert accepted is not None
    longest, instance = accepted.maximum_pdu_bytes, ct(node.uid(), changes={PIXELS: ("OW", bytes(400_000))})
    peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode()))
    peer.send_dataset(instance.dataset, fragment_bytes=longest - 6)
    assert peer.status() == 0x0000
    peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode()))
    peer.fragment(0, bytes(longest - 5))
    assert peer.ending() == ABORTED


def _taking(node: ReceivingNode, most: int) -> RawPeer:
    return node.connect().associate(user_information=item(0x51, struct.pack(">L", most)) + item(0x52, b"1.2.3.4"))


def test_a_peer_that_takes_nothing_is_aborted_when_it_asks(node: ReceivingNode) -> None:
    """One byte is less than the header of a fragment."""
    peer = _taking(node, 1)
    peer.fragment(LAST_COMMAND, ECHO_REQUEST, 3)
    assert peer.ending() == ABORTED


@pytest.mark.parametrize("most", [0, 16, 64, 16384, 0xFFFFFFFF])
def test_answers_are_no_longer_than_the_peer_takes(most: int, node: ReceivingNode) -> None:
    """In as many PDUs as it needs; 0 is no limit (PS3.8 D.1)."""
    peer = _taking(node, most)
    peer.fragment(LAST_COMMAND, ECHO_REQUEST, 3)
    answer, control = b"", 0
    while not control & 2:
        said = peer.read()
        assert said is not None
        assert said.kind == P_DATA
        assert most == 0 or len(said.body) <= most
        control, answer = said.body[5], answer + said.body[6:]
    assert answer.endswith(struct.pack("<HHLH", 0, 0x0900, 2, 0x0000))


def test_a_request_just_below_the_cap_is_accepted(node: ReceivingNode) -> None:
    """A megabyte of items that nobody knows."""
    filler = item(0x77, bytes(60_000)) * 17
    assert len(associate_request(more=filler)) < 1 << 20
    node.stores(ct(node.uid()), node.connect().associate(more=filler))


@pytest.mark.parametrize(
    "contexts",
    [
        pytest.param([], id="none"),
        pytest.param([(1, CT, (EXPLICIT,)), (1, CT, (EXPLICIT,))], id="two of one ID"),
        pytest.param([(1, CT, ())], id="one without transfer syntax"),
        pytest.param([(0, CT, (EXPLICIT,))], id="the ID 0"),
        pytest.param([(1, CT, (EXPLICIT,)), (2, CT, (EXPLICIT,))], id="an even ID"),
    ],
)
def test_contexts_that_cannot_be_cost_that_peer_alone(contexts: list[Context], node: ReceivingNode) -> None:
    """PS3.8 9.3.2.2 asks for at least one, with odd IDs of their own."""
    peer = node.connect()
    peer.send(pdu(ASSOCIATE_RQ, associate_request(contexts)))
    assert peer.ending() == ABORTED


def test_a_request_with_the_most_contexts_is_well_below_the_cap(node: ReceivingNode) -> None:
    """128 contexts, each with 40 transfer syntaxes: what is long and right is accepted."""
    syntaxes = [EXPLICIT, *(f"1.2.826.0.1.3680043.9.9999.{number}" for number in range(39))]
    peer = node.connect().associate(*((2 * number + 1, CT, syntaxes) for number in range(128)))
    node.stores(ct(node.uid()), peer)


_NESTED = [
    pytest.param(item(0x10, APPLICATION_CONTEXT, 0xFFFF), id="application context"),
    pytest.param(item(0x10, APPLICATION_CONTEXT) + item(0x20, b"\1\0\0\0", 0xFFFF), id="presentation context"),
    pytest.param(
        item(0x10, APPLICATION_CONTEXT) + item(0x20, b"\1\0\0\0" + item(0x30, CT.encode(), 0x7000)),
        id="abstract syntax",
    ),
    pytest.param(
        item(0x10, APPLICATION_CONTEXT)
        + item(0x20, b"\1\0\0\0" + item(0x30, CT.encode()) + item(0x40, EXPLICIT.encode(), 0x7000)),
        id="transfer syntax",
    ),
    pytest.param(
        item(0x10, APPLICATION_CONTEXT) + _CONTEXT + item(0x50, USER_INFORMATION, 0xFFFF), id="user information"
    ),
    pytest.param(
        item(0x10, APPLICATION_CONTEXT) + _CONTEXT + item(0x50, item(0x51, b"\0\0\x40\0", 0xFFF0)), id="maximum length"
    ),
    pytest.param(item(0x10, APPLICATION_CONTEXT) + _CONTEXT + b"\x50\0", id="an item that is two bytes"),
    pytest.param(item(0x10, APPLICATION_CONTEXT) + item(0x20, b"") + item(0x50, USER_INFORMATION), id="empty context"),
]


@pytest.mark.parametrize("items", _NESTED)
def test_an_item_that_overruns_what_holds_it_is_aborted(items: bytes, node: ReceivingNode) -> None:
    """The request is whole by the length of its PDU, and is not by that of its items."""
    peer = node.connect()
    peer.send(pdu(ASSOCIATE_RQ, _HEAD + items))
    assert peer.ending() == ABORTED


@pytest.mark.parametrize("length", [0, 1, 4, 30, 67])
def test_a_request_shorter_than_its_fixed_part_is_aborted(length: int, node: ReceivingNode) -> None:
    """PS3.8 9.3.2: 68 bytes stand before the items."""
    peer = node.connect()
    peer.send(pdu(ASSOCIATE_RQ, associate_request()[:length]))
    assert peer.ending() == ABORTED


_COMMAND = store_request(b"1.2.3")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="no fragment"),
        pytest.param(b"\0\0\0", id="three bytes"),
        pytest.param(pdv(LAST_COMMAND, _COMMAND, length=0), id="a fragment of length 0"),
        pytest.param(struct.pack(">LB", 1, 1), id="a fragment of length 1"),
        pytest.param(pdv(LAST_COMMAND, _COMMAND, length=len(_COMMAND) + 3), id="an overrun by one byte"),
        pytest.param(pdv(LAST_COMMAND, _COMMAND, length=0xFFFFFFFF), id="an overrun of 4 GiB"),
        pytest.param(pdv(1, _COMMAND[:40]) + pdv(LAST_COMMAND, b"", length=100), id="a second fragment that overruns"),
        pytest.param(pdv(LAST_COMMAND, _COMMAND) + b"\0", id="a byte after the last fragment"),
        pytest.param(pdv(LAST_COMMAND, _COMMAND, context_id=99), id="a context that was not accepted"),
        pytest.param(pdv(LAST_COMMAND, _COMMAND, context_id=2), id="an even context ID"),
        pytest.param(pdv(LAST_COMMAND, _COMMAND, context_id=0), id="the context ID 0"),
    ],
)
def test_a_fragment_that_cannot_be_is_aborted(body: bytes, node: ReceivingNode) -> None:
    """On an association that was in order until then; another one beside it goes on (PS3.8 9.3.5)."""
    peer, other = node.associate(), node.associate()
    peer.send(pdu(P_DATA, body))
    assert peer.ending() == ABORTED
    assert other.echo() == 0x0000


def test_empty_fragments_within_a_message_change_nothing(node: ReceivingNode) -> None:
    """A message control header alone, length 2, is a fragment without data."""
    instance, peer = ct(node.uid()), node.associate()
    request = store_request(instance.sop_instance_uid.encode())
    peer.fragment(1, b"")
    peer.fragment(LAST_COMMAND, request)
    peer.fragment(0, b"")
    peer.fragment(0, instance.dataset)
    peer.fragment(2, b"")
    assert peer.status() == 0x0000
    assert node.kept(instance.sop_instance_uid) == instance.dataset


def test_fragments_of_any_size_in_any_pdu_are_put_together(node: ReceivingNode) -> None:
    """Many fragments in one PDU, one byte a PDU, and a command cut in three."""
    instance, peer = ct(node.uid()), node.associate()
    request = store_request(instance.sop_instance_uid.encode())
    peer.send(pdu(P_DATA, pdv(1, request[:3]) + pdv(1, request[3:50]) + pdv(LAST_COMMAND, request[50:])))
    middle = b"".join(pdv(0, instance.dataset[at : at + 1]) for at in range(100))
    peer.send(pdu(P_DATA, middle))
    for at in range(100, 150):
        peer.fragment(0, instance.dataset[at : at + 1])
    peer.fragment(2, instance.dataset[150:])
    assert peer.status() == 0x0000
    assert node.kept(instance.sop_instance_uid) == instance.dataset


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"more": item(0x77, b"what")}, id="after the last item"),
        pytest.param({"user_information": USER_INFORMATION + item(0x7F, b"what")}, id="in the user information"),
        pytest.param({"user_information": item(0x6E, b"") + USER_INFORMATION}, id="an empty one"),
        pytest.param({"more": item(0xFF, bytes(60_000))}, id="a long one"),
    ],
)
def test_an_item_that_nobody_knows_is_ignored(parts: dict[str, bytes], node: ReceivingNode) -> None:
    """PS3.8 9.3.1: items that are not known shall be ignored and skipped."""
    peer = node.connect()
    answer = peer.request(**parts)
    assert answer is not None
    assert answer.kind == ASSOCIATE_AC
    node.stores(ct(node.uid()), peer)
