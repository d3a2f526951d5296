"""A disposable child process that runs one call at a time, for whatever may crash, hang or eat memory.

The child gets values and returns values; it never opens the database. When it dies or misses its deadline it is
killed, the call fails as `Transient`, and the next call gets a fresh child. It knows nothing of what it runs.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from node.domain.errors import Permanent, Transient
from node.telemetry import quieten_libraries

# a forked copy of a process with threads inherits their locks in whatever state they are, so children are spawned
_SPAWN = multiprocessing.get_context("spawn")
_STOP_WAIT_S = 2.0


class ChildFailed(Transient):
    """The child process died or missed its deadline; it has been replaced."""


class Child:
    """One child process, started at its first call and again after each death.

    Parameters
    ----------
    deadline_s
        Longest time that a call may take, in seconds. The first call after a start also pays for the child's imports.
    threads
        How many threads the child's numerical libraries may use.
    """

    def __init__(self, deadline_s: float, threads: int = 1) -> None:
        self._deadline_s = deadline_s
        self._threads = threads
        self._turn = threading.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return ``function(*arguments)``, run in the child.

        Parameters
        ----------
        function
            A function of an importable module, so that its name can travel.
        *arguments
            Plain values that can be pickled; they and the result travel through a pipe.

        Raises
        ------
        ChildFailed
            When the child died or the deadline passed.
        Transient, Permanent
            What `function` itself raised, as raised. Any other error ends the child, its traceback on stderr.
        """
        with self._turn:
            answer = self._answer_to(function, arguments)
        if isinstance(answer, (Transient, Permanent)):
            raise answer
        return answer

    def stop(self) -> None:
        """End the child, a running call with it."""
        self._kill()

    def _answer_to(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        connection = self._started()
        try:
            connection.send((function, arguments))
            if connection.poll(self._deadline_s):
                return connection.recv()
        except (EOFError, OSError) as error:
            raise ChildFailed(f"the child process died{self._exit_reason()}") from error
        self._kill()
        raise ChildFailed(f"the child process took longer than {self._deadline_s:g} s and was killed")

    def _started(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        self._kill()
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, self._threads), daemon=True, name="child")
        self._process.start()
        theirs.close()
        return self._connection

    def _exit_reason(self) -> str:
        process = self._process
        if process is None:
            return ""
        process.join(_STOP_WAIT_S)
        code = process.exitcode
        self._kill()
        if code is not None and code < 0:
            return f" of signal {signal.Signals(-code).name}"
        return f" with exit code {code}"

    def _kill(self) -> None:
        process, connection, self._process, self._connection = self._process, self._connection, None, None
        if process is not None:
            process.kill()
            process.join(_STOP_WAIT_S)
        if connection is not None:
            connection.close()


def _serve(connection: Connection, threads: int) -> None:
    """Answer calls until the parent closes the pipe, which its death does too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process, not the terminal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    quieten_libraries()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, arguments = connection.recv()
            connection.send(_answer(function, arguments))


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except (Transient, Permanent) as error:
        return error
