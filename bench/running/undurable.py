"""Start the node without durability, as other receivers run: for the benchmark alone, the product has no such setting.

``python -m bench.running.undurable --config FILE serve``. As `unsynced`, and an instance is answered once its file has
its name: its rows are written afterwards, with those that came within `_EVERY_S`. Where processes hand over to the
first one, they do so as late. Nothing of what is recorded is left out, and the benchmark looks for every row.
"""

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bench.running import unsynced

if TYPE_CHECKING:
    from node.pipeline.intake.arrival import Arrival
    from node.receiving.handing import HandingOver
    from node.store.database import Database

_EVERY_S = 0.05
_LARGEST_GROUP = 128  # as large as the node's own
_MOST_CHANNELS = 256
_STORED = 0x0000
_NO_JOBS = 0  # what a record returns of an instance that is new and that no model reads, as all of the benchmark's are

_Item = TypeVar("_Item")


class _Later(Generic[_Item]):
    """Writes what came, a moment after it was answered, on a thread of its own."""

    def __init__(self, write: Callable[[Sequence[_Item]], object]) -> None:
        self._write = write
        self._waiting: deque[_Item] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._starting = threading.Lock()

    def add(self, item: _Item) -> None:
        self._waiting.append(item)
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(_EVERY_S):
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), _LARGEST_GROUP)
            self._write([self._waiting.popleft() for _ in range(count)])


def _record_later() -> None:
    """Have a database write what is recorded together a moment later."""
    from node.store.database import Database  # noqa: PLC0415 - only where there is one

    later: dict[Database, _Later[Any]] = {}
    starting, close = threading.Lock(), Database.close

    def write_together(database: "Database", record: Any, item: Any) -> int:
        with starting:
            if database not in later:
                later[database] = _Later(database.write_all)
        later[database].add((record, item))
        return _NO_JOBS

    def close_after_writing(database: "Database") -> None:
        if database in later:
            later.pop(database).close()
        close(database)

    Database.write_together = write_together  # type: ignore[assignment, method-assign]
    Database.close = close_after_writing  # type: ignore[assignment, method-assign]


def _hand_over_later() -> None:
    """Have a process that hands over wait for no answer: a channel is used again once its answer is there."""
    from node.receiving.handing import HandingOver  # noqa: PLC0415 - only where it is done
    from node.receiving.message import asked  # noqa: PLC0415

    def record(handing: "HandingOver", came: "Arrival") -> int:
        asking = handing._asking  # noqa: SLF001
        channel = _answered(asking._idle) or asking._connect()  # noqa: SLF001
        channel.settimeout(None)  # a socket with a time limit would wait even where MSG_DONTWAIT is asked for
        channel.send(asked(came))
        asking._idle.append((time.monotonic(), channel))  # noqa: SLF001
        return _STORED

    HandingOver.record = record  # type: ignore[assignment, method-assign]


def _answered(channels: "deque[tuple[float, socket.socket]]") -> "socket.socket | None":
    """Return the channel that was used first, with its answer read; None where there are few, and that is not there."""
    with contextlib.suppress(IndexError):
        since, channel = channels.popleft()
        try:
            if not channel.recv(1 << 16, 0 if len(channels) > _MOST_CHANNELS else socket.MSG_DONTWAIT):
                raise ConnectionError("the first process is gone")
        except BlockingIOError:
            channels.appendleft((since, channel))
        else:
            return channel
    return None


def _hear_later() -> None:
    """Have the first process look every `_EVERY_S` for what was handed over."""
    from node.runtime.channels import Channels  # noqa: PLC0415 - only in the first process

    ready, pause = Channels._ready, threading.Event()  # noqa: SLF001

    def ready_later(channels: Channels) -> Any:
        pause.wait(_EVERY_S)
        return ready(channels)

    Channels._ready = ready_later  # type: ignore[assignment, method-assign]  # noqa: SLF001


if __name__ == "__main__":
    unsynced.keep_database_unsynced()
    _record_later()
    _hear_later()
    from node.__main__ import main

    main()
else:  # in a process that it starts
    _hand_over_later()
