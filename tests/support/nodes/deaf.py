"""A node whose listening sockets are shut at SIGUSR1, under whoever accepts on them.

``python -m tests.support.nodes.deaf``; the arguments are those of `pacs-node`. Nothing of the node is replaced: the
system does to it what no code foresees.
"""

import os
import signal
import socket
from types import FrameType

from node.__main__ import main


def _shut(_number: int, _frame: FrameType | None) -> None:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        try:
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    one.shutdown(socket.SHUT_RDWR)
        except OSError:  # no socket, or the folder's own descriptor
            continue


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _shut)
    main()
