"""The fallback reader: pynetdicom's own, and the guards around it, each with its reason.

What it leaves open as it comes is closed from outside: PDUs without limit of length or time, a state machine that
raises on its thread, datasets gathered whole in memory. It stays slow by its nature, and its C-ECHOs wait for a poll.
Everything here rests on how one version of the library behaves; tests hold it to the version that was read.

References
----------
DICOM PS3.8 9.2 (states), 9.3.1 (lengths), PS3.7 6.3 (messages).
"""

import select
import time
from typing import Any

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

from node.network.association import GuardedAssociation, Host
from node.network.connection import MAXIMUM_PDU_BYTES, acknowledge_at_once, cut
from node.network.library_messages import LIBRARY_ERRORS, decoded
from node.network.lobby import Visitor
from node.network.pdu import HEADER, TYPES, BrokenProtocol
from node.network.stream import check_header
from node.telemetry import logger, place_of

#: PS3.8 9.2.1: the association is over, and the connection waits to be closed.
_CLOSING = "Sta13"
_DISCARD_BYTES = 1 << 16

#: Requests that wait for the library while one is served. A peer may have one open (PS3.7 D.3.3.3: no window is
#: negotiated); one that sends on without waiting would fill the memory.
_MAXIMUM_WAITING = 8

#: PS3.8 Annex F: events of the state machine: the connection is closed; an invalid PDU, which aborts.
_CLOSED, _INVALID_PDU = "Evt17", "Evt19"

_log = logger("network.guards")


class GuardedSocket(AssociationSocket):
    """The library's socket, with a check of each PDU's header, a cap on its length and a deadline to its end.

    The library reads 4 KB at a time with no limit of length or time, so that one byte and then silence holds two
    threads for ever (PS3.8 9.1.5 leaves the time-out to the node); and it waits with `select`, which fails above 1024
    descriptors.

    Parameters
    ----------
    association
        The association that reads from it.
    request
        The A-ASSOCIATE-RQ: it has come already, and is read from here first.
    """

    def __init__(self, association: "LibraryAssociation", request: bytes) -> None:
        super().__init__(association, client_socket=association.connection)
        self._association, self._connection = association, association.connection
        self._deadline_s = association.host.pdu_timeout_s
        self._connection.settimeout(self._deadline_s)
        self._request = memoryview(request)
        self._deadline = 0.0
        self._is_body_next = False

    @property
    def ready(self) -> bool:
        """Whether something can be read, without waiting."""
        if self._request:
            return True
        if self.socket is None or self.socket.fileno() < 0:
            return False
        poller = select.poll()
        poller.register(self.socket, select.POLLIN)
        return bool(poller.poll(0))

    def recv(self, nr_bytes: int) -> bytearray:
        """Return the next `nr_bytes` bytes, fewer where the peer closed the connection.

        Raises
        ------
        OSError
            When the PDU may not come here, is longer than it may be, or has not come within its deadline: the peer is
            told, and the library then closes.
        """
        if self._request:
            taken, self._request = self._request[:nr_bytes], self._request[nr_bytes:]
            return bytearray(taken)
        if self._association.dul.state_machine.current_state == _CLOSING:
            return self._discard()
        try:
            return self._next(nr_bytes)
        except TimeoutError:
            self._break_off(BrokenProtocol("a PDU did not come whole in time"))
            raise
        except BrokenProtocol as broken:
            self._break_off(broken)
            raise OSError(str(broken)) from broken

    def _next(self, nr_bytes: int) -> bytearray:
        """Read what the library asks for: the header of a PDU and the rest of it, in turn."""
        is_header, self._is_body_next = not self._is_body_next, False
        if is_header:
            self._deadline = time.monotonic() + self._deadline_s
        received = bytearray(nr_bytes)
        count = self._fill(memoryview(received))
        if is_header and count == HEADER.size:
            kind, length = HEADER.unpack(received)
            is_within_message = self._association.assembly.is_within_message
            check_header(kind, length, MAXIMUM_PDU_BYTES, is_within_message=is_within_message)
            self._is_body_next = kind in TYPES
        return received if count == nr_bytes else received[:count]

    def _fill(self, view: memoryview) -> int:
        filled = 0
        while filled < len(view):
            acknowledge_at_once(self._connection)
            self._connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
            count = self._connection.recv_into(view[filled:])
            if not count:
                break
            filled += count
        self._connection.settimeout(self._deadline_s)
        return filled

    def _break_off(self, broken: BrokenProtocol) -> None:
        self._association.end_for(broken)
        self._association.end_at_once(self._association.farewell)

    def _discard(self) -> bytearray:
        """Throw away what lies there after the end: the library would wait for it to become a whole PDU."""
        self._connection.recv(_DISCARD_BYTES)
        return bytearray()


