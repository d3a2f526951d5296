"""What comes in wrong: it is answered or aborted, and the next one is served."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynetdicom.ae import ApplicationEntity

from node.network.association import Host
from node.network.fast import FastAssociation
from node.network.incoming import gathered
from node.network.lobby import Visitor
from node.network.presentation import acceptor_contexts
from node.network.service import StorageService
from tests.support.objects.raw_dataset import Instance
from tests.support.peers.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RQ,
    DATASET,
    LAST_COMMAND,
    LAST_DATASET,
    USER_INFORMATION,
    Answer,
    associate_request,
    command,
    pdu,
    store_request,
)

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
BAD_UIDS = [
    b"1..2",
    b"../../../etc/passwd",
    b"..",
    b"/etc/x",
    b"1.2.",
    b"9" * 65,
    b"1.2\n3",
    b"1.2\\1.3",
    b"\xff\xfe",
    b"",
]


@pytest.mark.parametrize("uid", [*BAD_UIDS, None])
def test_an_instance_without_a_proper_uid_is_0xa900_and_the_association_lives(
    uid: bytes | None, listen: Any, raw: Any
) -> None:
    """A malformed, missing or long UID is refused before anybody sees it, and the same association goes on."""
    node = listen()
    peer = raw(node)
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(uid))
    peer.fragment(LAST_DATASET, b"dataset")
    response = peer.response()
    assert response[0x0900] == b"\x00\xa9"
    assert 0x1000 not in response
    assert peer.echo() == 0x0000
    assert peer.store(Instance("1.2.3", b"dataset")) == 0x0000
    assert [one.sop_instance_uid for one in node.received] == ["1.2.3"]
    peer.release()
    assert raw(node).request().kind == ASSOCIATE_AC


def test_a_store_without_a_dataset_is_0xa900(listen: Any, raw: Any) -> None:
    """The command says that nothing follows; there is nothing to store."""
    node = listen()
    peer = raw(node)
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3", e0800=b"\1\1"))
    assert peer.status() == 0xA900
    assert peer.echo() == 0x0000
    assert node.received == []


def test_an_instance_over_the_limit_is_0xa700(listen: Any, raw: Any) -> None:
    """It is taken off the wire, not kept, and answered; the next instance is stored."""
    node = listen(max_instance_mb=1)
    peer = raw(node)
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    for _ in range(10):
        peer.fragment(DATASET, b"x" * 100_000)
    peer.fragment(LAST_DATASET, b"x")
    assert peer.status() == 0xA700
    assert peer.store(Instance("1.2.4", b"dataset")) == 0x0000
    assert [one.sop_instance_uid for one in node.received] == ["1.2.4"]


@pytest.mark.parametrize("field", [b"\x20\0", b"\x21\0", b"\x10\0", b"\x30\x01", b"\x40\x01", b"\x77\x07"])
def test_an_operation_that_is_not_offered_is_0x0211(field: bytes, listen: Any, raw: Any) -> None:
    """C-FIND, C-MOVE, C-GET, N-ACTION, N-CREATE and what nobody knows are unrecognised operations."""
    peer = raw(listen())
    peer.request()
    peer.fragment(
        LAST_COMMAND, command({0x0002: b"1.2.840.10008.1.1\0", 0x0100: field, 0x0110: b"\7\0", 0x0800: b"\1\1"})
    )
    assert peer.status() == 0x0211
    assert peer.echo() == 0x0000


@pytest.mark.parametrize("field", [b"\xff\x0f", b"\x01\x80", b"\x30\x80"])
def test_a_stray_cancel_or_response_is_let_pass(field: bytes, listen: Any, raw: Any) -> None:
    """Neither has a response; the association goes on."""
    peer = raw(listen())
    peer.request()
    peer.fragment(LAST_COMMAND, command({0x0100: field, 0x0120: b"\1\0", 0x0800: b"\1\1", 0x0900: b"\0\0"}))
    assert peer.echo() == 0x0000


def _garbage(peer: Any, request: bytes) -> None:
    peer.fragment(LAST_COMMAND, b"no command set")


def _dataset_first(peer: Any, request: bytes) -> None:
    peer.fragment(LAST_DATASET, b"dataset")


def _interleaved(peer: Any, request: bytes) -> None:
    peer.fragment(LAST_COMMAND, request)
    peer.fragment(LAST_DATASET, b"dataset", 3)


def _unknown_context(peer: Any, request: bytes) -> None:
    peer.fragment(LAST_COMMAND, request, 99)
    peer.fragment(LAST_DATASET, b"dataset", 99)


def _second_request(peer: Any, request: bytes) -> None:
    peer.send(pdu(1, bytes(68)))


def _unknown_pdu(peer: Any, request: bytes) -> None:
    peer.send(pdu(0x42, b"what"))


def _no_message_id(peer: Any, request: bytes) -> None:
    peer.fragment(LAST_COMMAND, request.replace(b"\x10\x01\2\0\0\0\5\0", b"\x11\x01\2\0\0\0\5\0"))
    peer.fragment(LAST_DATASET, b"dataset")


@pytest.mark.parametrize(
    "break_rules",
    [_garbage, _dataset_first, _interleaved, _unknown_context, _second_request, _unknown_pdu, _no_message_id],
)
def test_what_breaks_the_protocol_is_aborted_and_the_next_is_served(
    break_rules: Callable[[Any, bytes], None], listen: Any, raw: Any
) -> None:
    """A-ABORT for the one who breaks it, an association for the next."""
    node = listen()
    peer = raw(node)
    peer.request()
    break_rules(peer, store_request(b"1.2.3"))
    answer = peer.read()
    assert answer is not None
    assert answer.kind == ABORT
    assert peer.read() is None
    assert node.received == []
    other = raw(node)
    other.request()
    assert other.echo() == 0x0000


@pytest.mark.parametrize(
    "hello",
    [b"", b"\1", b"GET / HTTP/1.1\r\n\r\n", b"\x16\3\1\2\0\1\0\1\xfc\3\3", b"\1\0\xff\xff\xff\xff" + b"x" * 1000],
)
def test_what_is_no_dicom_holds_nothing(hello: bytes, listen: Any, raw: Any) -> None:
    """A port scan, HTTP, a TLS hello or a claimed 4 GiB PDU leaves no thread behind once it is gone."""
    node = listen()
    peer = raw(node)
    peer.connection.sendall(hello)
    peer.connection.shutdown(1)
    while peer.read() is not None:
        pass
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._open, 5)
    assert raw(node).request().kind == ASSOCIATE_AC


def test_an_even_context_id_is_aborted(listen: Any, raw: Any) -> None:
    """The library's thread would die of it; the peer is told at once, and the next one is served."""
    node = listen()
    assert raw(node).request((2, CT, (EXPLICIT,))) == Answer(ABORT, b"\0\0\2\6")
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._open, 5)
    assert raw(node).request().kind == ASSOCIATE_AC


