"""One conversation with the node over a real socket, and what it answered."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bench.fuzzing.cases import Case
from bench.sending.wire import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    DATA,
    FIELD,
    RELEASE,
    RELEASE_RP,
    STATUS,
    STORE_RSP,
    Message,
    messages,
    pdus,
)

_KINDS = {ASSOCIATE_AC: "accepted", RELEASE_RP: "released", ABORT: "abort"}
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the node said, in order, and how it ended."""

    said: tuple[str, ...]  #: such as ``accepted``, ``status 0x0000``, ``reject 1,1,3``, ``abort``
    stored: tuple[str, ...]  #: SOP Instance UIDs of the stores that were answered with 0x0000
    closed: bool  #: whether the node ended the connection in time
    garbled: bool  #: whether it said something that is no PDU


def talk(port: int, case: Case, limit_s: float) -> Answer:
    """Say what the case says and return what came back.

    Parameters
    ----------
    limit_s
        How long the node may leave the connection open after the last byte, in seconds.
    """
    connection = socket.create_connection(("127.0.0.1", port), timeout=limit_s)
    with contextlib.closing(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard, closed = _conversation(connection, case)
    return _understood(heard, closed=closed)


def _conversation(connection: socket.socket, case: Case) -> tuple[bytes, bool]:
    """Return what was heard, and whether the connection ended in time."""
    heard = bytearray()
    try:
        _say(connection, case, heard)
        if not _left(connection, case.ending):
            _listen(connection, heard, until_over=case.ending == "release")
    except TimeoutError:
        return bytes(heard), False
    except OSError:
        with contextlib.suppress(OSError):  # what had come before the connection was reset
            heard += connection.recv(1 << 16, socket.MSG_DONTWAIT)
    return bytes(heard), True


def _say(connection: socket.socket, case: Case, heard: bytearray) -> None:
    connection.sendall(case.request)
    if case.following:
        heard += _next_pdu(connection)
    if heard[:1] != bytes([ASSOCIATE_AC]):
        return
    for piece in case.following:
        if piece:
            connection.sendall(piece)
        else:
            heard += _next_pdu(connection)
    if case.ending == "release":
        connection.sendall(RELEASE)


def _listen(connection: socket.socket, heard: bytearray, *, until_over: bool) -> None:
    for some in iter(lambda: connection.recv(1 << 16), b""):
        heard += some
        if len(heard) > _MOST_BYTES or (until_over and _is_over(heard)):
            return


def _next_pdu(connection: socket.socket) -> bytes:
    head = connection.recv(6, socket.MSG_WAITALL)
    return head + connection.recv(int.from_bytes(head[2:6], "big"), socket.MSG_WAITALL) if len(head) == 6 else head


def _left(connection: socket.socket, ending: str) -> bool:
    """End our side as the case wants it; return whether nothing can be heard any more."""
    if ending == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if ending == "half":
        connection.shutdown(socket.SHUT_WR)
    return ending in {"reset", "close"}


def _is_over(heard: bytearray) -> bool:
    return any(kind in {ASSOCIATE_RJ, RELEASE_RP, ABORT} and whole for kind, _, whole in pdus(bytes(heard)))


def _understood(heard: bytes, *, closed: bool) -> Answer:
    found = list(pdus(heard))
    known = {ASSOCIATE_RJ, DATA, *_KINDS}
    garbled = any(kind not in known or not whole for kind, _, whole in found) or 0 < len(heard) < 6
    answers = messages(b"".join(_data_only(heard)))
    return Answer(tuple(_words(heard)), tuple(_stored(answers)), closed, garbled)


def _data_only(heard: bytes) -> Iterator[bytes]:
    for kind, body, whole in pdus(heard):
        if kind == DATA and whole:
            yield struct.pack(">BBL", kind, 0, len(body)) + body


def _words(heard: bytes) -> Iterator[str]:
    for kind, body, _ in pdus(heard):
        if kind == ASSOCIATE_RJ:
            yield f"reject {','.join(map(str, body[1:4]))}"
        elif kind == DATA:
            for message in messages(struct.pack(">BBL", kind, 0, len(body)) + body):
                yield f"status 0x{message.number(STATUS) or 0:04X}"
        else:
            yield _KINDS.get(kind, f"PDU type {kind}")


def _stored(answers: list[Message]) -> Iterator[str]:
    for message in answers:
        if message.number(FIELD) == STORE_RSP and message.number(STATUS) == 0:
            yield message.sop_instance_uid
