"""Peers that fail half way or are none: tried again or told apart, in one clear sentence each."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from node.network.command import NO_DATASET, CommandField, Element, encode_command
from node.network.scu import (
    PeerAddress,
    PeerUnreachable,
    Timeouts,
    open_association,
)
from tests.integration.network.calling import AE_TITLE, CT, EXPLICIT, INSTANCE, at

PATIENT = Timeouts()
_SHORT_S = 0.3
_ROUND_TRIP_AT = 68  # in struct tcp_info, microseconds


def test_a_peer_that_writes_in_pieces_is_acknowledged_at_once(strange_peer: Any) -> None:
    """Twenty answers of a peer with Nagle's algorithm, each in two writes, of which none stalls for 40 ms.

    The peer's kernel has measured how long acknowledgements take: 15 microseconds are seen, and 20 ms with the stalls.
    """
    took_us: list[int] = []

    def answer_in_two_writes(connection: socket.socket) -> None:
        accept(connection)
        for number in range(1, 21):
            read_pdu(connection)
            read_pdu(connection)
            response = encode_command(
                {
                    Element.COMMAND_FIELD: CommandField.C_STORE_RSP,
                    Element.MESSAGE_ID_BEING_RESPONDED_TO: number,
                    Element.COMMAND_DATA_SET_TYPE: NO_DATASET,
                    Element.STATUS: 0,
                }
            )
            connection.sendall(struct.pack(">BxL", 4, len(response) + 6))
            connection.sendall(struct.pack(">LBB", len(response) + 2, 1, 3) + response)
        read_pdu(connection)
        known = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ROUND_TRIP_AT + 4)
        took_us.extend(struct.unpack_from("I", known, _ROUND_TRIP_AT))
        connection.sendall(struct.pack(">BxL4x", 6, 4))

    peer = strange_peer(answer_in_two_writes)
    with open_association(peer, AE_TITLE, [(CT, EXPLICIT)], PATIENT) as association:
        assert [association.store(INSTANCE).status for _ in range(20)] == [0] * 20
    assert took_us[0] < 10_000


Script = Callable[[socket.socket], None]


@pytest.fixture
def strange_peer() -> Iterator[Callable[[Script], PeerAddress]]:
    """Return a function that starts a peer which does with its one connection what the script says."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def start(script: Script) -> PeerAddress:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                script(connection)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return at(listener.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(10)
    listener.close()


def read_pdu(connection: socket.socket) -> bytes:
    """Return the body of the next PDU, or nothing where the node closed."""
    header = connection.recv(6, socket.MSG_WAITALL)
    return connection.recv(int.from_bytes(header[2:], "big"), socket.MSG_WAITALL) if header else b""


def accept(connection: socket.socket) -> None:
    """Read the A-ASSOCIATE-RQ and accept its first context in Explicit VR Little Endian."""

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(content)) + content

    read_pdu(connection)
    items = item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x21, bytes([1, 0, 0, 0]) + item(0x40, EXPLICIT.encode()))
    items += item(0x50, item(0x51, struct.pack(">L", 0)) + item(0x52, b"1.2"))
    body = struct.pack(">HH", 1, 0) + b"PACSNODE".ljust(16) + b"MODALITY".ljust(16) + bytes(32) + items
    connection.sendall(struct.pack(">BxL", 2, len(body)) + body)


def until_closed(connection: socket.socket) -> None:
    """Read until the node has gone."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(4096):
            pass


def drop(connection: socket.socket) -> None:
    """Take the association and leave."""
    accept(connection)


def abort(connection: socket.socket) -> None:
    """Take the association and the command, then abort."""
    accept(connection)
    read_pdu(connection)
    connection.sendall(struct.pack(">BxL4x", 7, 4))
    until_closed(connection)


def release(connection: socket.socket) -> None:
    """Take the association and the command, then ask for a release."""
    accept(connection)
    read_pdu(connection)
    connection.sendall(struct.pack(">BxL4x", 5, 4))
    until_closed(connection)


def stay_silent(connection: socket.socket) -> None:
    """Take the association and say nothing more."""
    accept(connection)
    until_closed(connection)


def babble(connection: socket.socket) -> None:
    """Answer the instance with a fragment that is no command set."""
    accept(connection)
    read_pdu(connection)
    connection.sendall(struct.pack(">BxLLBB", 4, 10, 6, 1, 3) + b"what")
    until_closed(connection)


def overrun(connection: socket.socket) -> None:
    """Answer the instance with a fragment that claims more than its PDU holds."""
    accept(connection)
    read_pdu(connection)
    connection.sendall(struct.pack(">BxLLBB", 4, 6, 600, 1, 3))
    until_closed(connection)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (drop, "closed the connection|dropped the connection"),
        (abort, "aborted the association before it answered"),
        (release, "released the association before it answered"),
        (stay_silent, "did not answer within 0.3 s"),
        (babble, "sent an answer that cannot be read"),
        (overrun, "sent a fragment that overruns its PDU"),
    ],
)
def test_a_peer_that_fails_half_way_is_tried_again(script: Script, sentence: str, strange_peer: Any) -> None:
    """Whatever breaks between association and answer is one sentence, and transient."""
    peer = strange_peer(script)
    timeouts = replace(PATIENT, answer_s=_SHORT_S) if script is stay_silent else PATIENT
    with (
        pytest.raises(PeerUnreachable, match=sentence),
        open_association(peer, AE_TITLE, [(CT, EXPLICIT)], timeouts) as one,
    ):
        one.store(INSTANCE)


def hang_up(connection: socket.socket) -> None:
    """Read the request and leave."""
    read_pdu(connection)


def speak_http(connection: socket.socket) -> None:
    """Answer like a web server."""
    read_pdu(connection)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    until_closed(connection)


def accept_in_riddles(connection: socket.socket) -> None:
    """Answer with an A-ASSOCIATE-AC of garbage."""
    read_pdu(connection)
    connection.sendall(struct.pack(">BxL", 2, 80) + b"\xff" * 80)
    until_closed(connection)


def abort_at_once(connection: socket.socket) -> None:
    """Answer the request with an A-ABORT."""
    read_pdu(connection)
    connection.sendall(struct.pack(">BxL4x", 7, 4))
    until_closed(connection)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (hang_up, "closed the connection"),
        (until_closed, "did not answer within 0.3 s"),
        (speak_http, "which is no DICOM answer"),
        (accept_in_riddles, "in a form that cannot be read"),
        (abort_at_once, "aborted the association"),
    ],
)
def test_no_association_is_one_clear_sentence(script: Script, sentence: str, strange_peer: Any) -> None:
    """Whatever answers on that port, the operator reads what it did."""
    peer = strange_peer(script)
    timeouts = replace(PATIENT, association_s=_SHORT_S) if script is until_closed else PATIENT
    with pytest.raises(PeerUnreachable, match=sentence), open_association(peer, AE_TITLE, [(CT, EXPLICIT)], timeouts):
        pass
