"""A peer on a bare socket: it sends what it is told, right or wrong, and shows what comes back.

Nothing of the node's own encoding is used, so that both sides are not wrong in the same way.
"""

import contextlib
import select
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from tests.support.objects.raw_dataset import CT, EXPLICIT, Instance

VERIFICATION = "1.2.840.10008.1.1"
APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
COMMAND, DATASET, LAST_COMMAND, LAST_DATASET = 1, 0, 3, 2  # PS3.8 E.2: the message control header

#: How a connection ends, as the peer sees it.
ABORTED, CLOSED = "A-ABORT", "closed"

_FRAGMENT_BYTES = 16_000
_TIMEOUT_S = 10.0

Context = tuple[int, str, Sequence[str]]
DEFAULT_CONTEXTS: tuple[Context, ...] = ((1, CT, (EXPLICIT,)), (3, VERIFICATION, (EXPLICIT,)))


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return a PDU; `length` is what it claims, where that is not what it holds."""
    return struct.pack(">BxL", kind, len(body) if length is None else length) + body


def pdv(control: int, data: bytes, context_id: int = 1, length: int | None = None) -> bytes:
    """Return a presentation data value item (PS3.8 9.3.5.1); `length` as in `pdu`."""
    return struct.pack(">LBB", len(data) + 2 if length is None else length, context_id, control) + data


def item(kind: int, content: bytes, length: int | None = None) -> bytes:
    """Return an item of an A-ASSOCIATE PDU (PS3.8 9.3.2); `length` as in `pdu`."""
    return struct.pack(">BxH", kind, len(content) if length is None else length) + content


def context_item(context_id: int, abstract: str, syntaxes: Sequence[str]) -> bytes:
    """Return a proposed presentation context."""
    content = item(0x30, abstract.encode()) + b"".join(item(0x40, one.encode()) for one in syntaxes)
    return item(0x20, bytes([context_id, 0, 0, 0]) + content)


USER_INFORMATION = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4")


def associate_request(
    contexts: Sequence[Context] = DEFAULT_CONTEXTS,
    *,
    calling: bytes = b"MODALITY",
    called: bytes = b"PACSNODE",
    version: int = 1,
    application: bytes = APPLICATION_CONTEXT,
    user_information: bytes = USER_INFORMATION,
    more: bytes = b"",
) -> bytes:
    """Return the body of an A-ASSOCIATE-RQ; `more` stands after its last item."""
    items = item(0x10, application) + b"".join(context_item(*context) for context in contexts)
    items += item(0x50, user_information) + more
    return struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32) + items


def command(elements: dict[int, bytes]) -> bytes:
    """Return a command set of these elements of group 0000, with its length."""
    body = b"".join(
        struct.pack("<HHL", 0, number, len(elements[number])) + elements[number] for number in sorted(elements)
    )
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def store_request(sop_instance_uid: bytes | None, sop_class_uid: str = CT, **changes: bytes | None) -> bytes:
    """Return a C-STORE-RQ; a change such as ``e0110`` replaces that element, None takes it out."""
    elements: dict[int, bytes | None] = {
        0x0002: _even(sop_class_uid.encode()),
        0x0100: b"\1\0",
        0x0110: b"\5\0",
        0x0700: b"\0\0",
        0x0800: b"\1\0",
        0x1000: None if sop_instance_uid is None else _even(sop_instance_uid),
    }
    elements |= {int(name[1:], 16): value for name, value in changes.items()}
    return command({number: value for number, value in elements.items() if value is not None})


ECHO_REQUEST = command({0x0002: VERIFICATION.encode() + b"\0", 0x0100: b"\x30\0", 0x0110: b"\6\0", 0x0800: b"\1\1"})


def _even(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came instead of an association, or with it: the type of the PDU and its body."""

    kind: int
    body: bytes

    @property
    def codes(self) -> tuple[int, int, int]:
        """Result, source and reason of an A-ASSOCIATE-RJ."""
        assert self.kind == ASSOCIATE_RJ, f"a PDU of type {self.kind} instead of a rejection"
        return self.body[1], self.body[2], self.body[3]

    @property
    def results(self) -> dict[int, int]:
        """The result of each presentation context of an A-ASSOCIATE-AC."""
        assert self.kind == ASSOCIATE_AC, f"a PDU of type {self.kind} instead of an acceptance"
        return {content[0]: content[2] for kind, content in self._items() if kind == 0x21}

    @property
    def maximum_pdu_bytes(self) -> int:
        """The longest P-DATA-TF that an A-ASSOCIATE-AC announces."""
        (user_information,) = (content for kind, content in self._items() if kind == 0x50)
        (maximum,) = (content for kind, content in items_in(user_information) if kind == 0x51)
        return int.from_bytes(maximum, "big")

    def _items(self) -> Iterator[tuple[int, bytes]]:
        return items_in(self.body[68:])


