"""A listening socket that several processes accept on, and how they come by about as many connections each.

All of them are woken by a connection, and whichever runs first would take it; of several that come at once, most. So a
process lets the others go first, the longer the more connections it has. Nobody is asked and nobody has to answer: a
process that stands still takes no connection, and one that died strands none.
"""

import socket
import time
from typing import Any
from weakref import WeakSet

#: For each open connection up to so many. Above them chance is fair enough, and a crowd is to be let in soon.
_LETS_GO_FIRST_S = 0.001
_MOST_COUNTED = 5


class SharedListener(socket.socket):
    """The listening socket as one of the processes sees it; accepted on by one thread.

    Parameters
    ----------
    listener
        Listens already; this object takes over its descriptor.
    """

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(fileno=listener.detach())
        self._accepted: WeakSet[socket.socket] = WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a connection that waits, and whose it is.

        Raises
        ------
        BlockingIOError
            Where another process was faster.
        """
        open_here = sum(connection.fileno() >= 0 for connection in self._accepted)
        time.sleep(min(open_here, _MOST_COUNTED) * _LETS_GO_FIRST_S)
        connection, address = super().accept()
        self._accepted.add(connection)
        return connection, address
