"""A C-STORE sender that costs as little as it can: everything is encoded before the clock starts.

It speaks just enough of the DICOM upper layer (PS3.8 9.3) for one presentation context, with plain sockets, so that
the time measured is the receiver's and not the sender's. TCP_NODELAY is on.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_EXPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2.1"
_IMPLEMENTATION_CLASS = b"2.25.315064710281037210"
LARGEST_PDU = 131072
_CONTEXT_ID = 1
_COMMAND, _LAST = 1, 2  # bits of the message control header (PS3.8 Annex E.2)
_RELEASE_RQ = bytes.fromhex("05 00 00000004 00000000")


@dataclass(frozen=True, slots=True)
class Instance:
    """One object to send: its class, its UID and its dataset in Explicit VR Little Endian."""

    sop_class_uid: str
    sop_instance_uid: str
    dataset: bytes


def association_request(calling: str, called: str, sop_class_uid: str) -> bytes:
    """Return an A-ASSOCIATE-RQ for one SOP class in Explicit VR Little Endian (PS3.8 9.3.2)."""
    syntaxes = _item(0x30, sop_class_uid.encode()) + _item(0x40, _EXPLICIT_LITTLE_ENDIAN)
    context = bytes([_CONTEXT_ID, 0, 0, 0]) + syntaxes
    user = _item(0x51, struct.pack(">L", LARGEST_PDU)) + _item(0x52, _IMPLEMENTATION_CLASS)
    items = _item(0x10, _APPLICATION_CONTEXT) + _item(0x20, context) + _item(0x50, user)
    titles = called.encode().ljust(16) + calling.encode().ljust(16)
    body = struct.pack(">HH", 1, 0) + titles + bytes(32) + items
    return struct.pack(">BBL", 1, 0, len(body)) + body


def store_request(instance: Instance, message_id: int, largest_pdu: int) -> bytes:
    """Return all PDUs of one C-STORE request, command and dataset (PS3.7 9.3.1, PS3.8 9.3.5)."""
    command = _store_command(instance, message_id)
    data = memoryview(instance.dataset)
    step = largest_pdu - 6
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    flags = [0] * (len(pieces) - 1) + [_LAST]
    pdus = [_data_pdu(_COMMAND | _LAST, command), *map(_data_pdu, flags, pieces)]
    return b"".join(pdus)


class Association:
    """One accepted association, on which pre-encoded requests are sent and answers counted.

    Raises
    ------
    ConnectionError
        When the receiver rejects the association or the presentation context, or answers anything but Success.
    """

    def __init__(self, port: int, calling: str, called: str, sop_class_uid: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        try:
            self._socket.sendall(association_request(calling, called, sop_class_uid))
            self.largest_pdu = self._accepted()
        except BaseException:
            self.close()
            raise

    def store(self, request: bytes) -> None:
        """Send one encoded request and wait until it is answered with 0x0000."""
        self._socket.sendall(request)
        kind, body = self._pdu()
        status = _status(body[6:]) if kind == 4 else None
        if status != 0:
            raise ConnectionError(f"PDU type {kind}, status {status}, and not Success")

    def release(self) -> None:
        """Release the association and close the connection."""
        self._socket.sendall(_RELEASE_RQ)
        self._pdu()
        self.close()

    def close(self) -> None:
        """Close the connection as it is."""
        self._stream.close()
        self._socket.close()

    def _accepted(self) -> int:
        kind, body = self._pdu()
        if kind != 2:
            raise ConnectionError(f"association not accepted: PDU type {kind}, {body.hex()}")
        items = dict(_items(body[68:]))
        if items[0x21][2] != 0:
            raise ConnectionError(f"presentation context not accepted: result {items[0x21][2]}")
        (largest,) = struct.unpack(">L", dict(_items(items[0x50]))[0x51])
        return min(largest or LARGEST_PDU, LARGEST_PDU)

    def _pdu(self) -> tuple[int, bytes]:
        head = self._stream.read(6)
        if len(head) < 6:
            raise ConnectionError("the receiver closed the connection")
        kind, _, length = struct.unpack(">BBL", head)
        return kind, self._stream.read(length)


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        kind, _, length = struct.unpack_from(">BBH", data)
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def _data_pdu(control: int, piece: bytes | memoryview) -> bytes:
    head = struct.pack(">BBLLBB", 4, 0, len(piece) + 6, len(piece) + 2, _CONTEXT_ID, control)
    return head + piece


def _store_command(instance: Instance, message_id: int) -> bytes:
    """Return a C-STORE-RQ command set, in Implicit VR Little Endian (PS3.7 Table 9.3-1)."""
    elements = b"".join(
        (
            _element(0x0002, _even(instance.sop_class_uid)),
            _element(0x0100, struct.pack("<H", 0x0001)),
            _element(0x0110, struct.pack("<H", message_id)),
            _element(0x0700, struct.pack("<H", 0)),
            _element(0x0800, struct.pack("<H", 0x0001)),
            _element(0x1000, _even(instance.sop_instance_uid)),
        )
    )
    return _element(0x0000, struct.pack("<L", len(elements))) + elements


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, number, len(value)) + value


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def _status(command: bytes) -> int | None:
    """Return the (0000,0900) Status of a response's command set."""
    at = 0
    while at + 8 <= len(command):
        _, number, length = struct.unpack_from("<HHL", command, at)
        if number == 0x0900:
            return int(struct.unpack_from("<H", command, at + 8)[0])
        at += 8 + length
    return None
