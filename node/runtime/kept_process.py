"""One process that stays up: started, listened to, asked whether it is well, and started again when it ends.

Over its line it says when it is ready and when there is work, answers that it is well, and is told to drain. A line
that is cut is a death; a process that is there and does not answer (stopped, or a thread of it that it needs stands
still) is ended, which cuts its line.
"""

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

from node.runtime.forking import FORKS, forking_in_time
from node.runtime.line import ASK, DRAIN, END, READY, WAKE, WELL, Line, heard
from node.runtime.vital import vital
from node.telemetry import logger

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # a start costs little, and while none lives nobody is served
_LONG_LIFE_S = 60.0  # a process that lived for so long died of something new
_REAP_S = 5.0  # for a process whose line is cut; one that was killed then is gone, or its server tells of no death
_KILLED_S = 1.0

#: A process is forked within milliseconds, the first one after its server has imported what all need.
_FORKED_WITHIN_S = 15.0

#: So many questions in a row whether it is well may go without an answer: half a minute, for a machine that is busy
#: with something else. They are counted, and no time is taken: where the whole machine stood still, it did so too.
_MOST_UNANSWERED, _READY_WITHIN_S = 6, 60.0


def pause_s(deaths: int) -> float:
    """Return how long to wait, in seconds, before a process is started again that died so often in a row."""
    return float(min(_SHORTEST_PAUSE_S * 2 ** min(deaths - 1, 16), _LONGEST_PAUSE_S))


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears of processes that are kept up; called on the threads that do it.

    Parameters
    ----------
    on_wake
        Called when a process says that there is work.
    on_channel
        Called with each channel that a process opens, to hear what is asked on it.
    on_death
        Called after a death, before the next start of that process; it may not raise.
    on_loss
        Called where a process is no longer kept up, by a defect.
    """

    on_wake: Callable[[], None]
    on_channel: Callable[[socket.socket], None]
    on_death: Callable[[], None]
    on_loss: Callable[[], None]


class KeptProcess:
    """One process that is kept up, and the thread that does it.

    Parameters
    ----------
    number
        Of the process, from 1 on.
    target, arguments
        What it runs; see `node.runtime.kept_processes.KeptProcesses`.
    told
        Who hears of it.
    changed
        Notified when the process gets ready, or dies.
    ask_every_s
        How often it is asked whether it is well.
    """

    def __init__(
        self,
        number: int,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        told: Told,
        changed: threading.Condition,
        ask_every_s: float,
    ) -> None:
        self.number, self.deaths, self.last_end, self.is_ready = number, 0, "", False
        self._target, self._arguments = target, arguments
        self._told, self._changed, self._ask_every_s = told, changed, ask_every_s
        self._turn = threading.RLock()  # a signal handler that kills may interrupt its own thread in here
        self._stopping = threading.Event()
        self._is_killed = False
        self._process: BaseProcess | None = None
        self._line: socket.socket | None = None
        self._ended_well = True
        self._log = logger("runtime").bind(process=number)
        self._thread = vital(f"receiver-{number}", self._keep_up, told.on_loss)

    @property
    def pid(self) -> int | None:
        """The process identifier, while it is ready."""
        process = self._process
        return process.pid if process is not None and self.is_ready else None

    @property
    def is_kept_up(self) -> bool:
        """Whether it is started again when it ends."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to keep it up; returns at once."""
        self._thread.start()

    def finish(self) -> None:
        """Tell the process to end, and start no other one."""
        with self._turn:
            self._stopping.set()
            self._tell_to_drain()

    def _tell_to_drain(self) -> None:
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
        """End the process, whatever it does, and start no other one."""
        with self._turn:
            self._is_killed = True
            self._stopping.set()
            self._kill()

    def _kill(self) -> None:
        with self._turn:
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
        """Start the process and return this side's end of its line; None where the system cannot."""
        try:
            process, ours = self._forked()
        except (OSError, EOFError) as error:  # no descriptors, no memory, the server that forks killed
            self.last_end = f"the system cannot start it: {error}"
            return None
        with self._turn:
            self._process, self._line, self._ended_well = process, ours, False
            if self._is_killed:
                self._kill()
            elif self._stopping.is_set():
                self._tell_to_drain()
        return ours

    def _forked(self) -> tuple[BaseProcess, socket.socket]:
        """Return a new process and this side's end of its line; without the turn, for it may take long."""
        ours, theirs = socket.socketpair()
        arguments = (theirs, self._target, self._arguments)
        process = FORKS.Process(target=_serve, args=arguments, name=f"receiver-{self.number}", daemon=True)
        try:
            with theirs, forking_in_time(_FORKED_WITHIN_S):
                process.start()
        except BaseException:
            ours.close()
            raise
        return process, ours

    def _listen(self, line: socket.socket) -> None:
        """Hear what the process says until its line is cut, and end it where it answers nothing any more."""
        poller = select.poll()
        poller.register(line, select.POLLIN)
        asked, began, ask_at = 0, time.monotonic(), time.monotonic()
        while True:
            if poller.poll(max(ask_at - time.monotonic(), 0.0) * 1000):
                words, channels = heard(line)
                if not words:
                    return
                self._hear(words, channels)
                asked = 0 if WELL in words else asked
            if (now := time.monotonic()) >= ask_at:
                if asked >= _MOST_UNANSWERED or not (self.is_ready or now - began < _READY_WITHIN_S):
                    self._log.error("receiving process does not answer", then="it is ended")
                    self._kill()
                asked, ask_at = asked + self._asked(line), now + self._ask_every_s

    def _hear(self, words: bytes, channels: Sequence[socket.socket]) -> None:
        for channel in channels:
            self._told.on_channel(channel)
        if READY in words:
            self._log.info("receiving process ready", pid=self._process.pid if self._process is not None else None)
            self._set_ready(is_ready=True)
        if WAKE in words:
            self._told.on_wake()
        if END in words:
            self._ended_well = True

    def _asked(self, line: socket.socket) -> bool:
        """Ask whether it is well, where it can be expected to answer: it starts no more, and was not told to drain."""
        if not self.is_ready or self._stopping.is_set():
            return False
        with contextlib.suppress(OSError):  # it is full of questions, or cut
            line.send(ASK, socket.MSG_DONTWAIT)
        return True

    def _reap(self, line: socket.socket) -> None:
        with self._turn:
            process, self._process, self._line = self._process, None, None
        line.close()
        if process is not None:
            process.join(_REAP_S)  # the line is cut: it is ending, or will not by itself
            process.kill()
            process.join(_KILLED_S)
            self.last_end = _end_of(process.exitcode)
        self._set_ready(is_ready=False)

    def _after_death(self, lived_s: float) -> None:
        with self._changed:
            self.deaths = 1 if lived_s > _LONG_LIFE_S else self.deaths + 1
            self._changed.notify_all()
        again_in_s = pause_s(self.deaths)
        self._log.error("receiving process died", end=self.last_end, again_in_s=again_in_s)
        self._ended_well = True  # this end was told of; a drain asks for the next one
        self._told.on_death()
        self._stopping.wait(again_in_s)

    def _set_ready(self, *, is_ready: bool) -> None:
        with self._changed:
            self.is_ready = is_ready
            self._changed.notify_all()


def _end_of(code: int | None) -> str:
    if code is None:
        return "not known: the server that forks does not tell"
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _serve(connection: socket.socket, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Run the function in the new process; the line, not a signal to the whole group, says when it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    line = Line(connection)
    target(line, *arguments)
    line.end()
