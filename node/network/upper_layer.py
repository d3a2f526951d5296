"""The requestor's side of an association: PDUs on a blocking socket, each with its deadline.

One thread, no polling, and every failure told apart as it happens, where the library only logs it and makes up to four
1 ms pauses an answer. It knows no SOP class and no DIMSE message.

References
----------
DICOM PS3.8 9.3 (PDU structure), Annex E (message control header).
"""

import contextlib
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from node.network import pdu
from node.network.associate import Acceptance, MalformedAnswer, Role, decode_acceptance, encode_request
from node.network.connection import (
    MAXIMUM_PDU_BYTES,
    PDU_CAP_BYTES,
    acknowledge_at_once,
    begin_to_connect,
    send_at_once,
    until_connected,
)
from node.network.peer import AssociationLost, Deadline, PeerAddress, PeerUnreachable, Rejected, Timeouts
from node.network.presentation import Syntaxes

T = TypeVar("T")

_PDV_HEADER_BYTES = pdu.FRAGMENT.size
_DROP_UNSENT = struct.pack("ii", 1, 0)  # struct linger: on, for no time
#: Far above any command set (PS3.7 E.1); a peer that sends more is not speaking DICOM.
_MAXIMUM_COMMAND_BYTES = 64 << 10
_GLANCE_S = 1.0  # what waits for a peer looks up so often to see whether it is to go on


