"""The first process's side of handing over: it writes what all receiving processes bring, as the one that writes.

Whatever is there is written in one transaction, committed, and then answered. What is compared with a held copy of the
same UID reads two files and holds up nobody else: it has threads of its own.
"""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from node.domain.errors import OperatorError, Refused, Transient
from node.network.commitment import Heard
from node.pipeline.intake.arrival import Arrival
from node.pipeline.intake.books import Books, Entry
from node.receiving.message import ended, understood
from node.runtime.channels import AskedOn, Channels, Question
from node.store.database import Ended
from node.telemetry import logger, place_of

_COMPARED_AT_ONCE = 2
_SUCCESS = 0x0000
_STORED = ended(_SUCCESS)

_log = logger("receiving")


class Recording:
    """Writes and answers what receiving processes ask.

    Parameters
    ----------
    books
        Of this process's database.
    lost
        Called where nothing can be written for other processes any more, by a defect.
    """

    def __init__(self, books: Books, lost: Callable[[], None]) -> None:
        self._books = books
        self._channels = Channels(self._serve, lost)
        self._comparing = ThreadPoolExecutor(_COMPARED_AT_ONCE, thread_name_prefix="compare")

    def start(self) -> None:
        """Begin to write what is asked."""
        self._channels.start()

    def hear(self, channel: socket.socket) -> None:
        """Take a new channel of a receiving process."""
        self._channels.add(channel)

    def stop(self) -> None:
        """Write nothing more, and leave whoever still waits without an answer; stopping twice is harmless."""
        self._channels.stop()
        self._comparing.shutdown()

    def _serve(self, asked: Sequence[Question]) -> None:
        """Write all that is asked, and answer each."""
        entries = [understood(question) for _, question in asked]
        for (channel, _), entry, end in zip(asked, entries, self._written(entries), strict=True):
            if end.error is not None:
                _answer_failure(channel, end.error)
            elif isinstance(entry, Arrival) and end.result is None:
                self._compare(channel, entry)
            elif isinstance(entry, Heard):
                channel.answer(ended(end.result))
            else:
                channel.answer(_STORED)

    def _written(self, entries: Sequence[Entry]) -> Sequence[Ended]:
        try:
            return self._books.write(entries)
        except Transient as error:
            return [Ended(None, error)] * len(entries)

    def _compare(self, channel: AskedOn, came: Arrival) -> None:
        self._comparing.submit(self._books.settle, came).add_done_callback(partial(_answer_compared, channel))


def _answer_compared(channel: AskedOn, compared: Future[int]) -> None:
    error = compared.exception()
    if error is not None:
        _answer_failure(channel, error)
    else:
        channel.answer(ended(compared.result()))


def _answer_failure(channel: AskedOn, error: BaseException) -> None:
    if not isinstance(error, Refused | Transient | OperatorError | OSError):
        # its words may hold patient data; its type and where it happened do not
        _log.error("recording failed", error=type(error).__qualname__, place=place_of(error))
    channel.answer(ended(None, error))
