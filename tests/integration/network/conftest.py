"""A node's SCP on a free port, and peers: the library's own, and one that speaks byte by byte."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from node.network.reception import Begin, IncomingInstance, gathered
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


def association_request(
    calling: bytes = b"SCANNER",
    called: bytes = b"NODE",
    contexts: tuple[tuple[int, str, tuple[str, ...]], ...] = ((1, CT, (EXPLICIT,)),),
    application: bytes = b"1.2.840.10008.3.1.1.1",
    version: int = 1,
    maximum: int = 16384,
    more: bytes = b"",
) -> bytes:
    """Return an A-ASSOCIATE-RQ."""
    items = item(0x10, application)
    for context_id, abstract, syntaxes in contexts:
        content = item(0x30, abstract.encode()) + b"".join(item(0x40, one.encode()) for one in syntaxes)
        items += item(0x20, bytes([context_id, 0, 0, 0]) + content)
    items += item(0x50, item(0x51, struct.pack(">L", maximum)) + item(0x52, b"1.2.3.4") + more)
    body = struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32) + items
    return struct.pack(">BxL", 1, len(body)) + body


class RawPeer:
    """A peer on a bare socket: sends what it is told, right or wrong, and shows what comes back."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), 10, (source, 0))

    def pdu(self, kind: int, body: bytes) -> None:
        """Send a PDU."""
        self.connection.sendall(struct.pack(">BxL", kind, len(body)) + body)

    def fragment(self, control: int, data: bytes, context_id: int = 1) -> None:
        """Send a P-DATA-TF with one fragment."""
        self.pdu(4, struct.pack(">LBB", len(data) + 2, context_id, control) + data)

    def drip(self, data: bytes, meanwhile: Callable[[], object] = lambda: None) -> int:
        """Send byte by byte, with a pause after each, until the node answers or closes; return how many it took."""
        self.connection.settimeout(0.02)
        for count, one in enumerate(data):
            try:
                self.connection.sendall(bytes([one]))
                meanwhile()
                self.connection.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            return count
        raise AssertionError("the node took all of it")

    def flood(self, data: bytes) -> None:
        """Send on and on without reading; ends with the exception that the connection ends with."""
        while True:
            self.connection.sendall(data)

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
        version: int = 1,
        maximum: int = 16384,
    ) -> tuple[int, bytes] | None:
        """Send an A-ASSOCIATE-RQ and return the answer."""
        self.connection.sendall(association_request(calling, called, contexts, application, version, maximum))
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
    """Return a function that starts an SCP with these settings and this `on_store`, or this `begin`."""
    running: list[Listening] = []

    def start(
        on_store: Callable[[IncomingInstance], int] = lambda _: 0,
        *,
        begin: Begin | None = None,
        congested: Callable[[], str | None] = lambda: None,
        listener: socket.socket | None = None,
        lost: Callable[[], None] = lambda: None,
        **settings: Any,
    ) -> Listening:
        received: list[IncomingInstance] = []
        refused: list[RefusedAssociation] = []

        def keep(instance: IncomingInstance) -> int:
            received.append(instance)
            return on_store(instance)

        chosen = {"bind": "127.0.0.1", "port": 0, "calling_ae_titles": frozenset({"SCANNER"})} | settings
        chosen.setdefault("reader", reader)
        scp = StorageSCP(ScpSettings("NODE", **chosen), begin or gathered(keep), refused.append, congested, lost=lost)
        running.append(Listening(scp, scp.start(listener), received, refused))
        return running[-1]

    yield start
    for one in running:
        one.scp.stop()


@pytest.fixture
def raw() -> Iterator[Callable[..., RawPeer]]:
    """Return a function that connects a peer which speaks byte by byte, from an address of this machine."""
    peers: list[RawPeer] = []

    def connect(listening: Listening, source: str = "127.0.0.1") -> RawPeer:
        peers.append(RawPeer(listening.port, source))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.connection.close()


@pytest.fixture(autouse=True)
def no_thread_dies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that a peer sends prints a traceback."""
    died: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    yield
    assert died == []


@pytest.fixture
def make_request() -> Callable[..., bytes]:
    """Return the maker of A-ASSOCIATE-RQs."""
    return association_request


@pytest.fixture
def make_store_request() -> Callable[..., bytes]:
    """Return the maker of C-STORE-RQ command sets."""
    return store_request


@pytest.fixture
def make_command() -> Callable[..., bytes]:
    """Return the maker of command sets."""
    return command
