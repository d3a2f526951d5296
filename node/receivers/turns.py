"""A listening socket that several processes accept on, and how they come by the connections that suit them.

All of them are woken by a connection, and whichever runs first would take it; of several that come at once, most. So a
process lets the others go first, the longer the more connections it has. Nobody is asked and nobody has to answer: a
process that stands still takes no connection, and one that died strands none.

The first process, which writes for all, takes one connection before everybody else: what comes there is handed over to
nobody. While it has one the others go first, so that it is free to write.
"""

import socket
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

#: For each open connection up to so many. Above them chance is fair enough, and a crowd is to be let in soon.
_LETS_GO_FIRST_S = 0.001
_MOST_COUNTED = 5


def beside_others(open_here: int) -> float:
    """Return how long a receiving process with so many connections lets others go first, in seconds."""
    return (1 + min(open_here, _MOST_COUNTED)) * _LETS_GO_FIRST_S


def before_others(open_here: int) -> float:
    """Return how long the first process does: not at all for one connection, and then longer than every other one."""
    return (2 + _MOST_COUNTED) * _LETS_GO_FIRST_S if open_here else 0.0


class SharedListener(socket.socket):
    """The listening socket as one of the processes sees it; accepted on by one thread.

    Parameters
    ----------
    listener
        Listens already; this object takes over its descriptor.
    lets_go_first_s
        Gives how long others go first, by how many connections are open here.
    """

    def __init__(self, listener: socket.socket, lets_go_first_s: Callable[[int], float] = beside_others) -> None:
        super().__init__(fileno=listener.detach())
        self._accepted: WeakSet[socket.socket] = WeakSet()
        self._lets_go_first_s = lets_go_first_s

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a connection that waits, and whose it is.

        Raises
        ------
        BlockingIOError
            Where another process was faster.
        """
        time.sleep(self._lets_go_first_s(sum(connection.fileno() >= 0 for connection in self._accepted)))
        connection, address = super().accept()
        self._accepted.add(connection)
        return connection, address
