"""Whether an instance could be kept at all: room on the disk, and files and database that work.

What failed once is tried again, cheaply, before the next association or instance is let in, and counts as working from
the first try that succeeds: nothing has to be restarted. On a disk that is nearly full small things can be written and
large ones cannot, at the same time: that is no news each time, and is logged once a minute at most.
"""

import time
from collections.abc import Callable

from node.domain.errors import OperatorError, Refused, Transient
from node.store.disk.files import Free, InstanceFiles
from node.telemetry import logger

_OUT_OF_RESOURCES = 0xA700
_SAID_EVERY_S = 60.0
_PROBE = b"\0" * 4096  # less than a block is written even where none is left

Trouble = OSError | Transient | OperatorError
"""How files and database fail; the last is a database file that is damaged."""

_log = logger("pipeline.congestion")


class Congestion:
    """Knows whether the store can be written; for any thread.

    Parameters
    ----------
    ping
        Sees that a row would be written, or raises.
    files
        Where instances are kept.
    least
        What must stay free.
    elapsed
        Seconds since any moment.
    """

    def __init__(
        self,
        ping: Callable[[], None],
        files: InstanceFiles,
        least: Free,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ping, self._files, self._least, self._elapsed = ping, files, least, elapsed
        self._in_trouble = self._is_said = False
        self._said_at: float | None = None

    def reason(self) -> str | None:
        """Return why nothing can be kept now, None where it can; for whoever decides on an association."""
        try:
            return self._reason()
        except OSError as error:
            return f"the instance store cannot be read: {error.strerror}"

    def require_room(self) -> None:
        """See that an instance can be kept, before anything of it is written.

        Raises
        ------
        Refused
            0xA700 with the reason.
        """
        reason = self.reason()
        if reason is not None:
            raise Refused(_OUT_OF_RESOURCES, reason)

    def noticed(self, error: Trouble) -> Refused:
        """Remember that files or database failed, and return what the peer is answered."""
        reason = _described(error)
        self._in_trouble = True
        self._say(reason)
        return Refused(_OUT_OF_RESOURCES, reason)

    def _reason(self) -> str | None:
        free, least = self._files.free(), self._least
        if free.bytes < least.bytes or free.inodes < least.inodes:
            return "the disk is at its watermark ([storage] min_free_mb, min_free_inodes)"
        return self._probed() if self._in_trouble else None

    def _probed(self) -> str | None:
        try:
            self._try_files()
            self._ping()
        except (OSError, Transient, OperatorError) as error:
            reason = _described(error)
            self._say(reason)
            return reason
        self._in_trouble = False
        if self._is_said:
            self._is_said = False
            _log.info("instances can be stored again")
        return None

    def _say(self, reason: str) -> None:
        """Log that there is trouble, once for as long as it lasts, and once in a while where it comes and goes."""
        now = self._elapsed()
        if self._is_said or (self._said_at is not None and now - self._said_at < _SAID_EVERY_S):
            return
        self._is_said, self._said_at = True, now
        _log.error("instances cannot be stored", reason=reason)

    def _try_files(self) -> None:
        part = self._files.open_part()
        try:
            part.write([_PROBE])
            part.sync()
        finally:
            part.discard()


def _described(error: Trouble) -> str:
    if isinstance(error, OSError):
        return f"the instance store cannot be written: {error.strerror or type(error).__name__}"
    return "the database cannot be written"
