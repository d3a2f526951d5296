"""The fast reader: one thread an association, that reads, serves and answers, with nothing between it and the socket.

The library moves bytes with two threads an association, two queues, a state machine that is polled each millisecond,
reads of 4 KB and half a dozen copies of every byte. Here the upper layer is a synchronous object: what the library's
association wants to send is sent when it says so, and once the association is established this file's loop reads into
one buffer, in which `stream` parses. The library still negotiates, and serves what is not a C-STORE.

References
----------
DICOM PS3.8 7 and 9.2 (the upper layer service and its states).
"""

import socket
import time
from typing import Any

from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, P_DATA
from pynetdicom.timer import Timer

from node.network.association import GuardedAssociation, Host
from node.network.connection import MAXIMUM_PDU_BYTES, limit_reads, limit_writes
from node.network.library_messages import LIBRARY_ERRORS, decoded
from node.network.lobby import Visitor
from node.network.pdu import RELEASE_RP_PDU, BrokenProtocol
from node.network.stream import Aborted, Released, Stream
from node.telemetry import logger

#: Two of the longest PDUs: fewer and larger writes to the file gain nothing beyond it, and 50 associations stay small.
BUFFER_BYTES = 256 * 1024

#: A read is given up after this part of its shortest deadline, and begun again, so that no clock is set for each.
_PART_OF_DEADLINE = 4

_ENCODERS = {A_ASSOCIATE: A_ASSOCIATE_AC, A_ABORT: A_ABORT_RQ, P_DATA: P_DATA_TF}

_log = logger("network.fast")


class Left(Exception):  # noqa: N818 - a way to end, not an error
    """The peer has closed the connection."""


class Stalled(Exception):  # noqa: N818 - a way to end, not an error
    """A PDU, or the next one, did not come in time."""


class SynchronousUpperLayer:
    """Stands in for the library's upper layer thread: primitives are encoded and sent by whoever hands them over.

    It has what the library's association, ACSE and DIMSE provider use of a `DULServiceProvider` on an acceptor.

    Parameters
    ----------
    association
        The association whose upper layer it is.
    """

    def __init__(self, association: "FastAssociation") -> None:
        self._association = association
        self.socket = None  # the library looks whether there is one to close; here the association closes it
        self.artim_timer, self._idle_timer = Timer(None), Timer(None)  # the library sets them; nobody looks at them

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> A_ASSOCIATE:  # noqa: ARG002, FBT001, FBT002 - the library's
        """Return the A-ASSOCIATE indication: it has come before the association began."""
        request = A_ASSOCIATE_RQ()
        try:
            request.decode(self._association.asked.encoded())
            return request.to_primitive()
        except LIBRARY_ERRORS as error:
            raise BrokenProtocol(f"an A-ASSOCIATE-RQ that cannot be decoded ({type(error).__name__})") from None

    def send_pdu(self, primitive: Any) -> None:
        """Encode a primitive and send it."""
        self._association.send(_ENCODERS[type(primitive)](primitive).encode())

    def peek_next_pdu(self) -> None:
        """Return nothing: what ends the association is found where it is read."""

    def is_alive(self) -> bool:
        """Return that there is no thread to wait for."""
        return False


class FastAssociation(GuardedAssociation):
    """An association that reads, serves and answers on its one thread.

    Parameters
    ----------
    host
        What all associations share.
    visitor
        Who has come.
    """

    def __init__(self, host: Host, visitor: Visitor) -> None:
        super().__init__(host, visitor)
        self.dul: Any = SynchronousUpperLayer(self)
        self._started_dul = True  # there is none to start

    def _run_reactor(self) -> None:
        """Serve what comes until the association ends; the library calls this once it is established."""
        limit_writes(self.connection, self.host.pdu_timeout_s)
        try:
            self._read()
        except Released:
            self.farewell, self.is_released = RELEASE_RP_PDU, True
        except (Left, Aborted):
            self.farewell = b""
        except Stalled as stalled:
            _log.warning("association aborted", reason=str(stalled), address=self.visitor.address[0])
        finally:
            self.is_established = False
            self.assembly.abandon()

    def _read(self) -> None:
        """Read into one buffer, parse there, and keep the few bytes of a header that is cut short for the next time."""
        stream = Stream(self.assembly, MAXIMUM_PDU_BYTES)
        deadline = _Deadline(self.connection, self.host.pdu_timeout_s, self.host.idle_timeout_s)
        buffer = bytearray(BUFFER_BYTES)
        view, held = memoryview(buffer), 0
        while True:
            ready = held + deadline.read_into(view[held:])
            parsed = stream.feed(view[:ready])
            held = ready - parsed
            if held and parsed:
                buffer[:held] = buffer[parsed:ready]
            is_within = stream.is_within_pdu
            deadline.set(stream.pdus + (held > 0 and not is_within), is_within_pdu=held > 0 or is_within)

    def hand_to_library(self, context_id: int, command: bytes, dataset: bytes) -> None:
        """Have the library serve a message, here and now."""
        self._serve_request(decoded(context_id, command, dataset), context_id)
        if not self.is_established:
            raise Aborted


class _Deadline:
    """Reads with a deadline that no drip of bytes moves: a PDU's from its first byte, or the idle time between two.

    PS3.8 9.1.5 leaves the time-outs after the association's to the node. What the node itself takes to serve what has
    come does not count.
    """

    def __init__(self, connection: socket.socket, pdu_timeout_s: float, idle_timeout_s: float) -> None:
        self._connection, self._pdu_timeout_s, self._idle_timeout_s = connection, pdu_timeout_s, idle_timeout_s
        self._usual_s = min(pdu_timeout_s, idle_timeout_s) / _PART_OF_DEADLINE
        self._limit_s = 0.0
        self._pdus = 0
        self._read_at = time.monotonic()
        self._left_s = idle_timeout_s  # at `_read_at`

    def read_into(self, view: memoryview) -> int:
        """Return how many bytes came, at least one; raise `Left` or `Stalled` where none did."""
        while True:
            self._limit(min(self._usual_s, self._left_s))
            try:
                count = self._connection.recv_into(view)
            except BlockingIOError:
                count = -1
            now = time.monotonic()
            self._left_s -= now - self._read_at
            self._read_at = now
            if count == 0:
                raise Left
            if count > 0:
                return count
            if self._left_s <= 0:
                raise Stalled("nothing came in time")

    def _limit(self, seconds: float) -> None:
        if seconds != self._limit_s:
            limit_reads(self._connection, seconds)
            self._limit_s = seconds

    def set(self, pdus: int, *, is_within_pdu: bool) -> None:
        """Take what the bytes were: how many PDUs have begun so far, if only with a byte, and whether one is open."""
        self._read_at = time.monotonic()
        if not is_within_pdu:
            self._left_s = self._idle_timeout_s
        elif pdus != self._pdus:
            self._left_s = self._pdu_timeout_s
        elif self._left_s <= 0:
            raise Stalled("a PDU did not come whole in time")
        self._pdus = pdus
