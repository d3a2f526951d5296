"""A node's SCP on a free port, and peers: the library's own, and one that speaks byte by byte."""

import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from node.network.reception import IncomingInstance, gathered
from node.network.scp import RefusedAssociation, ScpSettings, StorageSCP

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def element(number: int, value: bytes) -> bytes:
    """Return a command element of group 0000."""
    return struct.pack("<HHL", 0, number, len(value)) + value


def command(**parts: bytes) -> bytes:
    """Return a command set of elements named by their number in hexadecimal, as ``e0100``, in order."""
    body = b"".join(element(int(name[1:], 16), value) for name, value in sorted(parts.items()))
    return element(0, struct.pack("<L", len(body))) + body


def store_request(uid: bytes | None, *, dataset: bool = True, **more: bytes) -> bytes:
    """Return a C-STORE-RQ for a CT with this Affected SOP Instance UID, or with none."""
    parts = {
        "e0002": CT.encode() + b"\0",
        "e0100": b"\1\0",
        "e0110": b"\5\0",
        "e0700": b"\0\0",
        "e0800": b"\1\0" if dataset else b"\1\1",
    }
    if uid is not None:
        parts["e1000"] = uid + b"\0" * (len(uid) % 2)
    return command(**parts | more)


ECHO_REQUEST = command(e0002=b"1.2.840.10008.1.1\0", e0100=b"\x30\0", e0110=b"\6\0", e0800=b"\1\1")


def item(kind: int, content: bytes) -> bytes:
    """Return an item of an A-ASSOCIATE PDU (PS3.8 9.3.2)."""
    return struct.pack(">BxH", kind, len(content)) + content


class RawPeer:
    """A peer on a bare socket: sends what it is told, right or wrong, and shows what comes back."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), 10)

    def pdu(self, kind: int, body: bytes) -> None:
        """Send a PDU."""
        self.connection.sendall(struct.pack(">BxL", kind, len(body)) + body)

    def fragment(self, control: int, data: bytes, context_id: int = 1) -> None:
        """Send a P-DATA-TF with one fragment."""
        self.pdu(4, struct.pack(">LBB", len(data) + 2, context_id, control) + data)

    def read(self) -> tuple[int, bytes] | None:
        """Return type and body of the next PDU, or None where the node closed."""
        try:
            header = self._exactly(6)
            return (header[0], self._exactly(int.from_bytes(header[2:], "big"))) if header else None
        except ConnectionResetError:
            return None

    def _exactly(self, count: int) -> bytes:
        gathered = b""
        while len(gathered) < count:
            piece = self.connection.recv(count - len(gathered))
            if not piece:
                return b""
            gathered += piece
        return gathered

    def request(
        self,
        calling: bytes = b"SCANNER",
        called: bytes = b"NODE",
        contexts: tuple[tuple[int, str, tuple[str, ...]], ...] = ((1, CT, (EXPLICIT,)),),
        application: bytes = b"1.2.840.10008.3.1.1.1",
    ) -> tuple[int, bytes] | None:
        """Send an A-ASSOCIATE-RQ and return the answer."""
        items = item(0x10, application)
        for context_id, abstract, syntaxes in contexts:
            content = item(0x30, abstract.encode()) + b"".join(item(0x40, one.encode()) for one in syntaxes)
            items += item(0x20, bytes([context_id, 0, 0, 0]) + content)
        items += item(0x50, item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4"))
        self.pdu(1, struct.pack(">HH", 1, 0) + called.ljust(16) + calling.ljust(16) + bytes(32) + items)
        return self.read()

    def status(self) -> int:
        """Return the (0000,0900) Status of the response that comes next."""
        return int.from_bytes(self.response()[0x0900], "little")

    def response(self) -> dict[int, bytes]:
        """Return the elements of the response that comes next."""
        answer = self.read()
        assert answer is not None, "the node closed the connection"
        kind, body = answer
        assert kind == 4, f"a PDU of type {kind} instead of a response"
        elements, position = {}, 6
        while position < len(body):
            _, number, length = struct.unpack_from("<HHL", body, position)
            elements[number] = body[position + 8 : position + 8 + length]
            position += 8 + length
        return elements

    def store(self, request: bytes, dataset: bytes | None = b"\x08\0\x18\0UI\x06\x001.2.3\0") -> int:
        """Send a C-STORE and return its status."""
        self.fragment(3, request)
        if dataset is not None:
            self.fragment(2, dataset)
        return self.status()

    def echo(self) -> int:
        """Send a C-ECHO and return its status."""
        self.fragment(3, ECHO_REQUEST)
        return self.status()

    def release(self) -> None:
        """Release the association and wait for the answer."""
        self.pdu(5, bytes(4))
        answer = self.read()
        assert answer is not None
        assert answer[0] == 6


@dataclass
class Listening:
    """A running SCP, and what it was given."""

    scp: StorageSCP
    port: int
    received: list[IncomingInstance] = field(default_factory=list)
    refused: list[RefusedAssociation] = field(default_factory=list)


@pytest.fixture(params=["fast", "pynetdicom"])
def reader(request: pytest.FixtureRequest) -> str:
    """Return each reader in turn: whatever is tested of an SCP is tested of both."""
    return str(request.param)


@pytest.fixture
def listen(reader: str) -> Iterator[Callable[..., Listening]]:
    """Return a function that starts an SCP with these settings and this `on_store`."""
    running: list[Listening] = []

    def start(on_store: Callable[[IncomingInstance], int] = lambda _: 0, **settings: Any) -> Listening:
        received: list[IncomingInstance] = []
        refused: list[RefusedAssociation] = []

        def keep(instance: IncomingInstance) -> int:
            received.append(instance)
            return on_store(instance)

        chosen = {"bind": "127.0.0.1", "port": 0, "calling_ae_titles": frozenset({"SCANNER"})} | settings
        chosen.setdefault("reader", reader)
        scp = StorageSCP(ScpSettings("NODE", **chosen), gathered(keep), refused.append)
        running.append(Listening(scp, scp.start(), received, refused))
        return running[-1]

    yield start
    for one in running:
        one.scp.stop()


@pytest.fixture
def raw() -> Iterator[Callable[[Listening], RawPeer]]:
    """Return a function that connects a peer which speaks byte by byte."""
    peers: list[RawPeer] = []

    def connect(listening: Listening) -> RawPeer:
        peers.append(RawPeer(listening.port))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.connection.close()


@pytest.fixture
def make_store_request() -> Callable[..., bytes]:
    """Return the maker of C-STORE-RQ command sets."""
    return store_request


@pytest.fixture
def make_command() -> Callable[..., bytes]:
    """Return the maker of command sets."""
    return command
