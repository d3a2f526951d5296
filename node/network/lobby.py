"""The lobby: connections that have not asked for an association yet, and those that are on their way out.

One thread accepts, waits for the first PDU of each connection, and hands a visitor on only when an A-ASSOCIATE-RQ has
come whole. So whoever stays silent, drips, scans the port or speaks something else costs a descriptor and the bytes
that came, no thread and no slot of the associations; and how many of them there may be is bounded. It knows no
library, and of an A-ASSOCIATE-RQ its type and length alone.

What it foresees (no descriptors left, a connection that is gone before it was accepted) it says, and goes on. Anything
else ends its thread, and then it tells whoever runs it: a node that is ready and hears nobody looks alive to all.

References
----------
DICOM PS3.8 9.1.4 and 9.1.5 (connections, the ARTIM timer), 9.2 (Sta2 and Sta13).
"""

import contextlib
import errno
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from node.network.connection import close_after
from node.network.guests import Guest, Guests
from node.network.pdu import HEADER, BrokenProtocol, abort_pdu
from node.network.request import AbortedEarly, claimed_length
from node.telemetry import logger, place_of

#: How long a peer has to close a connection that is over for us, before we do (PS3.8 9.2, Sta13).
_LEAVE_S = 1.0

#: How long nothing is accepted after the process ran out of descriptors; those that wait stay in the kernel's queue.
_PAUSE_S = 0.5

_READ_BYTES = 1 << 16
_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: The listening socket is none any more, and no pause mends it.
_NEVER_AGAIN = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})

