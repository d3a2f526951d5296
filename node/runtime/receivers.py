"""Processes of one kind that stay up: started together, started again when one dies, told together to end.

Over its line each says when it is ready and when there is work, and is told to drain; a line that is cut is a death. It
knows nothing of what the processes do.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from node.domain.errors import OperatorError
from node.runtime.line import DRAIN, END, READY, WAKE, Line, heard
from node.telemetry import logger

# a forked copy of a process with threads inherits their locks in whatever state they are; the server that forks has one
# thread, and what it imports beforehand lies in memory once for all of its forks
_FORKS = multiprocessing.get_context("forkserver")

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # a start costs little, and while none lives nobody is served
_LONG_LIFE_S = 60.0  # a process that lived for so long died of something new
_MOST_DEATHS_AT_START = 3
_REAP_S = 5.0


def pause_s(deaths: int) -> float:
    """Return how long to wait, in seconds, before a process is started again that died so often in a row."""
    return float(min(_SHORTEST_PAUSE_S * 2 ** min(deaths - 1, 16), _LONGEST_PAUSE_S))


class Receivers:
    """So many processes that run the same function, each kept up by a thread of this process.

    Parameters
    ----------
    count
        How many.
    target
        A function of an importable module; it gets its `Line` and `arguments`, calls `Line.ready`, and returns once
        `Line.told_to_drain` has.
    arguments
        What can be pickled; sockets too, which are then shared with this process.
    on_wake
        Called when a process says that there is work.
    on_channel
        Called with each channel that a process opens, to hear what is asked on it.
    on_death
        Called after a death, before the next start of that process; it may not raise.
    preload
        Names of modules that all need, imported once for all.
    """

    def __init__(
        self,
        count: int,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        on_wake: Callable[[], None],
        on_channel: Callable[[socket.socket], None],
        on_death: Callable[[], None],
        preload: Sequence[str] = (),
    ) -> None:
        _FORKS.set_forkserver_preload(list(preload))
        self._changed = threading.Condition()
        kept = (target, arguments, on_wake, on_channel, on_death, self._changed)
        self._kept = [_Kept(number, *kept) for number in range(1, count + 1)]

    @property
    def pids(self) -> list[int]:
        """The identifiers of the processes that are ready."""
        return [one.pid for one in self._kept if one.pid is not None]

    def start(self, timeout_s: float) -> None:
        """Start all, and return once all are ready.

        Raises
        ------
        OperatorError
            Where one dies again and again before it is ready, or is not ready in time; then none is left.
        """
        for one in self._kept:
            one.start()
        with self._changed:
            self._changed.wait_for(lambda: self._are_ready() or any(map(_is_hopeless, self._kept)), timeout_s)
            if self._are_ready():
                return
        late = next(one for one in self._kept if not one.is_ready)
        self.kill()
        raise OperatorError(
            f"receiving process {late.number} does not start ({late.last_end or f'not ready after {timeout_s:g} s'}): "
            "what it wrote above says why; [receive] processes = 1 does without"
        )

    def finish(self) -> None:
        """Tell all to end, and start none again."""
        for one in self._kept:
            one.finish()

    def ended(self, timeout_s: float) -> bool:
        """Wait for all after `finish`, and kill those that take longer; return whether all ended by themselves."""
        deadline = time.monotonic() + timeout_s
        ended = [one.ended(deadline - time.monotonic()) for one in self._kept]
        return all(ended)

    def kill(self) -> None:
        """End all at once, whatever they do."""
        for one in self._kept:
            one.kill()

    def _are_ready(self) -> bool:
        return all(one.is_ready for one in self._kept)


class _Kept:
    """One process that is kept up, and the thread that does it."""

    def __init__(
        self,
        number: int,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        on_wake: Callable[[], None],
        on_channel: Callable[[socket.socket], None],
        on_death: Callable[[], None],
        changed: threading.Condition,
    ) -> None:
        self.number, self.deaths, self.last_end, self.is_ready = number, 0, "", False
        self._target, self._arguments = target, arguments
        self._on_wake, self._on_channel, self._on_death, self._changed = on_wake, on_channel, on_death, changed
        self._turn = threading.RLock()  # a signal handler that kills may interrupt its own thread in here
        self._stopping = threading.Event()
        self._process: BaseProcess | None = None
        self._line: socket.socket | None = None
        self._ended_well = True
        self._log = logger("runtime").bind(process=number)
        self._thread = threading.Thread(target=self._keep_up, name=f"receiver-{number}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process identifier, while it is ready."""
        process = self._process
        return process.pid if process is not None and self.is_ready else None

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Tell the process to end, and start no other one."""
        with self._turn:
            self._stopping.set()
            if self._line is not None:
                with contextlib.suppress(OSError):
                    self._line.send(DRAIN, socket.MSG_DONTWAIT)

    def ended(self, timeout_s: float) -> bool:
        """Wait for the end after `finish`; a process that takes longer is killed."""
        if self._thread.ident is None:
            return True
        self._thread.join(max(timeout_s, 0.0))
        if self._thread.is_alive():
            self.kill()
            self._thread.join(_REAP_S)
        return self._ended_well

    def kill(self) -> None:
        with self._turn:
            self._stopping.set()
            if self._process is not None and self._process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    # its own `kill` does nothing once the server that forked it is gone
                    os.kill(self._process.pid, signal.SIGKILL)

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            line = self._started()
            if line is not None:
                self._listen(line)
                self._reap(line)
            if self._stopping.is_set():
                return
            self._after_death(time.monotonic() - began)

    def _started(self) -> socket.socket | None:
        """Start the process and return this side's end of its line; None where the system cannot, or it is to end."""
        with self._turn:
            if self._stopping.is_set():
                return None
            ours, theirs = socket.socketpair()
            arguments = (theirs, self._target, self._arguments)
            name = f"receiver-{self.number}"
            process = _FORKS.Process(target=_serve, args=arguments, name=name, daemon=True)
            with theirs:
                try:
                    process.start()
                except (OSError, EOFError) as error:  # no memory, too many processes, the server that forks killed
                    ours.close()
                    self.last_end = f"the system cannot start it: {error}"
                    return None
            self._process, self._line, self._ended_well = process, ours, False
            return ours

    def _listen(self, line: socket.socket) -> None:
        """Hear what the process says until its line is cut."""
        pid = self._process.pid if self._process is not None else None
        while (said := heard(line))[0]:
            words, channels = said
            for channel in channels:
                self._on_channel(channel)
            if READY in words:
                self._log.info("receiving process ready", pid=pid)
                self._set_ready(is_ready=True)
            if WAKE in words:
                self._on_wake()
            if END in words:
                self._ended_well = True

    def _reap(self, line: socket.socket) -> None:
        with self._turn:
            process, self._process, self._line = self._process, None, None
        line.close()
        if process is not None:
            process.join(_REAP_S)  # the line is cut: it is ending, or will not by itself
            process.kill()
            process.join(_REAP_S)
            self.last_end = _end_of(process.exitcode)
        self._set_ready(is_ready=False)

    def _after_death(self, lived_s: float) -> None:
        with self._changed:
            self.deaths = 1 if lived_s > _LONG_LIFE_S else self.deaths + 1
            self._changed.notify_all()
        again_in_s = pause_s(self.deaths)
        self._log.error("receiving process died; it is started again", end=self.last_end, again_in_s=again_in_s)
        self._ended_well = True  # this end was told of; a drain asks for the next one
        self._on_death()
        self._stopping.wait(again_in_s)

    def _set_ready(self, *, is_ready: bool) -> None:
        with self._changed:
            self.is_ready = is_ready
            self._changed.notify_all()


def _is_hopeless(one: _Kept) -> bool:
    return one.deaths >= _MOST_DEATHS_AT_START


def _end_of(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _serve(connection: socket.socket, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Run the function in the new process; the line, not a signal to the whole group, says when it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    line = Line(connection)
    target(line, *arguments)
    line.end()
