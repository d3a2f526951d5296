"""The server that forks processes, and what is done when it does not.

A forked copy of a process with threads inherits their locks in whatever state they are; the server that forks has one
thread, and what it imports beforehand lies in memory once for all of its forks. It knows nothing of what they do.
"""

import contextlib
import errno
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import threading
from collections.abc import Iterator

from node.telemetry import logger

FORKS = multiprocessing.get_context("forkserver")


@contextlib.contextmanager
def forking_in_time(within_s: float) -> Iterator[None]:
    """End the server that forks where a start takes longer: the start fails then, and the next one gets another server.

    The library waits for the server's answer however long, and one that is stopped gives none.

    Parameters
    ----------
    within_s
        In seconds; the first start of all also waits for what the server imports.

    Raises
    ------
    OSError
        Where the system has no thread left to watch it.
    """
    late = threading.Timer(within_s, _end_server)
    late.daemon = True
    try:
        late.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, "no thread can be started") from error
    try:
        yield
    finally:
        late.cancel()


def _end_server() -> None:
    server = multiprocessing.forkserver._forkserver  # noqa: SLF001 - told of nowhere else
    pid: int | None = getattr(server, "_forkserver_pid", None)
    if pid is not None:
        logger("runtime").error("no process is forked", pid=pid, then="the server that forks is ended")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
