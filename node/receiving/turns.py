"""A listening socket that several processes accept on, and how they come by the connections that suit them.

All of them are woken by a connection, and whichever runs first would take it; of several that come at once, most. So a
process lets the others go first, the longer the more connections it has. Nobody is asked and nobody has to answer: a
process that stands still takes no connection, and one that died strands none.

The first process, which writes for all, takes a lone connection before everybody else: what comes there is handed over
to nobody. While it has one, and for a minute after several came at once, the others go first: it is free to write.
"""

import socket
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

#: For each open connection up to so many. Above them chance is fair enough, and a crowd is to be let in soon.
_LETS_GO_FIRST_S = 0.001
_MOST_COUNTED = 5
_CROWD_COUNTS_S = 60.0


class BesideOthers:
    """The turn of a receiving process: it lets others go first, the longer the more connections it has."""

    def wait(self, open_here: Callable[[], int]) -> None:
        """Let others go first, by how many connections are open here."""
        time.sleep((1 + min(open_here(), _MOST_COUNTED)) * _LETS_GO_FIRST_S)


class BeforeOthers:
    """The turn of the first process: it takes a lone connection at once, and leaves a crowd to the others.

    The one connection that it took from eight would be the last of them to end, and hold up the rows of all: it cost a
    quarter of the rate (docs/benchmarks.md). Who sends over several associations does so again: a crowd counts for a
    minute.

    Parameters
    ----------
    clock
        Seconds from any moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._crowd_until = clock()

    def wait(self, open_here: Callable[[], int]) -> None:
        """Let others go first while a connection is open here, and after there were several at once."""
        is_busy = open_here() > 0
        if is_busy or self._clock() < self._crowd_until:
            time.sleep((2 + _MOST_COUNTED) * _LETS_GO_FIRST_S)
        if is_busy and open_here():  # not one that was just ending as the same sender's next one came
            self._crowd_until = self._clock() + _CROWD_COUNTS_S


class SharedListener(socket.socket):
    """The listening socket as one of the processes sees it; accepted on by one thread.

    Parameters
    ----------
    listener
        Listens already; this object takes over its descriptor.
    turn
        Waits as long as others go first.
    """

    def __init__(self, listener: socket.socket, turn: BesideOthers | BeforeOthers) -> None:
        super().__init__(fileno=listener.detach())
        self._accepted: WeakSet[socket.socket] = WeakSet()
        self._turn = turn

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a connection that waits, and whose it is.

        Raises
        ------
        BlockingIOError
            Where another process was faster.
        """
        self._turn.wait(self._open_here)
        connection, address = super().accept()
        self._accepted.add(connection)
        return connection, address

    def _open_here(self) -> int:
        return sum(connection.fileno() >= 0 for connection in self._accepted)
