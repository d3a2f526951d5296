"""A PACS on a bare socket that misbehaves as it is told, and shows what it holds and how it was called.

Nothing of the node's own encoding is used, so that both sides are not wrong in the same way.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum, auto

from tests.support.peers.raw_peer import (
    ABORT,
    APPLICATION_CONTEXT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    LAST_COMMAND,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    USER_INFORMATION,
    command,
    item,
    items_in,
    pdu,
    pdv,
)

_LAST, _COMMAND = 2, 1
_ACCEPTED, _NO_SUCH_ABSTRACT_SYNTAX = 0, 3  # PS3.8 Table 9-18


class Deed(StrEnum):
    """What it does with one C-STORE."""

    ANSWER = auto()  #: store and answer with its status
    DROP_AFTER_STORING = auto()  #: store, and break the connection before the answer
    DROP = auto()  #: break the connection without storing
    ABORT = auto()  #: abort the association without storing
    SILENCE = auto()  #: take it and never answer
    WAIT = auto()  #: store and answer once it is told to go on
    LEAVE_AFTERWARDS = auto()  #: store, answer, and close the connection


@dataclass
class Pacs:
    """The PACS; its lists grow while it is used."""

    status: int = 0x0000
    deeds: list[Deed] = field(default_factory=list)  #: of the next instances; then it answers
    rejects: int = 0  #: so many associations are rejected first
    knows_duplicates: bool = False  #: answers 0x0111 for what it holds
    accepts: frozenset[str] | None = None  #: SOP classes that it takes; None for all
    deaf: bool = False  #: takes an association and then nothing, until it is told to go on
    port: int = 0
    held: dict[str, bytes] = field(default_factory=dict)  #: dataset by SOP Instance UID
    came: list[str] = field(default_factory=list)  #: UID of each C-STORE
    associations: list[int] = field(default_factory=list)  #: how many C-STOREs came on each
    endings: list[str] = field(default_factory=list)  #: "released", "aborted" or "closed", of each that ended
    arrived: threading.Event = field(default_factory=threading.Event)  #: set when a C-STORE has come
    go_on: threading.Event = field(default_factory=threading.Event)

    def serve(self, connection: socket.socket) -> None:
        """Serve one association to its end."""
        with connection, contextlib.suppress(OSError):
            kind, body = _read(connection)
            assert kind == ASSOCIATE_RQ
            if self.rejects:
                self.rejects -= 1
                connection.sendall(pdu(ASSOCIATE_RJ, bytes([0, 2, 3, 1])))
                return
            connection.sendall(pdu(ASSOCIATE_AC, _acceptance(body, self.accepts)))
            self.associations.append(0)
            assert not self.deaf or self.go_on.wait(30)
            self.endings.append(self._converse(connection, len(self.associations) - 1))
            if self.endings[-1] == "released":  # told after it was noted: whoever hears it finds it noted
                connection.sendall(pdu(RELEASE_RP, bytes(4)))

    def _converse(self, connection: socket.socket, number: int) -> str:
        for context_id, values, dataset in _messages(connection):
            if not values:
                return dataset.decode()
            self.associations[number] += 1
            if not self._store(connection, context_id, values, dataset):
                return "closed"
        return "closed"

    def _store(self, connection: socket.socket, context_id: int, values: dict[int, bytes], dataset: bytes) -> bool:
        """Do the next deed with an instance; return whether the association stands."""
        uid = values[0x1000].rstrip(b"\0").decode()
        deed = self.deeds.pop(0) if self.deeds else Deed.ANSWER
        self.came.append(uid)
        self.arrived.set()
        if deed is Deed.ABORT:
            connection.sendall(pdu(ABORT, bytes(4)))
        if deed in (Deed.DROP, Deed.ABORT):
            return False
        if deed is Deed.SILENCE:
            _until_closed(connection)
            return False
        if deed is Deed.WAIT:
            assert self.go_on.wait(10)
        status = 0x0111 if self.knows_duplicates and uid in self.held else self.status
        if status < 0xA000 or status >= 0xB000:
            self.held[uid] = dataset
        if deed is Deed.DROP_AFTER_STORING:
            return False
        connection.sendall(pdu(P_DATA, pdv(LAST_COMMAND, _response(values, status), context_id)))
        return deed is not Deed.LEAVE_AFTERWARDS


@contextlib.contextmanager
def serving(pacs: Pacs) -> Iterator[Pacs]:
    """Let a PACS listen, on its port or a free one, as often as it is wanted."""
    stopped = threading.Event()
    listener = socket.create_server(("127.0.0.1", pacs.port))
    pacs.port = listener.getsockname()[1]
    open_ones: list[socket.socket] = []

    def accept() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=pacs.serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield pacs
    finally:
        stopped.set()
        for connection in (listener, *open_ones):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def _acceptance(request: bytes, accepts: frozenset[str] | None) -> bytes:
    contexts = b"".join(
        item(0x21, bytes([content[0], 0, _result(content, accepts), 0]) + item(0x40, _syntax(content)))
        for content in _contexts(request[68:])
    )
    items = item(0x10, APPLICATION_CONTEXT) + contexts + item(0x50, USER_INFORMATION)
    return struct.pack(">HH", 1, 0) + request[4:68] + items


def _contexts(items: bytes) -> Iterator[bytes]:
    return (content for kind, content in items_in(items) if kind == 0x20)


def _result(context: bytes, accepts: frozenset[str] | None) -> int:
    abstract_syntax = next(content for kind, content in items_in(context[4:]) if kind == 0x30).decode()
    return _ACCEPTED if accepts is None or abstract_syntax in accepts else _NO_SUCH_ABSTRACT_SYNTAX


def _syntax(context: bytes) -> bytes:
    return next(content for kind, content in items_in(context[4:]) if kind == 0x40)


def _messages(connection: socket.socket) -> Iterator[tuple[int, dict[int, bytes], bytes]]:
    """Yield context, command elements and dataset of each message; no elements, and how it ended, at the end."""
    gathered: dict[int, bytes] = {_COMMAND: b"", 0: b""}
    while True:
        kind, body = _read(connection)
        if kind != P_DATA:
            yield 0, {}, {RELEASE_RQ: b"released", ABORT: b"aborted"}.get(kind, b"closed")
            return
        position = 0
        while position < len(body):
            length, context_id, control = struct.unpack_from(">LBB", body, position)
            gathered[control & _COMMAND] += body[position + 6 : position + 4 + length]
            position += 4 + length
            if control == _LAST:
                yield context_id, _elements(gathered[_COMMAND]), gathered[0]
                gathered = {_COMMAND: b"", 0: b""}


def _elements(encoded: bytes) -> dict[int, bytes]:
    elements, position = {}, 0
    while position < len(encoded):
        _, number, length = struct.unpack_from("<HHL", encoded, position)
        elements[number] = encoded[position + 8 : position + 8 + length]
        position += 8 + length
    return elements


def _response(values: dict[int, bytes], status: int) -> bytes:
    return command(
        {
            0x0002: values[0x0002],
            0x0100: b"\x01\x80",
            0x0120: values[0x0110],
            0x0800: b"\x01\x01",
            0x0900: struct.pack("<H", status),
            0x1000: values[0x1000],
        }
    )


def _read(connection: socket.socket) -> tuple[int, bytes]:
    header = connection.recv(6, socket.MSG_WAITALL)
    if len(header) < 6:
        return 0, b""
    length = int.from_bytes(header[2:], "big")
    return header[0], connection.recv(length, socket.MSG_WAITALL) if length else b""


def _until_closed(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass
