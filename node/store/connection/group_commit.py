"""Writes of many threads that come together share one transaction and one commit, without a thread of their own.

A commit that reaches the disk costs milliseconds, and SQLite has one writer at a time. The thread that finds nobody
committing leads: it opens a transaction, takes what has gathered, runs each piece of work in a savepoint of its own,
commits, releases the others, and hands the lead to the one that waits longest. Whoever leads serves its own group and
no more, so nobody starves, and a caller alone switches no thread. A caller's exception undoes that caller's work
alone; a commit that fails fails for all, and then nothing of the group was kept.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from node.store.connection.failures import InCommit, concerns_all, worth_another_run
from node.store.connection.pieces import Ended, Group, Piece, RunsAgain, UndoneTogether, Work, each
from node.store.unavailable import DatabaseUnavailable

T = TypeVar("T")
Item = TypeVar("Item")

_LARGEST_GROUP = 128  # bounds how long the first of a group waits for the last
_RUNS = 5  # how often a group is run that keeps losing races


class GroupCommitWriter:
    """What the writing threads of this process share.

    Parameters
    ----------
    engine
        An engine; on SQLite its transactions begin with ``BEGIN IMMEDIATE``.
    keeps_connection
        Whether one connection goes from leader to leader. Not where a server may drop it in between: only a
        connection that comes from the pool is tried before it is used.
    """

    def __init__(self, engine: Engine, *, keeps_connection: bool) -> None:
        self.commits = 0  #: how many transactions were committed
        self._engine, self._keeps_connection = engine, keeps_connection
        self._kept: Connection | None = None
        self._waiting: deque[Piece] = deque()
        self._closed = False
        self._is_led = False
        self._leader: int | None = None  # its thread, once it has begun
        self._idle = threading.Condition(threading.Lock())

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in the next group and return its result after the commit.

        Raises
        ------
        DatabaseUnavailable
            After `close`.
        RuntimeError
            Where a work asks for a write of its own: it would wait for itself.
        """
        piece = Piece(each, work, shared=False)
        self._do([piece])
        result: T = piece.outcome()
        return result

    def write_together(self, record: Callable[[Session, Sequence[Item]], Sequence[T]], item: Item) -> T:
        """Run `record` once for all items that gathered in this group; return this one's result after the commit."""
        piece = Piece(record, item, shared=True)
        self._do([piece])
        result: T = piece.outcome()
        return result

    def write_all(self, works: Sequence[Work]) -> list[Ended]:
        """Do all works in as few groups as they fit in; return how each ended, once all are committed.

        Parameters
        ----------
        works
            Pairs of what `write_together` is given.
        """
        pieces = [Piece(record, item, shared=True) for record, item in works]
        for piece in pieces:
            piece.is_gathered = True
        self._do(pieces)
        return [piece.end() for piece in pieces]

    def close(self) -> None:
        """Refuse what comes from now on, and wait until what is queued is committed."""
        self._refuse_reentry()
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._is_led)
        if self._kept is not None:
            self._kept.close()

    def _do(self, pieces: Sequence[Piece]) -> None:
        """Return when all pieces of this thread are done, by itself or by others."""
        self._refuse_reentry()
        with self._idle:
            if self._closed:
                raise DatabaseUnavailable("the database is closed")
            self._waiting.extend(pieces)
            for piece in pieces[:1]:
                piece.leads, self._is_led = not self._is_led, True
        try:
            for piece in pieces:
                piece.wait()
                if piece.leads:
                    self._lead()
        except BaseException:
            for piece in pieces:
                self._never_left_behind(piece)
            raise

    def _refuse_reentry(self) -> None:
        if self._leader == threading.get_ident():
            raise RuntimeError("a work uses its own transaction; it cannot start another write")

    def _never_left_behind(self, piece: Piece) -> None:
        """See that an interrupted caller neither leads without knowing it nor leaves its work to be done."""
        with self._idle:
            if piece in self._waiting:
                self._waiting.remove(piece)
                if piece.leads:
                    self._hand_on()

    def _lead(self) -> None:
        self._leader = threading.get_ident()
        try:
            with Group(self._taken(1)) as group:
                self._serve_or_tell_all(group)
        finally:
            with self._idle:
                self._leader = None
                self._hand_on()

    def _serve_or_tell_all(self, group: Group) -> None:
        try:
            self._serve(group)
        except SQLAlchemyError as error:
            if concerns_all(error):
                # each that waits would find the same, after the same wait
                group.extend(self._taken(len(self._waiting)))
            raise

    def _hand_on(self) -> None:
        if self._waiting:
            self._waiting[0].promote()
        else:
            self._is_led = False
            self._idle.notify_all()

    def _serve(self, group: Group) -> None:
        for _ in range(_RUNS - 1):
            try:
                self._commit(group, worth_another_run)
            except UndoneTogether:
                continue
            except SQLAlchemyError as error:
                if not worth_another_run(error):
                    raise
            else:
                return
        group.is_apart = True  # what fails now fails for its caller alone
        self._commit(group, lambda _error: False)

    def _commit(self, group: Group, runs_again: RunsAgain) -> None:
        with self._connected() as connection, InCommit() as progress, connection.begin():
            # gathered only now: while another process held the lock, more has come; and threads that wait for no more
            # than the interpreter come along (8 threads, nothing synced: a third of the commits)
            if not group[0].is_gathered:
                os.sched_yield()
            group.extend(self._taken(_LARGEST_GROUP - len(group)))
            group.run(connection, runs_again)
            progress.commits = True
        self.commits += 1

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        connection, self._kept = self._kept or self._engine.connect(), None
        try:
            yield connection
        except SQLAlchemyError as error:
            if concerns_all(error):
                connection.invalidate()  # a file that was opened read-only stays so until it is opened again
            raise
        else:
            if self._keeps_connection:
                self._kept = connection
        finally:
            if self._kept is None:
                connection.close()

    def _taken(self, most: int) -> list[Piece]:
        with self._idle:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
