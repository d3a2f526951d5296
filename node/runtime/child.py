"""A disposable child process that runs one call at a time, for whatever may crash, hang or eat memory.

The child gets values and returns values; it never opens the database. When it dies or misses its deadline it is
killed, the call fails as `Transient`, and the next call gets a fresh child. It knows nothing of what it runs.
"""

import atexit
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from node.domain.errors import Permanent, Transient, WorkerLost, WorkStopped
from node.runtime import temporary
from node.runtime.memory import keep_what_is_freed
from node.telemetry import logger, place_of, quieten_libraries

# a forked copy of a process with threads inherits their locks in whatever state they are, so children are spawned
_SPAWN = multiprocessing.get_context("spawn")
_STOP_WAIT_S = 2.0
_STOPPING = "the node is stopping"

MEMORY_MB = 4096
"""Address space of a child, in MiB, where nothing else is asked for.

With the bundle "starter", a picture of 16000 x 16000 pixels, which is the largest that is decoded, takes 2455 of them
(VmPeak), of which 444 are the libraries and the bundle.
"""


GROWN_MB = 512
"""Resident memory, in MiB, that a child may gain after its first calls before another takes its place.

Libraries that are asked for more and more shapes keep some of it; a child that grows for good would in the end fail at
the limit of its address space, with a job in hand.
"""

_FIRST_CALLS = 50  # by then a child has loaded what it needs


class ChildFailed(WorkerLost):
    """The child process died or missed its deadline; it has been replaced."""


class Child:
    """One child process, started at its first call and again after each death.

    Parameters
    ----------
    deadline_s
        Longest time that a call may take, in seconds. The first call after a start also pays for the child's imports.
    threads
        How many threads the child's numerical libraries may use.
    memory_mb
        Most address space that the child may take up, in MiB: an allocation beyond it fails in the child, and the
        machine's memory is left to others.
    """

    def __init__(self, deadline_s: float, threads: int = 1, memory_mb: int = MEMORY_MB) -> None:
        self._deadline_s = deadline_s
        self._threads = threads
        self._memory_mb = memory_mb
        self._turn = threading.Lock()
        self._changing = threading.RLock()  # a process that is just being started cannot be killed yet
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._folder: Path | None = None  # of its temporary files
        self._stopped = False
        self._calls, self._settled_mb = 0, 0

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
        WorkStopped
            When the node ends this child.
        Transient, Permanent
            What `function` itself raised, as raised. Any other error is a `ChildFailed` that names its type and place.
        """
        with self._turn:
            answer = self._answer_to(function, arguments)
        if isinstance(answer, (Transient, Permanent)):
            raise answer
        return answer

    def stop(self) -> None:
        """End the child, a running call with it; no later call gets another one."""
        self._stopped = True
        self._kill()

    def _answer_to(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        connection = self._started()
        try:
            connection.send((function, arguments))
            if connection.poll(self._deadline_s):
                answer = connection.recv()
                self._replace_if_grown()
                return answer
        except (EOFError, OSError) as error:
            if self._stopped:
                raise WorkStopped(_STOPPING) from error
            raise ChildFailed(f"the child process died{self._exit_reason()}") from error
        self._kill()
        raise ChildFailed(f"the child process took longer than {self._deadline_s:g} s and was killed")

    def _started(self) -> Connection:
        with self._changing:
            if self._stopped:
                raise WorkStopped(_STOPPING)
            if self._process is not None and self._process.is_alive() and self._connection is not None:
                return self._connection
            self._kill()
            return self._start()

    def _start(self) -> Connection:
        self._connection, theirs = _SPAWN.Pipe()
        self._folder = temporary.of_child()
        arguments = (theirs, self._threads, self._memory_mb, self._folder)
        self._process = _SPAWN.Process(target=_serve, args=arguments, daemon=True, name="child")
        self._process.start()
        theirs.close()
        self._calls = 0
        return self._connection

    def _replace_if_grown(self) -> None:
        """End a child that has grown between two calls, so that no call is lost by it."""
        self._calls += 1
        resident_mb = _resident_mb(self._process)
        if self._calls <= _FIRST_CALLS:
            self._settled_mb = resident_mb
        elif resident_mb > self._settled_mb + GROWN_MB:
            logger("runtime").info("child replaced", resident_mb=resident_mb, at_first_mb=self._settled_mb)
            self._kill()

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
        with self._changing:
            process, connection, folder = self._process, self._connection, self._folder
            self._process = self._connection = self._folder = None
        if process is not None:
            process.kill()
            process.join(_STOP_WAIT_S)
        if connection is not None:
            connection.close()
        if folder is not None:
            temporary.gone(folder)


def _resident_mb(process: BaseProcess | None) -> int:
    """Return the resident memory of a process; 0 where it is gone."""
    try:
        pages = Path(f"/proc/{process.pid if process else 0}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize() >> 20


def _serve(connection: Connection, threads: int, memory_mb: int, folder: Path | None) -> None:
    """Answer calls until the parent closes the pipe, which its death does too."""
    if folder is not None:
        temporary.use(folder)
        atexit.register(temporary.gone, folder)
    _limit_memory(memory_mb)
    keep_what_is_freed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process, not the terminal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    quieten_libraries()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    threading.Thread(target=_end_with_parent, args=(folder,), name="end with parent", daemon=True).start()
    with ThreadPoolExecutor(1) as caller:
        while (call := _next_call(connection)) is not None:
            connection.send(_answer(caller.submit(*call)))


def _limit_memory(memory_mb: int) -> None:
    """Let allocations fail beyond the limit, or beyond a lower one that this process was given from outside."""
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    wanted = memory_mb << 20
    limit = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with_parent(folder: Path | None) -> None:
    """End this process when the parent ends, whatever a call is doing; a parent that was killed leaves the folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    if folder is not None:
        temporary.gone(folder)
    os._exit(1)


def _next_call(connection: Connection) -> tuple[Any, ...] | None:
    try:
        function, arguments = connection.recv()
    except (EOFError, OSError):
        return None
    return function, *arguments


def _answer(called: "Future[Any]") -> Any:
    """Return the call's value, or its error: the house's own as it is, any other by type and place alone."""
    error = called.exception()
    if error is None:
        return called.result()
    if isinstance(error, (Transient, Permanent)):
        return error
    if isinstance(error, MemoryError):
        limit_mb = resource.getrlimit(resource.RLIMIT_AS)[0] >> 20
        return ChildFailed(f"the work needs more than the {limit_mb} MiB of memory that its child process may take up")
    return ChildFailed(f"unexpected {type(error).__name__} at {place_of(error)} in the child process")
