"""Connections that have not asked for an association, or not yet: what they cost, and whom they keep out."""

import resource
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from node.network import guests, lobby
from tests.support.nodes.footprint import descriptors_here
from tests.support.peers.raw_peer import ABORT, ASSOCIATE_AC, REQUEST, Answer, pdu

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def is_closed(peer: Any) -> bool:
    """Return whether the node has closed this connection, without waiting."""
    return bool(select.select([peer.connection], [], [], 0)[0]) and peer.read() is None


def test_silent_connections_take_no_slot_and_no_thread(listen: Any, raw: Any) -> None:
    """A hundred of them, and one association is let in and served, on the one thread that it needs."""
    node = listen(max_associations=1)
    before = threading.active_count()
    silent = [raw(node) for _ in range(100)]
    for peer in silent[::2]:
        peer.connection.sendall(b"\1\0\0")
    guest = raw(node)
    assert guest.request().kind == ASSOCIATE_AC
    assert guest.echo() == 0
    assert threading.active_count() <= before + 2


def test_a_crowd_from_one_address_locks_nobody_else_out(listen: Any, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lobby is full, the oldest of an address with more than its share goes; the others are served."""
    monkeypatch.setattr(guests, "MAXIMUM_GUESTS", 8)
    monkeypatch.setattr(guests, "_SHARE", 4)
    node = listen()
    first_of_another = raw(node, ADDRESSES[1])
    crowd = [raw(node, ADDRESSES[0]) for _ in range(30)]
    late = raw(node, ADDRESSES[2])
    assert late.request().kind == ASSOCIATE_AC
    assert first_of_another.request().kind == ASSOCIATE_AC
    assert [peer.read() for peer in crowd[:20]] == [None] * 20
    assert not is_closed(crowd[-1])
    assert crowd[-1].request().kind == ASSOCIATE_AC


def _addresses(count: int) -> list[str]:
    """Return addresses of this machine that nothing has called from yet."""
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


def test_a_flood_from_many_addresses_leaves_a_request_that_is_on_its_way(listen: Any, raw: Any) -> None:
    """Three hundred addresses that only connect make way for each other, not a stranger who is slow and honest."""
    node = listen()
    slow = raw(node, ADDRESSES[1])
    slow.connection.sendall(REQUEST[:100])
    for address in _addresses(300):
        raw(node, address)
    slow.connection.sendall(REQUEST[100:])
    assert slow.read().kind == ASSOCIATE_AC


@pytest.mark.parametrize("is_configured", [True, False])
def test_a_flood_of_requests_that_never_end_leaves_a_known_peer(
    listen: Any, raw: Any, monkeypatch: pytest.MonkeyPatch, *, is_configured: bool
) -> None:
    """A peer's address, as configured or as one that was let in before, keeps its place whatever strangers send."""
    monkeypatch.setattr(guests, "MAXIMUM_GUESTS", 16)
    known = ADDRESSES[1]
    node = listen(known_addresses=frozenset({known} if is_configured else ()))
    if not is_configured:
        assert raw(node, known).request().kind == ASSOCIATE_AC
    slow = raw(node, known)
    for address in _addresses(60):
        raw(node, address).connection.sendall(REQUEST[:100])
    slow.connection.sendall(REQUEST)
    assert slow.read().kind == ASSOCIATE_AC


def test_strangers_are_served_while_requests_that_never_end_fill_the_lobby(
    listen: Any, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many of them keep their places: a newcomer gets one."""
    monkeypatch.setattr(guests, "MAXIMUM_GUESTS", 16)
    monkeypatch.setattr(guests, "_ON_THEIR_WAY", 8)
    node = listen()
    for address in _addresses(60):
        raw(node, address).connection.sendall(REQUEST[:100])
    assert raw(node, ADDRESSES[1]).request().kind == ASSOCIATE_AC


def test_a_lobby_that_can_accept_nobody_any_more_tells_so(
    listen: Any, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its listening socket is shut under it, as no pause mends: whoever runs it is told once, with the place."""
    lost, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: ended.set())
    with socket.create_server(("127.0.0.1", 0)) as listener, capture_logs() as events:
        node = listen(listener=listener.dup(), lost=lost.set)
        guest = raw(node)
        assert guest.request().kind == ASSOCIATE_AC
        listener.shutdown(socket.SHUT_RDWR)
        assert lost.wait(10)
        assert ended.wait(10)
        assert guest.echo() == 0  # who is in is served to the end
    (told,) = [event for event in events if event["event"] == "accepting ended"]
    assert (told["error"], told["log_level"]) == ("OSError", "error")


def test_a_lobby_that_stands_still_is_told_from_one_that_goes_round(listen: Any, raw: Any) -> None:
    """Nothing is lost, and nobody is accepted: what it calls does not return."""
    node = listen()
    assert node.scp.accepts(10)
    with node.scp._changed:  # which it needs to let a visitor in
        raw(node).connection.sendall(REQUEST)
        while node.scp.accepts(0.01):
            pass
    assert node.scp.accepts(10)


def test_a_stop_is_no_loss(listen: Any, raw: Any) -> None:
    """Whoever stopped it knows."""
    lost = threading.Event()
    node = listen(lost=lost.set)
    raw(node)
    node.scp.stop()
    assert not lost.is_set()


def test_a_request_may_come_in_any_pieces(listen: Any, raw: Any) -> None:
    """Byte by byte it is a request all the same."""
    peer = raw(listen())
    peer.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for one in REQUEST:
        peer.connection.sendall(bytes([one]))
    assert peer.read().kind == ASSOCIATE_AC


def test_a_request_that_drips_is_cut_at_its_deadline(listen: Any, raw: Any) -> None:
    """Each byte buys no time: the deadline runs from the connection."""
    peer = raw(listen(association_timeout_s=0.8))
    assert 0 < peer.drip(REQUEST, 0.02) < len(REQUEST)


@pytest.mark.parametrize("length", [(1 << 20) + 1, 300_000_000, 0xFFFFFFFF, 67, 0])
def test_a_request_of_an_impossible_length_is_aborted_before_it_comes(length: int, listen: Any, raw: Any) -> None:
    """What it claims is refused, and nothing of it waited for or kept."""
    peer = raw(listen())
    peer.connection.sendall(b"\1\0" + length.to_bytes(4, "big"))
    assert peer.read() == Answer(ABORT, b"\0\0\2\6")
    assert peer.read() is None


def test_long_requests_that_do_not_end_are_kept_within_a_budget(
    listen: Any, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may come to 1 MiB, but not all at once."""
    monkeypatch.setattr(guests, "MAXIMUM_GATHERED_BYTES", 300_000)
    node = listen()
    heavy = [raw(node) for _ in range(5)]
    for peer in heavy:
        peer.connection.sendall(b"\1\0\0\x0f\xff\xff" + bytes(100_000))
    other = raw(node, ADDRESSES[1])
    assert other.request().kind == ASSOCIATE_AC
    assert heavy[0].read() is None
    assert not is_closed(heavy[-1])


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 1),
        (b"\x16\3\1\2\0\1\0\1\xfc\3\3", 1),
        (bytes(1000), 1),
        (b"\4\0\0\0\0\x08" + bytes(8), 2),
        (b"\5\0\0\0\0\4" + bytes(4), 2),
        (b"\2\0\0\0\0\4" + bytes(4), 2),
    ],
)
def test_what_is_no_request_is_told_so_and_let_go(hello: bytes, reason: int, listen: Any, raw: Any) -> None:
    """An A-ABORT of the provider: unrecognised or unexpected PDU (PS3.8 Table 9-26)."""
    peer = raw(listen())
    peer.connection.sendall(hello)
    assert peer.read() == Answer(ABORT, bytes([0, 0, 2, reason]))
    assert peer.read() is None


def test_an_abort_instead_of_a_request_is_not_answered(listen: Any, raw: Any) -> None:
    """PS3.8 9.2.3, AA-2: the connection is closed."""
    peer = raw(listen())
    peer.send(pdu(7, bytes(4)))
    assert peer.read() is None


def test_a_peer_that_does_not_close_is_closed(listen: Any, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its release it may stay for a moment, no longer, and whatever it sends on is thrown away."""
    monkeypatch.setattr(lobby, "_LEAVE_S", 0.1)
    node = listen(max_associations=1)
    peer = raw(node)
    peer.request()
    peer.release()
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._admitted, 10)
    assert raw(node).request().kind == ASSOCIATE_AC
    with pytest.raises(ConnectionError):
        peer.flood(bytes(100_000))


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let this process open nothing more, whatever it closes meanwhile: the first three are never free."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_running_out_of_descriptors_neither_spins_nor_deafens(
    listen: Any, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits in the kernel's queue is let in as soon as there is room; until then it is tried now and then."""
    pause_s = 0.2
    monkeypatch.setattr(lobby, "_PAUSE_S", pause_s)
    node = listen()
    guest = raw(node)
    guest.request()
    began = time.monotonic()
    with socket.socket() as late, capture_logs() as events:
        with no_more_descriptors():
            late.connect(("127.0.0.1", node.port))
            late.sendall(REQUEST)
            assert guest.echo() == 0  # who is in is served
            late.settimeout(0.5)
            with pytest.raises(TimeoutError):
                late.recv(1)
        late.settimeout(10)
        assert late.recv(1) == b"\2"
    most = 2 + (time.monotonic() - began) / pause_s
    assert 1 <= sum(event["event"] == "connection not accepted" for event in events) <= most
    assert guest.echo() == 0


def test_a_listening_socket_may_be_shared(listen: Any, raw: Any) -> None:
    """Two SCPs accept on it; when one stops, the other goes on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first, second = listen(listener=listener.dup()), listen(listener=listener.dup())
        assert first.port == second.port
        first.scp.stop()
        assert all(raw(second).request().kind == ASSOCIATE_AC for _ in range(5))


def test_a_stop_leaves_no_thread_and_no_descriptor(listen: Any, raw: Any) -> None:
    """With guests in an association, within a PDU, in the lobby and on their way out."""
    threads, descriptors = set(threading.enumerate()), descriptors_here()
    node = listen()
    peers = [raw(node) for _ in range(5)]
    for peer in peers[:3]:
        assert peer.request().kind == ASSOCIATE_AC
    peers[1].connection.sendall(b"\4\0\0\0\1\0abc")
    peers[2].release()
    peers[3].connection.sendall(b"\1\0\0")
    node.scp.stop()
    for peer in peers:
        peer.connection.close()
    assert set(threading.enumerate()) <= threads
    assert descriptors_here() - descriptors == Counter()
