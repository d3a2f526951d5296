"""A C-STORE sender that costs as little as it can: everything is encoded before the clock starts.

It speaks just enough of the DICOM upper layer (PS3.8 9.3) for one presentation context, with plain sockets, so that
the time measured is the receiver's and not the sender's. TCP_NODELAY is on.
"""

import itertools
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.sending import wire

_EXPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2.1"
LARGEST_PDU = 131072
_CONTEXT_ID = 1
_SUCCESS = 0x0000


@dataclass(frozen=True, slots=True)
class Instance:
    """One object to send: its class, its UID and its dataset in Explicit VR Little Endian."""

    sop_class_uid: str
    sop_instance_uid: str
    dataset: bytes


def association_request(calling: str, called: str, sop_class_uid: str) -> bytes:
    """Return an A-ASSOCIATE-RQ for one SOP class in Explicit VR Little Endian (PS3.8 9.3.2)."""
    context = wire.context(_CONTEXT_ID, sop_class_uid.encode(), [_EXPLICIT_LITTLE_ENDIAN])
    items = [wire.item(0x10, wire.APPLICATION_CONTEXT), context, wire.user_information(LARGEST_PDU)]
    return wire.request(called.encode(), calling.encode(), items)


def store_request(instance: Instance, message_id: int, largest_pdu: int) -> bytes:
    """Return all PDUs of one C-STORE request, command and dataset (PS3.7 9.3.1, PS3.8 9.3.5)."""
    command = wire.command(wire.store_command(instance.sop_class_uid, instance.sop_instance_uid, message_id % 0xFFFF))
    data = memoryview(instance.dataset)
    step = largest_pdu - 6
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    flags = [0] * (len(pieces) - 1) + [wire.LAST]
    return b"".join([_data_pdu(wire.COMMAND | wire.LAST, command), *map(_data_pdu, flags, pieces)])


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
        status = _status(body[6:]) if kind == wire.DATA else None
        if status != _SUCCESS:
            raise ConnectionError(f"PDU type {kind}, status {status}, and not Success")

    def release(self) -> None:
        """Release the association and close the connection."""
        self._socket.sendall(wire.RELEASE)
        self._pdu()
        self.close()

    def close(self) -> None:
        """Close the connection as it is."""
        self._stream.close()
        self._socket.close()

    def _accepted(self) -> int:
        kind, body = self._pdu()
        if kind != wire.ASSOCIATE_AC:
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


def send(port: int, calling: str, called: str, instances: Iterable[Instance]) -> float:
    """Send instances, an association for those of one SOP class that follow each other.

    Returns
    -------
    float
        When the last was answered, in seconds since 1970; now where there is none.
    """
    answered = time.time()
    for sop_class, some in itertools.groupby(instances, lambda one: one.sop_class_uid):
        association = Association(port, calling, called, sop_class)
        for message_id, instance in enumerate(some, start=1):
            association.store(store_request(instance, message_id, association.largest_pdu))
            answered = time.time()
        association.release()
    return answered


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        kind, _, length = struct.unpack_from(">BBH", data)
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def _data_pdu(control: int, piece: bytes | memoryview) -> bytes:
    """Return a P-DATA-TF PDU of one fragment, whose bytes are copied once (PS3.8 9.3.5)."""
    head = struct.pack(">BBLLBB", wire.DATA, 0, len(piece) + 6, len(piece) + 2, _CONTEXT_ID, control)
    return head + piece


def _status(command: bytes) -> int | None:
    """Return the (0000,0900) Status of a response's command set."""
    values = (value for number, value in wire.elements(command) if number == wire.STATUS)
    return next((int.from_bytes(value, "little") for value in values), None)