def test_one_byte_and_silence_is_let_go(listen: Any, raw: Any) -> None:
    """An association that stands still within a PDU ends at its deadline."""
    node = listen(pdu_timeout_s=0.2)
    peer = raw(node)
    peer.request()
    peer.connection.sendall(b"\4")
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._open, 5)


def test_an_idle_association_is_aborted(listen: Any, raw: Any) -> None:
    """After its idle time-out an association is told to go."""
    peer = raw(listen(idle_timeout_s=0.2))
    peer.request()
    answer = peer.read()
    assert answer is not None
    assert answer.kind == ABORT


def test_a_connection_without_a_request_is_let_go(listen: Any, raw: Any) -> None:
    """Who says nothing is let go after the association time-out."""
    node = listen(association_timeout_s=0.2)
    assert raw(node).read() is None


def test_a_peer_that_leaves_half_way_costs_nothing(listen: Any, raw: Any) -> None:
    """A connection that breaks within a dataset stores nothing and frees its place."""
    node = listen(max_associations=1)
    peer = raw(node)
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.fragment(DATASET, b"half")
    peer.connection.close()
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._admitted, 5)
    assert node.received == []
    assert raw(node).request().kind == ASSOCIATE_AC


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(68, 400), st.integers(0, 255)), min_size=1, max_size=6),
    st.sampled_from([b"", b"\x54\0\0\x0d\0\x091.2.3.4.5\1\0", b"\x54\0\0\2\0\0", b"\x58\0\0\4\1\0\0\0", b"\x56\0\0\0"]),
)
def test_any_change_of_a_request_is_answered_or_aborted(changes: list[tuple[int, int]], more: bytes) -> None:
    """Whatever its items hold, the library is given what it can read, and raises nothing."""
    contexts = ((1, CT, (EXPLICIT, "1.2.840.10008.1.2")), (3, "1.2.3", ("1.2.3",)), (5, CT, (EXPLICIT,)))
    encoded = bytearray(pdu(ASSOCIATE_RQ, associate_request(contexts, user_information=USER_INFORMATION + more)))
    for place, value in changes:
        encoded[6 + place % (len(encoded) - 6)] = value
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, address = listener.accept()
    with theirs, ours:
        theirs.shutdown(socket.SHUT_WR)
        farewells: list[bytes] = []
        host = Host(
            ApplicationEntity("PACSNODE"),
            list(acceptor_contexts()),
            lambda _: None,
            lambda _: None,
            lambda _, farewell: farewells.append(farewell),
            StorageService(gathered(lambda _: 0), 1000),
            5,
            5,
        )
        FastAssociation(host, Visitor(ours, address, bytes(encoded))).run_reactor()
        accepted = theirs.recv(1, socket.MSG_DONTWAIT) == b"\2" if farewells == [b""] else False
        assert accepted or farewells[0][:1] == b"\7"
