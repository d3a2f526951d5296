"""SIGTERM and SIGINT, told to a thread of their own.

A handler in Python runs on the main thread, between two of its instructions: one that sets an event for which that
thread is waiting can wait for itself for ever, and a signal that the kernel gives to another thread is not seen until
the main one moves. So the handlers do nothing, the interpreter writes each signal's number to a pipe, and a thread
reads it there. It knows nothing of what is stopped.
"""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """The first signal is waited for, and each further one told at once.

    Parameters
    ----------
    again
        Called on a thread of its own for the second signal and those after it.

    References
    ----------
    Python documentation, `signal.set_wakeup_fd`.
    """

    def __init__(self, again: Callable[[], None]) -> None:
        self._again, self._first = again, threading.Event()

    def watch(self) -> None:
        """Take over both signals; on the main thread, for as long as the process lives."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _STOPPING:
            signal.signal(number, _seen)
        threading.Thread(target=self._read, args=(reading,), name="signals", daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return True when the first signal has come, False where it has not after so long."""
        return self._first.wait(timeout_s)

    def _read(self, reading: int) -> None:
        while numbers := os.read(reading, 1):
            if numbers[0] not in _STOPPING:  # of another handler in this process
                continue
            if self._first.is_set():
                self._again()
            self._first.set()


def _seen(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: without a handler in Python the signal would end the process."""
