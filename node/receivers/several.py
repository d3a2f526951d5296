"""The first process's part: it opens the port, starts the receiving processes on it, and keeps them up."""

import socket
from collections.abc import Callable

from node import telemetry
from node.config import Settings
from node.network.scp import listening
from node.pipeline.served import Served
from node.pipeline.steps import Reached, unobserved
from node.receivers.process import HANDS_OVER, WRITES, hand_over, write
from node.receivers.recording import Recording
from node.receiving import Callbacks
from node.runtime.kept import Told
from node.runtime.receivers import Receivers
from node.store.files import InstanceFiles

_START_S = 60.0
_GRACE_S = 5.0  # beyond the time of a drain, for aborting what did not finish and for the end of the process

_log = telemetry.logger("receiving")


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
        How many.
    files
        To sweep what a process that died was writing.
    writer
        Writes the rows of all processes in this one; None where each writes its own to a database server.
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
        files: InstanceFiles,
        writer: Recording | None,
        served: Served,
        callbacks: Callbacks,
        reached: Reached = unobserved,
    ) -> None:
        self._settings, self._count, self._files, self._served = settings, count, files, served
        self._writer, self._callbacks, self._reached = writer, callbacks, reached
        self._listener: socket.socket | None = None
        self._receivers: Receivers | None = None

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
        return int(listener.getsockname()[1])

    def _those_that(self, listener: socket.socket) -> Receivers:
        """Return the processes, which hand over or write."""
        arguments = (listener, self._settings, self._reached)
        if self._writer is None:
            told = self._told(socket.socket.close)
            return Receivers(self._count, write, (*arguments, self._served), told, WRITES)
        self._writer.start()
        return Receivers(self._count, hand_over, arguments, self._told(self._writer.hear), HANDS_OVER)

    def _told(self, on_channel: Callable[[socket.socket], None]) -> Told:
        return Told(self._callbacks.wake, on_channel, self._sweep, self._callbacks.lost)

    def accepts(self, within_s: float) -> bool:
        """Return whether a process accepts connections, after so long at most, and each that ends is replaced."""
        return self._receivers is not None and self._receivers.serve(within_s)

    def drain(self, timeout_s: float) -> bool:
        """Let every process reject new associations and finish the current ones; return whether all did in time."""
        if self._receivers is None:
            return True
        self._receivers.finish()
        self._close()
        ended = self._receivers.ended(timeout_s + _GRACE_S)
        self._stop_writing()
        return ended

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
