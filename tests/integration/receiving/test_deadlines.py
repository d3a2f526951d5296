"""Peers that are slow, or silent, or half gone: each deadline is absolute, and all the others are served meanwhile."""

import select
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import ct
from tests.support.peers.raw_peer import (
    ABORT,
    ABORTED,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    CLOSED,
    ECHO_REQUEST,
    LAST_COMMAND,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    REQUEST,
    RawPeer,
    associate_request,
    pdu,
    pdv,
    store_request,
)

_DATA = pdu(P_DATA, pdv(LAST_COMMAND, store_request(b"1.2.826.3.1")))
_DATASET = ct("1.2.826.3.1").dataset
#: Both far shorter than a deadline and far too slow: whole, the shortest of these takes three times as long as one.
_OFTEN_S, _JUST_OFTEN_ENOUGH_S = 0.05, 0.7

Slow = Callable[[RawPeer], str]


def _saying(said: bytes) -> Slow:
    """Return a peer that says this, before it has an association, and no more."""

    def behave(peer: RawPeer) -> str:
        peer.send(said)
        return peer.ending()

    return behave


def _associated(said: bytes) -> Slow:
    """Return a peer that says this on an association, and no more."""

    def behave(peer: RawPeer) -> str:
        peer.associate().send(said)
        return peer.ending()

    return behave


def _dripping(before: bytes, said: bytes, every_s: float) -> Slow:
    """Return a peer that sends this a byte at a time; that it could send all of it is the failure."""

    def behave(peer: RawPeer) -> str:
        if before:
            peer.send(before)
            assert peer.read() is not None
        sent = peer.drip(said, every_s)
        assert sent < len(said), f"all {sent} bytes were waited for"
        return peer.ending()

    return behave


def _staying_after(said: bytes, answer: int | None) -> Slow:
    """Return a peer that ends its association, hears the answer to that, and never closes its connection."""

    def behave(peer: RawPeer) -> str:
        if said[0] != ASSOCIATE_RQ:
            peer.associate()
        peer.send(said)
        heard = peer.read()
        assert (None if heard is None else heard.kind) == answer
        return CLOSED if heard is None else peer.ending()

    return behave


_SLOW: dict[str, Slow] = {
    "silent": _saying(b""),
    "one byte of a request": _saying(REQUEST[:1]),
    "the header of a request": _saying(REQUEST[:6]),
    "all but the last byte of a request": _saying(REQUEST[:-1]),
    "a request in drips": _dripping(b"", REQUEST, _OFTEN_S),
    "a request in drips that come just often enough": _dripping(b"", REQUEST, _JUST_OFTEN_ENOUGH_S),
    "nothing on an association": _associated(b""),
    "one byte of data": _associated(_DATA[:1]),
    "the header of data": _associated(_DATA[:6]),
    "half a fragment's header": _associated(_DATA[:9]),
    "half a command": _associated(_DATA[:50]),
    "data in drips": _dripping(REQUEST, _DATA, _OFTEN_S),
    "data in drips that come just often enough": _dripping(REQUEST, _DATA, _JUST_OFTEN_ENOUGH_S),
    "a command and no dataset": _associated(_DATA),
    "a command and half a dataset": _associated(_DATA + pdu(P_DATA, pdv(0, _DATASET[:300]))),
    "a command and half a fragment": _associated(_DATA + pdu(P_DATA, pdv(2, _DATASET))[:-100]),
    "a dataset in drips": _dripping(REQUEST, _DATA + pdu(P_DATA, pdv(2, _DATASET)), _OFTEN_S),
    "a release, and then nothing": _staying_after(pdu(RELEASE_RQ, bytes(4)), RELEASE_RP),
    "an abort, and then nothing": _staying_after(pdu(ABORT, bytes(4)), None),
    "a rejection, and then nothing": _staying_after(
        pdu(ASSOCIATE_RQ, associate_request(calling=b"STRANGER")), ASSOCIATE_RJ
    ),
    "an abort of the node's, and then drips": _dripping(REQUEST, pdu(0x42, bytes(1000)), _OFTEN_S),
}


def test_every_slow_peer_is_let_go_at_its_deadline_while_others_are_served(hasty_node: ReceivingNode) -> None:
    """All at once, each from a host of its own; a deadline is a second, and a good peer comes and goes all the time."""
    files = hasty_node.files()
    with ThreadPoolExecutor(len(_SLOW)) as pool:
        endings: dict[str, Future[str]] = {
            name: pool.submit(slow, hasty_node.connect(f"127.0.0.{2 + number}"))
            for number, (name, slow) in enumerate(_SLOW.items())
        }
        while not all(ending.done() for ending in endings.values()):
            hasty_node.serves()
    failed = {name: repr(error) for name, ending in endings.items() if (error := ending.exception()) is not None}
    assert failed == {}
    assert {ending.result() for ending in endings.values()} <= {ABORTED, CLOSED}
    # the peer is told, for it may think that the association stands
    assert endings["nothing on an association"].result() == ABORTED
    assert hasty_node.kept("1.2.826.3.1") is None
    assert {file for file in hasty_node.files() - files if file.suffix != ".dcm"} == set()


def test_an_association_that_is_used_now_and_then_is_not_idle(hasty_node: ReceivingNode) -> None:
    """The deadline begins anew with every PDU: six echoes take longer than it, and none is lost."""
    peer = hasty_node.associate()
    for _ in range(6):
        select.select([peer.connection], [], [], 0.25)
        assert peer.echo() == 0x0000


def test_a_peer_that_asks_on_without_reading_holds_up_itself_alone(node: ReceivingNode) -> None:
    """A thousand echoes at once: they are answered one by one, or too many at a time are aborted."""
    peer = node.associate()
    peer.send(pdu(P_DATA, pdv(LAST_COMMAND, ECHO_REQUEST, 3)) * 1000)
    node.serves()
    kinds = list(_answers(peer, 1000))
    assert kinds == [P_DATA] * 1000 or kinds[-1] == ABORT


def _answers(peer: RawPeer, most: int) -> Iterator[int]:
    """Yield the type of each PDU that comes, up to so many, or until the node closes."""
    for _ in range(most):
        answer = peer.read()
        if answer is None:
            return
        yield answer.kind


def test_more_half_open_connections_than_any_cap_keep_nobody_out(node: ReceivingNode) -> None:
    """Three hundred from four hosts, half of them silent and half with one byte said; a good peer is served."""
    for number in range(300):
        stalled = node.connect(f"127.0.0.{2 + number % 4}")
        if number % 2:
            stalled.send(b"\1")
    for _ in range(3):
        node.serves()


def test_ten_stalled_associations_keep_nobody_out(node: ReceivingNode) -> None:
    """They stand in the middle of an instance, as those that lock out other archives do."""
    for number in range(10):
        stalled = node.associate(f"127.0.0.{2 + number % 4}")
        stalled.fragment(LAST_COMMAND, store_request(node.uid().encode()))
        stalled.send(pdu(P_DATA, pdv(0, bytes(1000)))[:500])
    for _ in range(3):
        node.serves()
