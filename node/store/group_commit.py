"""One writer for SQLite that commits in groups.

SQLite has one writer at a time, and a commit that reaches the disk costs milliseconds. So the writes of all threads
queue up for one thread: what has gathered runs in one transaction, each piece of work in a savepoint of its own, and
one commit releases all callers. A caller's exception undoes that caller's savepoint alone; a commit that fails fails
for all, and then nothing of the group was kept.
"""

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from node.store.failures import DatabaseUnavailable, given_up

T = TypeVar("T")

_LARGEST_GROUP = 128  # bounds how long the first of a group waits for the last


class _Pending(Generic[T]):
    """One caller's work, and how it ended."""

    def __init__(self, work: Callable[[Session], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self.error: BaseException | None = None
        self.future: Future[T] = Future()

    def run(self, connection: Connection) -> None:
        """Run the work in a savepoint; what it raises undoes that savepoint and is kept for its caller."""
        with self, Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            self._result.append(self._work(session))
            session.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        self.error = error
        return True

    def release(self, group_error: BaseException | None) -> None:
        """Let the caller go on: with the group's error, its own work's error, or its result, in that order."""
        error = group_error or self.error
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self._result[0])


class _Group(list[_Pending[object]]):
    """Works that are committed together; leaving the block releases every caller, whatever happened in it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        for pending in self:
            pending.release(error)
        return True


class GroupCommitWriter:
    """The thread through which every write of this process goes.

    Parameters
    ----------
    engine
        An engine whose transactions begin with ``BEGIN IMMEDIATE``.
    """

    def __init__(self, engine: Engine) -> None:
        self.commits = 0  #: how many transactions were committed
        self._engine = engine
        self._waiting: queue.SimpleQueue[_Pending[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in the next group and return its result after the commit.

        Raises
        ------
        DatabaseUnavailable
            After `close`.
        RuntimeError
            Where a work asks for a write of its own: it would wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a work uses its own transaction; it cannot start another write")
        pending = _Pending(work)
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable("the database is closed")
            self._waiting.put(pending)
        return pending.future.result()

    def close(self) -> None:
        """Commit what is queued and stop the thread."""
        with self._lock:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._waiting.get()) is not None:
            with _Group([first]) as group:
                self._commit(group)

    def _commit(self, group: _Group) -> None:
        with self._engine.connect() as connection, connection.begin():
            # gathered only now: while another process held the lock, more has come
            self._gather(group)
            for pending in group:
                pending.run(connection)
                if not _in_transaction(connection):
                    # a failed work takes only its savepoint along, but on a full disk SQLite gives up everything,
                    # and the next work would be committed by itself
                    raise given_up(pending.error) from pending.error
        self.commits += 1

    def _gather(self, group: _Group) -> None:
        while len(group) < _LARGEST_GROUP and not self._waiting.empty():
            pending = self._waiting.get()
            if pending is None:  # close() was called: the mark goes back for the loop outside
                self._waiting.put(None)
                return
            group.append(pending)


def _in_transaction(connection: Connection) -> bool:
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver.in_transaction
