"""The first process's part: it opens the port, starts the receiving processes on it, and keeps them up."""

import socket
from collections.abc import Callable

from node import telemetry
from node.config import Settings
from node.network.scp import listening
from node.pipeline.served import Served
from node.receivers.process import receive
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
        The checked configuration; `receive.processes` says how many.
    served
        What the models ask for.
    files
        To sweep what a process that died was writing.
    wake
        Called after the commit of an instance that caused work, in whichever process.
    """

    def __init__(self, settings: Settings, served: Served, files: InstanceFiles, wake: Callable[[], None]) -> None:
        self._settings, self._served, self._files, self._wake = settings, served, files, wake
        self._listener: socket.socket | None = None
        self._receivers: Receivers | None = None

    def start(self) -> int:
        """Open the port, and return it once all processes accept.

        Raises
        ------
        OperatorError
            Where the port cannot be opened, or a process does not start.
        """
        settings = self._settings
        listener = self._listener = listening(settings.node.bind, settings.node.port)
        arguments = (listener, settings, self._served)
        self._receivers = Receivers(
            settings.receive.processes, receive, arguments, self._wake, self._sweep, ["node.receivers.preload"]
        )
        self._receivers.start(_START_S)
        return int(listener.getsockname()[1])

    def drain(self, timeout_s: float) -> bool:
        """Let every process reject new associations and finish the current ones; return whether all did in time."""
        if self._receivers is None:
            return True
        self._receivers.finish()
        self._close()
        return self._receivers.ended(timeout_s + _GRACE_S)

    def abandon(self) -> None:
        """End the processes, whatever they do."""
        if self._receivers is not None:
            self._receivers.kill()
        self._close()

    def _close(self) -> None:
        """Close the port in this process: it stays open as long as one accepts on it, and no longer."""
        if self._listener is not None:
            self._listener.close()

    def _sweep(self) -> None:
        """Remove what a process that died was writing; what the others write is theirs by the locks on it."""
        try:
            self._files.sweep()
        except OSError as error:  # the next death or start sweeps it
            _log.warning("what a receiving process left could not be swept", reason=error.strerror)
