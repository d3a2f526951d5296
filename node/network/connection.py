"""TCP connections that carry PDUs: how long one may be, and the options without which each of them stalls.

It knows neither associations nor the library.
"""

import contextlib
import errno
import math
import os
import select
import socket
import struct
from typing import Any

#: Longest P-DATA-TF that this node announces (PS3.8 D.1); larger ones gain nothing.
MAXIMUM_PDU_BYTES = 128 * 1024

#: No PDU is read beyond this: the library would gather a claimed 300 MB A-ASSOCIATE-RQ before it looks at it.
PDU_CAP_BYTES = 1 << 20

_QUICK_ACKNOWLEDGEMENT: int | None = getattr(socket, "TCP_QUICKACK", None)


def begin_to_connect(connection: socket.socket, address: Any) -> None:
    """Ask for a connection to an address of `getaddrinfo`, without waiting for it: `until_connected` does."""
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        connection.connect(address)


def until_connected(connection: socket.socket) -> None:
    """Wait for the answer for as long as the connection's timeout; it may be waited for again.

    Raises
    ------
    TimeoutError
        Where none has come yet.
    OSError
        Where it was none that connects.
    """
    poller = select.poll()
    poller.register(connection, select.POLLOUT)
    if not poller.poll((connection.gettimeout() or 0.0) * 1000):
        raise TimeoutError
    if number := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        # the system's own end of its patience is final, and no reason to wait again
        kind = ConnectionAbortedError if number == errno.ETIMEDOUT else OSError
        raise kind(number, os.strerror(number))


def send_at_once(connection: socket.socket) -> None:
    """Set TCP_NODELAY: with Nagle's algorithm and delayed acknowledgements a C-STORE stalls for about 40 ms."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def acknowledge_at_once(connection: socket.socket) -> None:
    """Set TCP_QUICKACK before a read: a peer that leaves Nagle's algorithm on waits for our acknowledgement.

    DCMTK does, and writes header and body of a PDU apart: each instance of 40 KB then takes 46 ms instead of 1.
    Linux forgets the option by itself, and only it knows it.
    """
    if _QUICK_ACKNOWLEDGEMENT is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT, 1)


def limit_reads(connection: socket.socket, seconds: float) -> None:
    """Have each read on a blocking connection raise `BlockingIOError` after so long.

    The kernel keeps the time. With Python's own time-outs each read would be two system calls.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _time(seconds))


def limit_writes(connection: socket.socket, seconds: float) -> None:
    """Have a write that stands still for so long on a blocking connection raise `BlockingIOError`."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _time(seconds))


def _time(seconds: float) -> bytes:
    """Return a ``struct timeval``; never zero, which would mean for ever."""
    fraction, whole = math.modf(max(seconds, 0.001))
    return struct.pack("@ll", int(whole), int(fraction * 1_000_000))


def cut(connection: socket.socket) -> None:
    """End a connection in both directions; a thread that waits in a read on it wakes up."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def close_after(connection: socket.socket, farewell: bytes) -> None:
    """Send what still fits into the buffers, never waiting, and tell the peer that nothing more comes."""
    with contextlib.suppress(OSError):
        if farewell:
            connection.send(farewell, socket.MSG_DONTWAIT)
        connection.shutdown(socket.SHUT_WR)
