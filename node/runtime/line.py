"""A line between a process and the one that keeps it up: a pair of connected sockets, and words of one byte.

The system cuts it when either side dies, however it dies, so each learns of the other's end at once. One of the words
takes a new channel along, on which the process may ask (`node.runtime.channels`).
"""

import array
import contextlib
import socket
from collections.abc import Callable

from node.runtime.channels import greeted

READY, WAKE, END, DRAIN, CHANNEL, ASK, WELL = b"r", b"w", b"e", b"d", b"c", b"?", b"!"
_WORDS = 4096
_GREETED_WITHIN_S = 15.0  # the other side may be busy, or stopped, in which case it never greets


class Line:
    """A process's own end of its line; safe to use from many threads.

    Parameters
    ----------
    connection
        One of a connected pair of stream sockets.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def ready(self) -> None:
        """Say that this process does its work from now on."""
        self._say(READY)

    def wake(self) -> None:
        """Say that there is work for the other side; never waits, and never fails."""
        self._say(WAKE)

    def end(self) -> None:
        """Say that this process ends by itself: whoever forked it, and so would know, may be gone by then."""
        self._say(END)

    def channel(self) -> socket.socket:
        """Return a new channel to the other side, which hears it.

        Raises
        ------
        OSError
            Where the other side is gone, has no room for one, or takes too long.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._send_channel(theirs)
            ours.settimeout(_GREETED_WITHIN_S)
            return greeted(ours)
        except BaseException:
            ours.close()
            raise

    def _send_channel(self, channel: socket.socket) -> None:
        """Send a word with a descriptor, or fail where the line is full (`socket.send_fds` would wait)."""
        rights = array.array("i", [channel.fileno()])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
        self._connection.sendmsg([CHANNEL], ancillary, socket.MSG_DONTWAIT)

    def is_cut(self) -> bool:
        """Return whether the process on the other side is gone."""
        try:
            return self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def told_to_drain(self, is_well: Callable[[], bool] = lambda: True) -> bool:
        """Wait for the end; return True where it was asked for, False where nobody is there, or after `hang_up`.

        Parameters
        ----------
        is_well
            Asked as often as the other side asks: whether this process does what it is there for.
        """
        try:
            while (word := self._connection.recv(1)) == ASK:
                if is_well():
                    self._say(WELL)
            return word == DRAIN  # noqa: TRY300 - the loop is what may fail
        except OSError:  # it died before it had read all that this side said
            return False

    def hang_up(self) -> None:
        """Hear nothing more: whoever waits in `told_to_drain` goes on."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RD)

    def _say(self, word: bytes) -> None:
        # a line that is full holds wakes enough; of one that is cut `told_to_drain` tells
        with contextlib.suppress(OSError):
            self._connection.send(word, socket.MSG_DONTWAIT)


def heard(line: socket.socket) -> tuple[bytes, list[socket.socket]]:
    """Return the words that came on the other end of a line, and the channels; no words where it is cut."""
    try:
        words, numbers, _, _ = socket.recv_fds(line, _WORDS, 1, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return b"", []
    return words, [socket.socket(fileno=number) for number in numbers]
