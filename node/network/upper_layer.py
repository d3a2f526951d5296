"""The requestor's side of an association: PDUs on a blocking socket, each with its deadline.

One thread, no polling, and every failure told apart as it happens, where the library only logs it and makes up to four
1 ms pauses an answer. It knows no SOP class and no DIMSE message.

References
----------
DICOM PS3.8 9.3 (PDU structure), Annex E (message control header).
"""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator, Sequence

from node.network.associate import Acceptance, MalformedAnswer, decode_acceptance, encode_request
from node.network.connection import MAXIMUM_PDU_BYTES, PDU_CAP_BYTES, acknowledge_at_once, send_at_once
from node.network.peer import PeerAddress, PeerUnreachable, Rejected, Timeouts
from node.network.presentation import Syntaxes

_ACCEPT, _REJECT, _DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
_RELEASE_RQ_PDU = struct.pack(">BxL4x", _RELEASE_RQ, 4)
_RELEASE_RP_PDU = struct.pack(">BxL4x", _RELEASE_RP, 4)
_ABORT_PDU = struct.pack(">BxL4x", _ABORT, 4)

_PDV_HEADER_BYTES = 6
_IS_COMMAND, _IS_LAST = 0x01, 0x02


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

    Raises
    ------
    PeerUnreachable
        When there is no connection or no association; one sentence says why.
    """

    def __init__(
        self, peer: PeerAddress, calling_ae_title: str, proposals: Sequence[Syntaxes], timeouts: Timeouts
    ) -> None:
        self._peer, self._timeouts = peer, timeouts
        self._connection = _connected(peer, timeouts.connect_s)
        try:
            self._negotiate(calling_ae_title, proposals)
        except BaseException:
            self._connection.close()
            raise

    def _negotiate(self, calling_ae_title: str, proposals: Sequence[Syntaxes]) -> None:
        self._send(encode_request(self._peer.ae_title, calling_ae_title, proposals))
        kind, body = self._read_pdu(self._timeouts.association_s)
        if kind == _REJECT and len(body) >= 4:
            raise Rejected(self._peer, calling_ae_title, (body[1], body[2], body[3]))
        if kind != _ACCEPT:
            raise PeerUnreachable(f"{self._peer} {_ending(kind)} instead of accepting it")
        try:
            self._take(decode_acceptance(body), proposals)
        except MalformedAnswer as error:
            raise PeerUnreachable(f"{self._peer} accepted in a form that cannot be read: {error}") from error

    def _take(self, acceptance: Acceptance, proposals: Sequence[Syntaxes]) -> None:
        context_ids = {syntaxes: 2 * index + 1 for index, syntaxes in enumerate(proposals)}
        self.accepted = {key: value for key, value in context_ids.items() if value in acceptance.context_ids}
        # PS3.8 D.1: 0 means that the peer sets no limit.
        longest = min(acceptance.maximum_pdu_bytes or MAXIMUM_PDU_BYTES, MAXIMUM_PDU_BYTES)
        self._fragment_bytes = longest - _PDV_HEADER_BYTES
        if self._fragment_bytes <= 0:
            raise PeerUnreachable(f"{self._peer} takes only PDUs that are too short to hold anything")

    def send_message(self, context_id: int, command: bytes, dataset: bytes | None = None) -> None:
        """Send a command set, and the dataset's bytes as they are, in PDUs no longer than the peer takes.

        Raises
        ------
        PeerUnreachable
            When the connection breaks or stands still.
        """
        # The command and the head of the dataset leave in one write, so that a small message is one packet.
        head = b"".join(self._data_pdus(context_id, command, _IS_COMMAND))
        for pdu in self._data_pdus(context_id, dataset or b"", 0) if dataset is not None else ():
            self._send(head + pdu)
            head = b""
        if head:
            self._send(head)

    def _data_pdus(self, context_id: int, data: bytes, kind: int) -> Iterator[bytes]:
        view, step = memoryview(data), self._fragment_bytes
        for start in range(0, max(len(view), 1), step):
            fragment = view[start : start + step]
            control = kind | (_IS_LAST if start + step >= len(view) else 0)
            length = len(fragment) + 2
            yield struct.pack(">BxLLBB", _DATA, length + 4, length, context_id, control) + fragment

    def receive_command(self) -> bytes:
        """Return the next whole command set that the peer sends.

        Raises
        ------
        PeerUnreachable
            When the peer aborts, releases, breaks the connection, or sends nothing in time.
        """
        gathered = bytearray()
        while True:
            kind, body = self._read_pdu(self._timeouts.answer_s)
            if kind != _DATA:
                self._connection.close()
                raise PeerUnreachable(f"{self._peer} {_ending(kind)} before it answered")
            for control, data in self._fragments(body):
                if control & _IS_COMMAND:
                    gathered += data
                    if control & _IS_LAST:
                        return bytes(gathered)

    def _fragments(self, body: bytes) -> Iterator[tuple[int, bytes]]:
        position = 0
        while position < len(body):
            length = int.from_bytes(body[position : position + 4], "big")
            end = position + 4 + length
            if length < 2 or end > len(body):
                raise PeerUnreachable(f"{self._peer} sent a fragment that overruns its PDU")
            yield body[position + 5], body[position + 6 : end]
            position = end

    def release(self) -> None:
        """End the association in order and close; a peer that is gone already is no error (PS3.8 7.2)."""
        with contextlib.suppress(PeerUnreachable):
            self._send(_RELEASE_RQ_PDU)
            kind, _ = self._read_pdu(self._timeouts.association_s)
            if kind == _RELEASE_RQ:  # PS3.8 7.2.2.7: both sides asked at once
                self._send(_RELEASE_RP_PDU)
        self._connection.close()

    def abort(self) -> None:
        """Abort the association and close."""
        with contextlib.suppress(PeerUnreachable):
            self._send(_ABORT_PDU)
        self._connection.close()

    def _send(self, pdu: bytes) -> None:
        try:
            self._connection.settimeout(self._timeouts.answer_s)
            self._connection.sendall(pdu)
        except TimeoutError as error:
            raise PeerUnreachable(f"{self._peer} took nothing for {self._timeouts.answer_s:g} s") from error
        except OSError as error:
            raise PeerUnreachable(f"{self._peer} dropped the connection ({error.strerror or error})") from error

    def _read_pdu(self, timeout_s: float) -> tuple[int, bytes]:
        deadline = time.monotonic() + timeout_s
        try:
            kind, length = struct.unpack(">BxL", self._read(6, deadline))
            if length > PDU_CAP_BYTES:
                raise PeerUnreachable(f"{self._peer} sent a PDU of {length} bytes, which is no DICOM answer")
            return kind, self._read(length, deadline)
        except TimeoutError as error:
            raise PeerUnreachable(f"{self._peer} did not answer within {timeout_s:g} s") from error
        except OSError as error:
            raise PeerUnreachable(f"{self._peer} dropped the connection ({error.strerror or error})") from error

    def _read(self, count: int, deadline: float) -> bytes:
        gathered = bytearray()
        while len(gathered) < count:
            acknowledge_at_once(self._connection)
            self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
            received = self._connection.recv(count - len(gathered))
            if not received:
                raise PeerUnreachable(f"{self._peer} closed the connection before it answered")
            gathered += received
        return bytes(gathered)


def _connected(peer: PeerAddress, timeout_s: float) -> socket.socket:
    try:
        connection = socket.create_connection((peer.host, peer.port), timeout_s)
        send_at_once(connection)
    except ConnectionRefusedError as error:
        raise PeerUnreachable(f"{peer} refused the connection: nothing listens on that port") from error
    except TimeoutError as error:
        raise PeerUnreachable(f"{peer} did not take the connection within {timeout_s:g} s") from error
    except socket.gaierror as error:
        raise PeerUnreachable(f"{peer} has a host name that cannot be resolved") from error
    except OSError as error:
        raise PeerUnreachable(f"{peer} cannot be reached ({error.strerror or error})") from error
    return connection


def _ending(kind: int) -> str:
    return {_ABORT: "aborted the association", _RELEASE_RQ: "released the association"}.get(
        kind, f"sent a PDU of type 0x{kind:02X}"
    )
