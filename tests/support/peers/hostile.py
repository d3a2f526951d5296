"""A peer that accepts every association and then answers as each test says, byte by byte if it likes."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from node.network.peer import PeerAddress
from tests.support.peers.raw_peer import APPLICATION_CONTEXT, ASSOCIATE_AC, P_DATA, item, pdu, pdv

_COMMAND_BIT, _LAST_BIT = 1, 2
_FIELD, _MESSAGE_ID, _TYPE, _STATUS, _RESPONDED_TO = 0x0100, 0x0110, 0x0800, 0x0900, 0x0120
_NO_DATASET = 0x0101


@dataclass
class Asked:
    """What came, and how to answer it."""

    connection: socket.socket
    context_id: int
    field: int
    message_id: int

    def send(self, control: int, data: bytes) -> None:
        """Send a fragment."""
        self.connection.sendall(pdu(P_DATA, pdv(control, data, self.context_id)))

    def response(self, status: int, *, has_dataset: bool) -> bytes:
        """Return the command set of a response."""
        values = {
            _FIELD: self.field | 0x8000,
            _RESPONDED_TO: self.message_id,
            _TYPE: 1 if has_dataset else _NO_DATASET,
            _STATUS: status,
        }
        return b"".join(struct.pack("<HHLH", 0, number, 2, values[number]) for number in sorted(values))


@dataclass
class Hostile:
    """Where it listens, and how it answers; `field` numbers of what it was asked stand in `heard`."""

    address: PeerAddress
    answer: Callable[[Asked], None]
    heard: list[int] = field(default_factory=list)


@contextmanager
def hostile(answer: Callable[[Asked], None], ae_title: str = "HOSTILE") -> Iterator[Hostile]:
    """Run one that calls this with each request, on the thread of its association, until the node closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = Hostile(PeerAddress(ae_title, "127.0.0.1", listening.getsockname()[1]), answer)
        threading.Thread(target=_accept, args=(peer, listening), daemon=True).start()
        yield peer
        listening.shutdown(socket.SHUT_RDWR)


def _accept(peer: Hostile, listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_serve, args=(peer, connection), daemon=True).start()


def _serve(peer: Hostile, connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        _, request = _pdu(connection)
        connection.sendall(_acceptance(request))
        command = b""
        while True:
            kind, body = _pdu(connection)
            if kind != P_DATA:
                return
            for context_id, control, data in _fragments(body):
                command += data if control & _COMMAND_BIT else b""
                if control == _COMMAND_BIT | _LAST_BIT and not _has_dataset(command):
                    peer.heard.append(_number(command, _FIELD))
                elif control == _LAST_BIT:
                    asked = Asked(connection, context_id, _number(command, _FIELD), _number(command, _MESSAGE_ID))
                    peer.heard.append(asked.field)
                    peer.answer(asked)
                else:
                    continue
                command = b""


def _has_dataset(command: bytes) -> bool:
    return _number(command, _TYPE) != _NO_DATASET


def _number(command: bytes, wanted: int) -> int:
    position = 0
    while position < len(command):
        _, number, length = struct.unpack_from("<HHL", command, position)
        if number == wanted:
            return int.from_bytes(command[position + 8 : position + 8 + length], "little")
        position += 8 + length
    return 0


def _fragments(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    while position < len(body):
        length = int.from_bytes(body[position : position + 4], "big")
        yield body[position + 4], body[position + 5], body[position + 6 : position + 4 + length]
        position += 4 + length


def _acceptance(request: bytes) -> bytes:
    """Accept each context with its first transfer syntax (PS3.8 9.3.3)."""
    accepted, position = b"", 68
    while position < len(request):
        length = int.from_bytes(request[position + 2 : position + 4], "big")
        content = request[position + 4 : position + 4 + length]
        if request[position] == 0x20:
            accepted += item(0x21, bytes([content[0], 0, 0, 0]) + item(0x40, _first_syntax(content[4:])))
        position += 4 + length
    ours = item(0x51, struct.pack(">L", 0)) + item(0x52, b"1.2.3.4")
    return pdu(ASSOCIATE_AC, request[:68] + item(0x10, APPLICATION_CONTEXT) + accepted + item(0x50, ours))


def _first_syntax(content: bytes) -> bytes:
    position = 0
    while content[position] != 0x40:
        position += 4 + int.from_bytes(content[position + 2 : position + 4], "big")
    return content[position + 4 : position + 4 + int.from_bytes(content[position + 2 : position + 4], "big")]


def _pdu(connection: socket.socket) -> tuple[int, bytes]:
    head = _read(connection, 6)
    return head[0], _read(connection, int.from_bytes(head[2:], "big"))


def _read(connection: socket.socket, count: int) -> bytes:
    gathered = b""
    while len(gathered) < count:
        received = connection.recv(count - len(gathered))
        if not received:
            raise ConnectionResetError
        gathered += received
    return gathered