class GuardedUpperLayer(DULServiceProvider):
    """The library's upper layer thread, whose end is the end of its connection and of the message on its way.

    Whatever it raises kills it, with its connection open and a traceback on stderr.
    """

    def __init__(self, association: "LibraryAssociation") -> None:
        super().__init__(association)
        self._association = association
        # The library's is none: one stalled peer would keep the process from ending.
        self.daemon = True

    def run_reactor(self) -> None:
        """Run until the association is over, then close what is left."""
        try:
            super().run_reactor()
        except (InvalidEventError, OSError, *LIBRARY_ERRORS) as error:
            _log.warning("upper layer ended", error=type(error).__qualname__, place=place_of(error))
        finally:
            cut(self._association.connection)
            self._association.assembly.abandon()


class MessageProvider(DIMSEServiceProvider):
    """Stands in for the library's DIMSE provider where fragments come in.

    The library's gathers datasets of any length in memory and copies them three times, aborts at a UID over 64
    characters, never answers a C-STORE-RQ without UIDs, and raises on the upper layer thread at a stray C-CANCEL-RQ or
    an unknown command (PS3.7 9.1.1.1.4, 9.3.2.3, C.5.22).

    Parameters
    ----------
    association
        The association that it serves.
    """

    def __init__(self, association: "LibraryAssociation") -> None:
        super().__init__(association)
        self._association = association
        self._is_broken = False

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one P-DATA-TF; called on the library's upper layer thread."""
        if self._is_broken:
            return
        try:
            self._take(primitive)
        except BrokenProtocol as broken:
            self._is_broken = True
            self._association.end_for(broken)
            self.dul.event_queue.put(_INVALID_PDU)
        except OSError:
            self._is_broken = True
            self.dul.event_queue.put(_CLOSED)

    def _take(self, primitive: P_DATA) -> None:
        assembly = self._association.assembly
        for context_id, fragment in primitive.presentation_data_value_list:
            if not fragment:
                raise BrokenProtocol("a fragment is shorter than its header")
            assembly.begin_fragment(context_id, fragment[0])
            assembly.take(memoryview(fragment)[1:])
            assembly.end_fragment()
        assembly.hand_on()


class LibraryAssociation(GuardedAssociation):
    """An association whose bytes the library moves, with its two threads.

    Parameters
    ----------
    host
        What all associations share.
    visitor
        Who has come.
    """

    def __init__(self, host: Host, visitor: Visitor) -> None:
        super().__init__(host, visitor)
        self.dimse: Any = MessageProvider(self)
        self.dul: Any = GuardedUpperLayer(self)
        # The library sets these on the upper layer that it made itself.
        self.acse_timeout, self.network_timeout = host.entity.acse_timeout, host.entity.network_timeout

    def _introduce(self) -> None:
        super()._introduce()
        self.farewell = b""  # from here on the library has the last word
        self.set_socket(GuardedSocket(self, self.asked.encoded()))

    def hand_to_library(self, context_id: int, command: bytes, dataset: bytes) -> None:
        """Have the library serve a message; its own loop takes it up."""
        if self.dimse.msg_queue.qsize() >= _MAXIMUM_WAITING:
            raise BrokenProtocol("more requests are open than were negotiated")
        self.dimse.msg_queue.put((context_id, decoded(context_id, command, dataset)))
