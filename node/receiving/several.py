"""The first process's part: it opens the port, starts the receiving processes on it, and keeps them up.

It receives, too, while no more than one association is open: who sends alone need not wait for a handing over.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from node import telemetry
from node.config import Settings
from node.network.scp import listening
from node.pipeline.served import Served
from node.pipeline.steps import Reached, unobserved
from node.receiving.handed_over import Recording
from node.receiving.one_process import Callbacks, Receiving
from node.receiving.process import HANDS_OVER, WRITES, hand_over, write
from node.receiving.turns import BeforeOthers, SharedListener
from node.receiving.until_told import shared_slots
from node.runtime.kept_process import Told
from node.runtime.kept_processes import KeptProcesses
from node.store.disk.files import InstanceFiles

_START_S = 60.0
_GRACE_S = 5.0  # beyond the time of a drain, for aborting what did not finish and for the end of the process

_log = telemetry.logger("receiving")


@dataclass(frozen=True, slots=True)
class FirstProcess:
    """What the first process does beside the others.

    Parameters
    ----------
    receiving
        Receives in it, too.
    files
        To sweep what a process that died was writing.
    writer
        Writes the rows of all processes in it; None where each writes its own to a database server.
    """

    receiving: Receiving
    files: InstanceFiles
    writer: Recording | None


class ReceivingProcesses:
    """Accepts associations in processes of their own, all on one listening socket.

    With SO_REUSEPORT each process would have a socket and a queue of its own, and the connections that wait in the
    queue of a process that dies would be lost. Here all of them accept from the one queue of the one socket, which
    lives as long as any of them. Each connection wakes all of them, and all but one in vain: nothing that could be
    noticed at tens of associations. (At thousands EPOLLEXCLUSIVE would be the answer.)

    Parameters
    ----------
    settings
        The checked configuration.
    count
        How many, beside this one.
    first
        What is done in this one.
    served
        What the models ask for.
    callbacks
        What is called in this process.
    reached
        Called at each step of an instance in those processes, so it can be pickled; for tests that end them there.
    """

    def __init__(
        self,
        settings: Settings,
        count: int,
        first: FirstProcess,
        served: Served,
        callbacks: Callbacks,
        reached: Reached = unobserved,
    ) -> None:
        self._settings, self._count, self._served = settings, count, served
        self._own, self._files, self._writer = first.receiving, first.files, first.writer
        self._callbacks, self._reached = callbacks, reached
        self._listener: socket.socket | None = None
        self._receivers: KeptProcesses | None = None

    def start(self) -> int:
        """Open the port, and return it once all processes accept.

        Raises
        ------
        OperatorError
            Where the port cannot be opened, or a process does not start.
        """
        node = self._settings.node
        listener = self._listener = listening(node.bind, node.port)
        self._receivers = self._those_that(listener)
        self._receivers.start(_START_S)
        return self._own.start(SharedListener(listener.dup(), BeforeOthers()), shared_slots(self._settings))

    def _those_that(self, listener: socket.socket) -> KeptProcesses:
        """Return the processes, which hand over or write."""
        arguments = (listener, self._settings, self._reached)
        if self._writer is None:
            told = self._told(socket.socket.close)
            return KeptProcesses(self._count, write, (*arguments, self._served), told, WRITES)
        self._writer.start()
        return KeptProcesses(self._count, hand_over, arguments, self._told(self._writer.hear), HANDS_OVER)

    def _told(self, on_channel: Callable[[socket.socket], None]) -> Told:
        return Told(self._callbacks.wake, on_channel, self._sweep, self._callbacks.lost)

    def accepts(self, within_s: float) -> bool:
        """Return whether this and another process accept connections, after so long at most, and each is replaced."""
        if self._receivers is None:
            return False
        deadline = time.monotonic() + within_s
        return self._own.accepts(within_s) and self._receivers.serve(deadline - time.monotonic())

    def drain(self, timeout_s: float) -> bool:
        """Let every process reject new associations and finish the current ones; return whether all did in time."""
        if self._receivers is None:
            return True
        deadline = time.monotonic() + timeout_s
        self._receivers.finish()
        self._close()
        drained = self._own.drain(timeout_s)
        ended = self._receivers.ended(max(deadline - time.monotonic(), 0.0) + _GRACE_S)
        self._stop_writing()
        return drained and ended

    def abandon(self) -> None:
        """End the processes, whatever they do."""
        if self._receivers is not None:
            self._receivers.kill()
        self._close()
        self._stop_writing()

    def _stop_writing(self) -> None:
        if self._writer is not None:
            self._writer.stop()

    def _close(self) -> None:
        """Close the port in this process: it stays open as long as one accepts on it, and no longer."""
        if self._listener is not None:
            self._listener.close()

    def _sweep(self) -> None:
        """Remove what a process that died was writing; what the others write is theirs by the locks on it."""
        try:
            self._files.sweep()
        except OSError as error:  # the next death or start sweeps it
            _log.warning("leftovers not swept", reason=error.strerror)