def items_in(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each item of an A-ASSOCIATE PDU (PS3.8 9.3.2)."""
    position = 0
    while position < len(encoded):
        end = position + 4 + int.from_bytes(encoded[position + 2 : position + 4], "big")
        yield encoded[position], encoded[position + 4 : end]
        position = end


#: An association request for CT and Verification, as it goes over the wire.
REQUEST = pdu(ASSOCIATE_RQ, associate_request())


class RawPeer:
    """One connection to a node on this machine, from an address of the loopback network."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S, (address, 0))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection, whatever stands on it."""
        self.connection.close()

    def send(self, data: bytes) -> bool:
        """Send bytes as they are; return whether the node took them all before it hung up."""
        try:
            self.connection.sendall(data)
        except ConnectionError:
            return False
        return True

    def drip(self, data: bytes, every_s: float, meanwhile: Callable[[], object] = lambda: None) -> int:
        """Send a byte at a time until all is sent or the node says anything; return how many were sent."""
        for sent, byte in enumerate(data):
            meanwhile()
            if select.select([self.connection], [], [], every_s)[0] or not self.send(bytes([byte])):
                return sent
        return len(data)

    def flood(self, data: bytes) -> None:
        """Send on and on without reading; ends with the exception that the connection ends with."""
        while True:
            self.connection.sendall(data)

    def fragment(self, control: int, data: bytes, context_id: int = 1) -> bool:
        """Send a P-DATA-TF with one fragment."""
        return self.send(pdu(P_DATA, pdv(control, data, context_id)))

    def read(self) -> Answer | None:
        """Return the next PDU, or None where the node closed."""
        try:
            header = self._exactly(6)
            return Answer(header[0], self._exactly(int.from_bytes(header[2:], "big"))) if header else None
        except ConnectionError:
            return None

    def _exactly(self, count: int) -> bytes:
        gathered = b""
        while len(gathered) < count:
            piece = self.connection.recv(count - len(gathered))
            if not piece:
                return b""
            gathered += piece
        return gathered

    def ending(self) -> str:
        """Return how the node ends the connection; what it says before that, other than A-ABORT, is an error.

        A second A-ABORT is right where more came after the first one (PS3.8 9.2.3, state 13, AA-7).
        """
        said, ending = self.read(), CLOSED
        while said is not None:
            assert said.kind == ABORT, f"a PDU of type {said.kind} instead of an end: {said.body[:80]!r}"
            said, ending = self.read(), ABORTED
        return ending

    def request(self, *contexts: Context, **parts: object) -> Answer | None:
        """Send an A-ASSOCIATE-RQ and return the answer; the parameters are those of `associate_request`."""
        self.send(pdu(ASSOCIATE_RQ, associate_request(contexts or DEFAULT_CONTEXTS, **parts)))  # type: ignore[arg-type]
        return self.read()

    def associate(self, *contexts: Context, **parts: object) -> Self:
        """Open an association and return itself."""
        answer = self.request(*contexts, **parts)
        assert answer is not None, "the node closed the connection"
        assert answer.kind == ASSOCIATE_AC, f"not accepted: PDU type {answer.kind}, {answer.body!r}"
        return self

    def response(self) -> dict[int, bytes]:
        """Return the elements of the response that comes next."""
        answer = self.read()
        assert answer is not None, "the node closed the connection"
        assert answer.kind == P_DATA, f"a PDU of type {answer.kind} instead of a response"
        elements, position = {}, 6
        while position < len(answer.body):
            _, number, length = struct.unpack_from("<HHL", answer.body, position)
            elements[number] = answer.body[position + 8 : position + 8 + length]
            position += 8 + length
        return elements

    def status(self) -> int:
        """Return the (0000,0900) Status of the response that comes next."""
        return int.from_bytes(self.response()[0x0900], "little")

    def send_dataset(self, dataset: bytes, context_id: int = 1, fragment_bytes: int = _FRAGMENT_BYTES) -> bool:
        """Send a whole dataset in fragments; return whether the node took all of it."""
        view = memoryview(dataset)
        starts = range(0, max(len(view), 1), fragment_bytes)
        return all(
            self.fragment(
                DATASET if start + fragment_bytes < len(view) else LAST_DATASET,
                view[start : start + fragment_bytes].tobytes(),
                context_id,
            )
            for start in starts
        )

    def store(self, instance: Instance, context_id: int = 1, request: bytes | None = None) -> int:
        """Send a C-STORE, of another request where one is given, and return its status."""
        chosen = request or store_request(instance.sop_instance_uid.encode(), instance.sop_class_uid)
        self.fragment(LAST_COMMAND, chosen, context_id)
        self.send_dataset(instance.dataset, context_id)
        return self.status()

    def echo(self, context_id: int = 3) -> int:
        """Send a C-ECHO and return its status."""
        self.fragment(LAST_COMMAND, ECHO_REQUEST, context_id)
        return self.status()

    def release(self) -> None:
        """Release the association and wait for the answer."""
        self.send(pdu(RELEASE_RQ, bytes(4)))
        answer = self.read()
        assert answer is not None
        assert answer.kind == RELEASE_RP, f"a PDU of type {answer.kind} instead of A-RELEASE-RP"

    def shut(self) -> None:
        """Say that nothing more will be sent, and listen on."""
        with contextlib.suppress(OSError):  # the node has hung up already
            self.connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def rejection(port: int) -> tuple[int, int, int] | None:
    """Return with which codes a request that is in order is rejected, or None where it is accepted."""
    with RawPeer(port) as peer:
        answer = peer.request()
        assert answer is not None, "the node closed the connection"
        return None if answer.kind == ASSOCIATE_AC else answer.codes