_log = logger("network.lobby")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A connection, in blocking mode, whose A-ASSOCIATE-RQ has come whole.

    Parameters
    ----------
    connection, address
        The connection, and the peer's socket address, of which the first part is its IP address.
    request
        The A-ASSOCIATE-RQ, with its header.
    """

    connection: socket.socket
    address: tuple[Any, ...]
    request: bytes


class Lobby:
    """Accepts on a listening socket until it is stopped.

    Parameters
    ----------
    listener
        The listening socket; the lobby closes its own descriptor of it at the end.
    timeout_s
        From the connection to the end of the A-ASSOCIATE-RQ, however it comes.
    receive
        Called with each visitor, on the lobby's thread; returns None, or the bytes to send away with.
    lost
        Called once, on the lobby's thread, where it ends without having been stopped: nobody is accepted any more.
    known_addresses
        IP addresses of peers that are expected: they keep their places when the lobby is full.
    """

    def __init__(
        self,
        listener: socket.socket,
        timeout_s: float,
        receive: Callable[[Visitor], bytes | None],
        lost: Callable[[], None],
        known_addresses: frozenset[str] = frozenset(),
    ) -> None:
        self._listener, self._timeout_s, self._receive, self._lost = listener, timeout_s, receive, lost
        self._guests = Guests(known_addresses)
        self._leaving: deque[tuple[socket.socket, bytes]] = deque()
        self._is_stopped = self._is_closed = False
        self._closing = threading.Lock()
        self._heard_bell = threading.Event()
        self._accepts_again_at: float | None = None
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="storage-scp", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        for one in (self._listener, self._bell, self._ringer):
            one.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, self._answer_bell)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._thread.start()

    def stop(self) -> None:
        """Close the listening socket and every connection in the lobby, and end its thread."""
        self._is_stopped = True
        self._ring()
        self._thread.join()

    def turns(self, within_s: float) -> bool:
        """Return whether its thread goes round: whether it has heard the bell, after so long at most."""
        self._heard_bell.clear()
        self._ring()
        return self._heard_bell.wait(within_s)

    def remember(self, address: str) -> None:
        """Take an address from which an association was let in for a peer's; from any thread."""
        self._guests.remember(address)

    def see_off(self, connection: socket.socket, farewell: bytes) -> None:
        """Send the last bytes, let the peer close the connection or close it soon; from any thread, without waiting.

        Closing at once would take back what the peer has not read yet, if it still sends (a TCP reset).
        """
        with self._closing:
            if not self._is_closed:
                self._leaving.append((connection, farewell))
                self._ring()
                return
        close_after(connection, farewell)
        connection.close()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # it rings already, or nobody is there any more
            self._ringer.send(b"\0")

    def _run(self) -> None:
        try:
            while not self._is_stopped:
                for key, _ in self._selector.select(self._wait_s()):
                    key.data()
                self._let_out()
                self._send_overdue_away()
        finally:
            try:
                if not self._is_stopped:
                    self._lost()
                    _tell_end(sys.exception())
            finally:
                self._close()

    def _wait_s(self) -> float | None:
        deadlines = [guest.deadline for guest in self._guests]
        if self._accepts_again_at is not None:
            deadlines.append(self._accepts_again_at)
        return max(min(deadlines) - time.monotonic(), 0) if deadlines else None

    def _answer_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(_READ_BYTES)
        self._heard_bell.set()

    def _accept(self) -> None:
        """Accept one: of many that come at once, other processes on the same listening socket get their share."""
        try:
            connection, address = self._listener.accept()
        except BlockingIOError:
            return  # another process took it
        except ConnectionAbortedError:
            _log.info("connection gone", reason="it ended before it was accepted")
            return
        except OSError as error:
            if error.errno in _NEVER_AGAIN:
                raise
            self._pause(error)
            return
        try:
            self._take_in(connection, address, self._timeout_s)
        except OSError as error:  # the system watches no more descriptors
            connection.close()
            self._pause(error)

    def _pause(self, error: OSError) -> None:
        """Accept nothing for a moment: the listening socket stays ready, and the thread would spin."""
        is_full = error.errno in _OUT_OF_DESCRIPTORS
        way_out = "raise the limit of open files of this process" if is_full else "it is tried again"
        _log.error("connection not accepted", error=error.strerror, way_out=way_out)
        if is_full:
            self._make_room(self._guests.least())
        self._selector.unregister(self._listener)
        self._accepts_again_at = time.monotonic() + _PAUSE_S

    def _take_in(self, connection: socket.socket, address: tuple[Any, ...], stay_s: float) -> Guest:
        connection.setblocking(False)
        now = time.monotonic()
        guest = Guest(connection, address, now + stay_s, now)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._read, guest))
        self._guests.add(guest)
        self._make_room(self._guests.one_too_many())
        return guest

    def _read(self, guest: Guest) -> None:
        if guest not in self._guests:
            return  # sent away between the event and now
        wanted = _READ_BYTES if guest.is_leaving else min(guest.wanted_bytes - len(guest.gathered), _READ_BYTES)
        try:
            received = guest.connection.recv(wanted)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._drop(guest)
        elif not guest.is_leaving:
            guest.gathered += received
            guest.heard_at = time.monotonic()
            self._look_at(guest)

    def _look_at(self, guest: Guest) -> None:
        try:
            if len(guest.gathered) == HEADER.size:
                guest.wanted_bytes += claimed_length(bytes(guest.gathered))
            elif len(guest.gathered) == guest.wanted_bytes:
                self._hand_on(guest)
        except AbortedEarly:
            self._drop(guest)  # PS3.8 9.2.3, AA-2: nothing is answered
        except BrokenProtocol as broken:
            _log.info("connection aborted", reason=str(broken), address=guest.address[0])
            self._bid_farewell(guest, abort_pdu(broken.reason))
        while (heaviest := self._guests.one_too_heavy()) is not None:
            self._drop(heaviest)

    def _hand_on(self, guest: Guest) -> None:
        self._forget(guest)
        guest.connection.setblocking(True)
        farewell = self._receive(Visitor(guest.connection, guest.address, bytes(guest.gathered)))
        if farewell is not None:
            self._leaving.append((guest.connection, farewell))

    def _let_out(self) -> None:
        while self._leaving:
            connection, farewell = self._leaving.popleft()
            with contextlib.suppress(OSError):
                address = connection.getpeername()
                self._bid_farewell(self._take_in(connection, address, _LEAVE_S), farewell)
                continue
            connection.close()  # the peer has gone

    def _bid_farewell(self, guest: Guest, farewell: bytes) -> None:
        guest.is_leaving, guest.deadline = True, time.monotonic() + _LEAVE_S
        guest.gathered.clear()
        close_after(guest.connection, farewell)

    def _send_overdue_away(self) -> None:
        now = time.monotonic()
        for guest in [guest for guest in self._guests if guest.deadline <= now]:
            self._drop(guest)
        if self._accepts_again_at is not None and self._accepts_again_at <= now:
            self._accepts_again_at = None
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _make_room(self, guest: Guest | None) -> None:
        if guest is not None:
            self._drop(guest)

    def _forget(self, guest: Guest) -> None:
        self._guests.remove(guest)
        self._selector.unregister(guest.connection)

    def _drop(self, guest: Guest) -> None:
        self._forget(guest)
        guest.connection.close()

    def _close(self) -> None:
        with self._closing:
            self._is_closed = True
        self._let_out()
        for guest in list(self._guests):
            self._drop(guest)
        self._selector.close()
        for one in (self._listener, self._bell, self._ringer):
            one.close()


def _tell_end(error: BaseException | None) -> None:
    kind, place = (type(error).__qualname__, place_of(error)) if error is not None else ("none", "an unknown place")
    _log.error("accepting ended", error=kind, place=place)
