"""PDUs, fragments and command sets as bytes, for valid and for broken ones alike: nothing here checks anything.

References
----------
DICOM PS3.8 9.3 (PDU structure), Annex E.2 (message control header), PS3.7 6.3.1 (command set structure).
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
COMMAND, LAST = 1, 2
APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
IMPLEMENTATION_CLASS = b"2.25.315064710281037210"

STATUS, FIELD, SOP_INSTANCE_UID = 0x0900, 0x0100, 0x1000
STORE_RQ, STORE_RSP, ECHO_RQ = 0x0001, 0x8001, 0x0030


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return a PDU that claims to be as long as it is, or as it is told."""
    return struct.pack(">BBL", kind, 0, len(body) if length is None else length) + body


def item(kind: int, content: bytes, length: int | None = None) -> bytes:
    """Return an item of an A-ASSOCIATE PDU."""
    return struct.pack(">BBH", kind, 0, len(content) if length is None else length) + content


def fragment(context_id: int, control: int, data: bytes, length: int | None = None) -> bytes:
    """Return a presentation data value."""
    return struct.pack(">LBB", len(data) + 2 if length is None else length, context_id, control) + data


def element(number: int, value: bytes, length: int | None = None) -> bytes:
    """Return an element of a command set."""
    return struct.pack("<HHL", 0, number, len(value) if length is None else length) + value


def command(elements: Mapping[int, bytes]) -> bytes:
    """Return a command set with its group length."""
    body = b"".join(element(number, value) for number, value in elements.items())
    return element(0, struct.pack("<L", len(body))) + body


def store_command(sop_class_uid: str, sop_instance_uid: str, message_id: int) -> dict[int, bytes]:
    """Return the elements of a C-STORE-RQ."""
    return {
        0x0002: even(sop_class_uid.encode()),
        FIELD: struct.pack("<H", STORE_RQ),
        0x0110: struct.pack("<H", message_id),
        0x0700: b"\0\0",
        0x0800: b"\1\0",
        SOP_INSTANCE_UID: even(sop_instance_uid.encode()),
    }


def echo_command(message_id: int) -> dict[int, bytes]:
    """Return the elements of a C-ECHO-RQ."""
    return {
        0x0002: even(b"1.2.840.10008.1.1"),
        FIELD: struct.pack("<H", ECHO_RQ),
        0x0110: struct.pack("<H", message_id),
        0x0800: b"\1\1",
    }


def even(value: bytes) -> bytes:
    """Return a UID padded to an even length."""
    return value + b"\0" * (len(value) % 2)


def context(context_id: int, abstract: bytes, transfer: Sequence[bytes]) -> bytes:
    """Return a proposed presentation context."""
    syntaxes = item(0x30, abstract) + b"".join(item(0x40, it) for it in transfer)
    return item(0x20, bytes([context_id, 0, 0, 0]) + syntaxes)


def request(called: bytes, calling: bytes, items: Sequence[bytes], version: int = 1) -> bytes:
    """Return an A-ASSOCIATE-RQ with these items."""
    body = struct.pack(">HH", version, 0) + called.ljust(16)[:16] + calling.ljust(16)[:16] + bytes(32)
    return pdu(ASSOCIATE_RQ, body + b"".join(items))


def user_information(longest_pdu: int, extra: bytes = b"") -> bytes:
    """Return the user information item of a request."""
    return item(0x50, item(0x51, struct.pack(">L", longest_pdu)) + item(0x52, IMPLEMENTATION_CLASS) + extra)


RELEASE = pdu(RELEASE_RQ, bytes(4))


@dataclass(frozen=True, slots=True)
class Message:
    """A command set with its dataset, as they stand in a stream of PDUs."""

    context_id: int
    command: Mapping[int, bytes]
    dataset: bytes

    def number(self, element_number: int) -> int | None:
        """Return a 16-bit value, or None where there is none."""
        value = self.command.get(element_number, b"")
        return int.from_bytes(value, "little") if len(value) == 2 else None

    @property
    def sop_instance_uid(self) -> str:
        """Affected SOP Instance UID, without padding."""
        return self.command.get(SOP_INSTANCE_UID, b"").decode("latin-1").strip("\0 ")


def pdus(stream: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Yield type and body of each PDU, and whether it is whole."""
    at = 0
    while at + 6 <= len(stream):
        kind, length = stream[at], int.from_bytes(stream[at + 2 : at + 6], "big")
        yield kind, stream[at + 6 : at + 6 + length], at + 6 + length <= len(stream)
        at += 6 + length


def messages(stream: bytes) -> list[Message]:
    """Return the messages that are whole in a stream, up to where it is no longer one of P-DATA-TF PDUs."""
    found: list[Message] = []
    control, gathered, elements_of = 0, bytearray(), None
    for context_id, control, data in _fragments(stream):
        gathered += data
        if not control & LAST:
            continue
        if control & COMMAND:
            elements_of = dict(elements(bytes(gathered)))
            if elements_of.get(0x0800) == b"\1\1":
                found.append(Message(context_id, elements_of, b""))
        elif elements_of is not None:
            found.append(Message(context_id, elements_of, bytes(gathered)))
            elements_of = None
        gathered.clear()
    return found


def _fragments(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    for kind, body, whole in pdus(stream):
        at = 0
        while kind == DATA and at + 6 <= len(body):
            length = int.from_bytes(body[at : at + 4], "big")
            if length < 2 or at + 4 + length > len(body):
                return
            yield body[at + 4], body[at + 5], body[at + 6 : at + 4 + length]
            at += 4 + length
        if kind != DATA or not whole:
            return


def elements(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and value of each element of a command set."""
    at = 0
    while at + 8 <= len(encoded):
        _, number, length = struct.unpack_from("<HHL", encoded, at)
        yield number, encoded[at + 8 : at + 8 + length]
        at += 8 + length