class Requestor:
    """An established association of this node as requestor.

    Parameters
    ----------
    peer, calling_ae_title
        Who is asked, and by whom.
    proposals
        At most 128 contexts; each gets its own, so that the answer is about that pair alone.
    timeouts
        How long each step may take.
    roles
        Which roles to propose, by SOP class; SCU where it says nothing.
    watch
        As of `watch`, from the first packet on.

    Raises
    ------
    PeerUnreachable
        When there is no connection or no association; one sentence says why.
    """

    def __init__(
        self,
        peer: PeerAddress,
        calling_ae_title: str,
        proposals: Sequence[Syntaxes],
        timeouts: Timeouts,
        roles: Mapping[str, Role] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self._peer, self.timeouts = peer, timeouts
        self.watch(watch)
        self._connect()
        self._come: deque[tuple[int, int, bytes]] = deque()
        try:
            self._negotiate(calling_ae_title, proposals, roles or {})
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> None:
        peer = self._peer
        try:
            self._connect_to_any()
        except ConnectionRefusedError as error:
            raise PeerUnreachable(f"{peer} refused the connection: nothing listens on that port") from error
        except TimeoutError as error:
            within_s = self.timeouts.connect_s
            raise PeerUnreachable(f"{peer} did not take the connection within {within_s:g} s") from error
        except socket.gaierror as error:
            raise PeerUnreachable(f"{peer} has a host name that cannot be resolved") from error
        except OSError as error:
            raise PeerUnreachable(f"{peer} cannot be reached ({error.strerror or error})") from error

    def _connect_to_any(self) -> None:
        """Connect to the first of the peer's addresses that takes a connection, or raise what the last one did."""
        failure: OSError = OSError("its name has no address")
        places = socket.getaddrinfo(self._peer.host, self._peer.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in places:
            try:
                self._connect_to(socket.socket(family, kind, protocol), address)
            except OSError as error:
                failure = error
            else:
                return
        raise failure

    def _connect_to(self, connection: socket.socket, address: Any) -> None:
        self._connection = connection
        try:
            begin_to_connect(connection, address)
            self._patiently(partial(until_connected, connection), time.monotonic() + self.timeouts.connect_s)
            send_at_once(connection)
        except BaseException:
            connection.close()
            raise

    def _negotiate(self, calling_ae_title: str, proposals: Sequence[Syntaxes], roles: Mapping[str, Role]) -> None:
        self._send(encode_request(self._peer.ae_title, calling_ae_title, proposals, roles))
        kind, body = self._read_pdu(Deadline.within(self.timeouts.association_s))
        if kind == pdu.ASSOCIATE_RJ and len(body) >= 4:
            raise Rejected(self._peer, calling_ae_title, (body[1], body[2], body[3]))
        if kind != pdu.ASSOCIATE_AC:
            raise PeerUnreachable(f"{self._peer} {_ending(kind)} instead of accepting it")
        try:
            self._take(decode_acceptance(body), proposals)
        except MalformedAnswer as error:
            raise PeerUnreachable(f"{self._peer} accepted in a form that cannot be read: {error}") from error

    def _take(self, acceptance: Acceptance, proposals: Sequence[Syntaxes]) -> None:
        context_ids = {syntaxes: 2 * index + 1 for index, syntaxes in enumerate(proposals)}
        self.accepted = {key: value for key, value in context_ids.items() if value in acceptance.context_ids}
        self.roles = acceptance.roles  #: those that the peer answered, by SOP class
        # PS3.8 D.1: 0 means that the peer sets no limit.
        longest = min(acceptance.maximum_pdu_bytes or MAXIMUM_PDU_BYTES, MAXIMUM_PDU_BYTES)
        self._maximum_bytes = longest
        if longest <= _PDV_HEADER_BYTES:
            raise PeerUnreachable(f"{self._peer} takes only PDUs that are too short to hold anything")

    def send_message(self, context_id: int, command: bytes, dataset: bytes | None = None) -> None:
        """Send a command set, and the dataset's bytes as they are, in PDUs no longer than the peer takes.

        Raises
        ------
        PeerUnreachable
            When the connection breaks or stands still.
        """
        # The command and the head of the dataset leave in one write, so that a small message is one packet.
        head = b"".join(pdu.data_pdus(context_id, command, pdu.IS_COMMAND, self._maximum_bytes))
        for piece in pdu.data_pdus(context_id, dataset, 0, self._maximum_bytes) if dataset is not None else ():
            self._send(head + piece)
            head = b""
        if head:
            self._send(head)

    def receive_command(self) -> bytes:
        """Return the next whole command set that the peer sends.

        Raises
        ------
        PeerUnreachable
            When the peer aborts, releases, breaks the connection, does not send it whole in time, or sends what is
            longer than any.
        """
        gathered, until = bytearray(), Deadline.within(self.timeouts.answer_s)
        while True:
            _, control, data = self.receive_fragment(until)
            if control & pdu.IS_COMMAND:
                gathered += data
                if len(gathered) > _MAXIMUM_COMMAND_BYTES:
                    raise PeerUnreachable(f"{self._peer} sent a command set that is longer than any")
                if control & pdu.IS_LAST:
                    return bytes(gathered)

    def receive_fragment(self, until: Deadline) -> tuple[int, int, bytes]:
        """Return context ID, control header and content of the next fragment that the peer sends (PS3.8 E.2).

        The deadline is that of the message, so that fragments which come one by one do not prolong it.

        Raises
        ------
        PeerUnreachable
            As `receive_command`.
        """
        while not self._come:
            kind, body = self._read_pdu(until)
            if kind != pdu.DATA:
                if kind == pdu.RELEASE_RQ:  # it may end the association when it likes (PS3.8 7.2)
                    self._send(pdu.RELEASE_RP_PDU)
                self._connection.close()
                raise AssociationLost(f"{self._peer} {_ending(kind)} before it answered")
            self._come.extend(self._fragments(body))
        return self._come.popleft()

    def has_come(self, timeout_s: float) -> bool:
        """Wait so long for something to be read, and return whether it is there; an end of the connection counts."""
        if self._come:
            return True
        poller = select.poll()
        poller.register(self._connection, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))

    def _fragments(self, body: bytes) -> Iterator[tuple[int, int, bytes]]:
        position = 0
        while position < len(body):
            length = int.from_bytes(body[position : position + 4], "big")
            end = position + 4 + length
            if length < 2 or end > len(body):
                raise PeerUnreachable(f"{self._peer} sent a fragment that overruns its PDU")
            yield body[position + 4], body[position + 5], body[position + 6 : end]
            position = end

    def watch(self, watch: Callable[[], None] | None) -> None:
        """Call this every second or so while the peer is waited for; where it raises, the waiting ends with that."""
        self._watch, self._glanced = watch, time.monotonic()

    def release(self) -> None:
        """End the association in order and close; a peer that is gone already is no error (PS3.8 7.2)."""
        with contextlib.suppress(PeerUnreachable):
            self._send(pdu.RELEASE_RQ_PDU)
            kind, _ = self._read_pdu(Deadline.within(self.timeouts.association_s))
            if kind == pdu.RELEASE_RQ:  # PS3.8 7.2.2.7: both sides asked at once
                self._send(pdu.RELEASE_RP_PDU)
        self._connection.close()

    def abort(self, *, at_once: bool = False) -> None:
        """Abort the association and close, waiting no longer than a second for the peer to take that.

        With `at_once`, what the peer has not taken yet is not sent any more.
        """
        self.watch(None)
        with contextlib.suppress(OSError):
            if at_once:
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_UNSENT)
            self._connection.settimeout(_GLANCE_S)
            self._connection.sendall(pdu.ABORT_BY_USER)
        self._connection.close()

    def _send(self, encoded: bytes) -> None:
        deadline, rest = time.monotonic() + self.timeouts.answer_s, memoryview(encoded)
        try:
            while rest:
                sent = self._patiently(partial(self._connection.send, rest), deadline)
                rest = rest[sent:]
        except TimeoutError as error:
            raise PeerUnreachable(f"{self._peer} took nothing for {self.timeouts.answer_s:g} s") from error
        except OSError as error:
            raise AssociationLost(f"{self._peer} dropped the connection ({error.strerror or error})") from error

    def _patiently(self, step: Callable[[], T], deadline: float) -> T:
        """Do what may block until it is done, raising TimeoutError after the deadline, and look up now and then."""
        while True:
            now = time.monotonic()
            if self._watch is not None and now - self._glanced >= _GLANCE_S:
                self._glanced = now
                self._watch()
            self._connection.settimeout(min(max(deadline - now, 0.001), _GLANCE_S))
            try:
                return step()
            except TimeoutError:
                if time.monotonic() >= deadline:
                    raise

    def _read_pdu(self, until: Deadline) -> tuple[int, bytes]:
        try:
            kind, length = pdu.HEADER.unpack(self._read(pdu.HEADER.size, until))
            if length > PDU_CAP_BYTES:
                raise PeerUnreachable(f"{self._peer} sent a PDU of {length} bytes, which is no DICOM answer")
            return kind, self._read(length, until)
        except TimeoutError as error:
            raise PeerUnreachable(f"{self._peer} did not answer within {until.within_s:g} s") from error
        except OSError as error:
            raise AssociationLost(f"{self._peer} dropped the connection ({error.strerror or error})") from error

    def _read(self, count: int, until: Deadline) -> bytes:
        gathered = bytearray()
        while len(gathered) < count:
            if until.is_over:  # however much comes
                raise TimeoutError
            acknowledge_at_once(self._connection)
            received = self._patiently(partial(self._connection.recv, count - len(gathered)), until.at)
            if not received:
                raise AssociationLost(f"{self._peer} closed the connection before it answered")
            gathered += received
        return bytes(gathered)


def _ending(kind: int) -> str:
    return {pdu.ABORT: "aborted the association", pdu.RELEASE_RQ: "released the association"}.get(
        kind, f"sent a PDU of type 0x{kind:02X}"
    )
