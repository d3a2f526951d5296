"""Limits and deadlines on an association, and who is let in while they are reached."""

import socket
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from node.domain.errors import Refused
from node.network.incoming import Announced
from tests.support.peers.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    DATASET,
    ECHO_REQUEST,
    LAST_COMMAND,
    LAST_DATASET,
    P_DATA,
    command,
    item,
    pdu,
    store_request,
)

EXPLICIT = "1.2.840.10008.1.2.1"


def aborted(peer: Any) -> int:
    """Return the reason of the A-ABORT that comes next, after which the connection is closed."""
    answer = peer.read()
    assert answer is not None, "the node closed the connection without a word"
    assert answer.kind == ABORT
    assert peer.read() is None
    return int(answer.body[3])


@pytest.mark.parametrize(
    "wrong",
    [
        b"\4\0\0\2\0\1",
        b"\4\0\xff\xff\xff\xff",
        b"\4\0\0\0\0\0",
        b"\5\0\0\0\1\0",
        b"\7\0\0\0\0\5",
        b"\1\0\0\0\0\x44",
        b"\2\0\0\0\0\x44",
        b"\6\0\0\0\0\4\0\0\0\0",
        b"\x08\0\0\0\0\4",
    ],
    ids=["over the maximum", "4 GiB", "empty", "long release", "long abort", "RQ", "AC", "RP", "unknown"],
)
def test_a_pdu_that_may_not_come_is_aborted_at_its_header(wrong: bytes, listen: Any, raw: Any) -> None:
    """Before the rest of it comes, and with the association lives nobody else's."""
    node = listen()
    peer, other = raw(node), raw(node)
    peer.request()
    other.request()
    peer.connection.sendall(wrong)
    aborted(peer)
    assert other.echo() == 0


@pytest.mark.parametrize("length", [0, 1, 3, 0xFFFFFFFF])
def test_a_fragment_of_a_wrong_length_is_aborted(length: int, listen: Any, raw: Any) -> None:
    """Shorter than its own header, or longer than its PDU."""
    peer = raw(listen())
    peer.request()
    peer.send(pdu(4, struct.pack(">LBB", length, 1, 3)))
    aborted(peer)


def test_a_release_within_a_message_is_aborted(listen: Any, raw: Any) -> None:
    """PS3.8 7.2.1: a release asks for the end of what is complete."""
    peer = raw(listen())
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.send(pdu(5, bytes(4)))
    aborted(peer)


def test_a_pdu_that_drips_meets_its_deadline(listen: Any, raw: Any) -> None:
    """Each byte buys no time; a peer beside it is served meanwhile."""
    node, whole = listen(pdu_timeout_s=0.8), bytes(1000)
    peer, other = raw(node), raw(node)
    peer.request()
    other.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.connection.sendall(struct.pack(">BxLLBB", 4, 1006, 1002, 1, 2))
    statuses: list[int] = []
    assert 0 < peer.drip(whole, 0.02, lambda: statuses.append(other.echo())) < len(whole)
    assert set(statuses) == {0}
    assert node.received == []


def test_an_instance_may_take_longer_than_one_pdu_may(listen: Any, raw: Any) -> None:
    """The deadline is each PDU's own."""
    peer = raw(listen(pdu_timeout_s=0.4))
    peer.request()
    peer.connection.settimeout(0.1)
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    for _ in range(6):
        peer.fragment(DATASET, b"some of it")
        with pytest.raises(TimeoutError):
            peer.connection.recv(1)
    peer.connection.settimeout(10)
    peer.fragment(LAST_DATASET, b"the rest")
    assert peer.status() == 0


def test_a_peer_that_takes_no_answers_is_let_go(listen: Any, raw: Any) -> None:
    """A write that stands still ends the association, and its place is free.

    Or the idle time does: a peer whose buffer is full of answers also drops our acknowledgements.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    # what it accepts inherits that: megabytes of answers would have to be given before a write stands still
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    node = listen(listener=listener, pdu_timeout_s=0.3, idle_timeout_s=0.5, max_associations=1)
    peer = raw(node)
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    peer.request()
    unknown = command({0x0002: b"1.2.840.10008.1.1\0", 0x0100: b"\x77\x07", 0x0110: b"\7\0", 0x0800: b"\1\1"})
    peer.connection.settimeout(1)  # it may be the first to give up
    with pytest.raises(OSError, match=r"reset|pipe|timed out"):
        peer.flood(struct.pack(">BxLLBB", 4, len(unknown) + 6, len(unknown) + 2, 1, 3) + unknown)
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._admitted, 10)


def test_a_peer_that_takes_short_pdus_gets_short_ones(listen: Any, raw: Any) -> None:
    """A response longer than that comes in several PDUs (PS3.8 D.1)."""
    peer = raw(listen())
    peer.request(user_information=item(0x51, struct.pack(">L", 64)))
    peer.send(pdu(4, struct.pack(">LBB", 2, 1, 1)))
    peer.fragment(LAST_COMMAND, ECHO_REQUEST)
    gathered, control = b"", 0
    while not control & 2:
        answer = peer.read()
        assert answer.kind == P_DATA
        assert len(answer.body) <= 64
        control, gathered = answer.body[5], gathered + answer.body[6:]
    assert b"\x30\x80" in gathered


@pytest.mark.parametrize("parts", [{0x0002: b"1.2.840.10008.5.1.4.1.1.2\0"}, {}, {0x0002: b"9" * 70}])
def test_an_echo_of_another_class_is_refused(parts: dict[int, bytes], listen: Any, raw: Any) -> None:
    """SOP class not supported; the library would abort, or say nothing."""
    peer = raw(listen())
    peer.request()
    peer.fragment(LAST_COMMAND, command({0x0100: b"\x30\0", 0x0110: b"\7\0", 0x0800: b"\1\1", **parts}))
    assert peer.status() == 0x0122
    assert peer.echo() == 0


def test_an_echo_with_a_dataset_is_refused_and_its_bytes_thrown_away(listen: Any, raw: Any) -> None:
    """C-ECHO has none (PS3.7 9.3.5.1)."""
    peer = raw(listen())
    peer.request()
    peer.fragment(
        LAST_COMMAND, command({0x0002: b"1.2.840.10008.1.1\0", 0x0100: b"\x30\0", 0x0110: b"\7\0", 0x0800: b"\1\0"})
    )
    for _ in range(50):
        peer.fragment(DATASET, bytes(100_000))
    peer.fragment(LAST_DATASET, b"x")
    assert peer.status() == 0x0213
    assert peer.echo() == 0


def test_one_address_leaves_room_for_others(listen: Any, raw: Any) -> None:
    """(2,3,2) for the one that has its share, and an association for another."""
    node = listen(max_associations=3, max_associations_per_address=2)
    first, second = raw(node), raw(node)
    assert first.request().kind == second.request().kind == ASSOCIATE_AC
    assert raw(node).request().codes == (2, 3, 2)
    assert "from this address" in node.refused[0].reason
    assert raw(node, "127.0.0.2").request().kind == ASSOCIATE_AC


def test_a_congested_node_says_so_for_now(listen: Any, raw: Any) -> None:
    """(2,3,1) with the reason for the operator; who is in stays in, and when it has passed others are let in."""
    reasons: list[str | None] = [None]
    node = listen(congested=lambda: reasons[0])
    guest = raw(node)
    assert guest.request().kind == ASSOCIATE_AC
    reasons[0] = "the disk is at its watermark"
    assert raw(node).request().codes == (2, 3, 1)
    assert node.refused[0].reason == "temporary congestion: the disk is at its watermark"
    assert guest.echo() == 0
    reasons[0] = None
    assert raw(node).request().kind == ASSOCIATE_AC


def test_a_congestion_that_cannot_be_told_is_one(listen: Any, raw: Any) -> None:
    """A defect in asking keeps nobody hanging."""

    def fail() -> str | None:
        raise KeyError("DOE^JANE")

    node = listen(congested=fail)
    assert raw(node).request().codes == (2, 3, 1)
    assert "DOE" not in node.refused[0].reason


def test_another_protocol_version_is_rejected(listen: Any, raw: Any) -> None:
    """(1,2,2), and told."""
    node = listen()
    assert raw(node).request(version=2).codes == (1, 2, 2)
    assert node.refused[0].reason == "protocol version not supported"


class Kept:
    """A reception that writes down what it is told."""

    study = "1.2.3"

    def __init__(self, log: list[object], refuse: str = "") -> None:
        self._log, self._refuse = log, refuse

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Take bytes, of which the first word may be refused."""
        self._log.append(b"".join(fragments))
        if self._refuse == "write":
            raise Refused(0xA700, "no room")

    def finish(self) -> int:
        """End well."""
        self._log.append("finish")
        if self._refuse == "finish":
            raise Refused(0xC000, "no dataset")
        return 0

    def abandon(self) -> None:
        """End badly."""
        self._log.append("abandon")


@pytest.mark.parametrize(
    ("refuse", "status", "log"),
    [
        ("", 0x0000, [b"one", b"two", "finish"]),
        ("begin", 0xA900, []),
        ("write", 0xA700, [b"one", "abandon"]),
        ("finish", 0xC000, [b"one", b"two", "finish"]),
    ],
)
def test_a_reception_is_ended_once_and_a_refusal_answered_at_the_end(
    refuse: str, status: int, log: list[object], listen: Any, raw: Any
) -> None:
    """Bytes are handed on as they come; what is refused takes no more of them, and the association lives."""
    told: list[object] = []

    def begin(announced: Announced) -> Kept:
        assert announced.transfer_syntax_uid == EXPLICIT
        if refuse == "begin":
            raise Refused(0xA900, "not that class")
        return Kept(told, refuse)

    peer = raw(listen(begin=begin))
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.fragment(DATASET, b"one")
    peer.connection.settimeout(0.1)
    with pytest.raises(TimeoutError):
        peer.connection.recv(1)
    peer.connection.settimeout(10)
    peer.fragment(LAST_DATASET, b"two")
    assert peer.status() == status
    assert told == log
    assert peer.echo() == 0


@pytest.mark.parametrize("end", ["close", "abort", "garbage"])
def test_a_reception_whose_peer_leaves_is_abandoned(end: str, listen: Any, raw: Any) -> None:
    """Once, in whatever way the association ends."""
    told: list[object] = []
    node = listen(begin=lambda _: Kept(told))
    peer = raw(node)
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.fragment(DATASET, b"half")
    if end == "close":
        peer.connection.close()
    elif end == "abort":
        peer.send(pdu(7, bytes(4)))
    else:
        peer.send(pdu(9, b"what"))
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._admitted, 10)
    assert told[-1] == "abandon"
    assert set(told[:-1]) <= {b"half"}
