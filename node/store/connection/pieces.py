"""Pieces of work that callers wait for, and how those that gathered are run in one transaction.

It knows no thread but the one that runs it; who that is, and when, `node.store.connection.group_commit` decides.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from node.store.connection.driver_statement import joined_session
from node.store.connection.failures import concerns_all, given_up, has_given_up
from node.store.unavailable import CommitUncertain

RunsAgain = Callable[[SQLAlchemyError], bool]
"""Whether an error lets the whole group run again."""

_Record = Callable[[Session, Sequence[Any]], Sequence[Any]]

Work = tuple[_Record, Any]
"""What is done for several items at once, and one of these items."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one of several works ended: with a result, or with an error that undid it alone or all of them."""

    result: Any
    error: BaseException | None


class Piece:
    """One caller's work, and how it ended.

    Parameters
    ----------
    record
        Does the work of several pieces at once: their items in, a result for each out.
    item
        What this piece gives to `record`.
    shared
        Whether pieces of the same `record` are done in one call of it.
    """

    __slots__ = ("_error", "_result", "_turn", "is_gathered", "item", "kind", "leads", "record")

    def __init__(self, record: _Record, item: Any, *, shared: bool) -> None:
        self.record, self.item = record, item
        self.kind: object = record if shared else self
        self.leads = False  #: whether its caller serves the group that it is in
        self.is_gathered = False  #: whether its caller brought along what there is, so that none need be waited for
        self._result: Any = None
        self._error: BaseException | None = None
        self._turn = threading.Lock()
        self._turn.acquire()

    def wait(self) -> None:
        """Return when the piece is done or its caller is to lead."""
        if not self.leads:
            self._turn.acquire()

    def promote(self) -> None:
        """Let the caller lead."""
        self.leads = True
        self._turn.release()

    def ended(self, *, result: Any = None, error: BaseException | None = None) -> None:
        """Keep how it ended, which counts once the group is committed."""
        self._result, self._error = result, error

    def release(self, group_error: BaseException | None) -> None:
        """Let the caller go on; an error of the group counts before the piece's own."""
        self._error = group_error or self._error
        if not self.leads:
            self._turn.release()

    def end(self) -> Ended:
        """Return how it ended, after `wait`."""
        return Ended(self._result, self._error)

    def outcome(self) -> Any:
        """Return the result or raise the error."""
        if self._error is not None:
            raise self._error
        return self._result


class UndoneTogether(Exception):  # noqa: N818 - what happened, not what was wrong
    """A call for several pieces has failed, and which of them is at fault is not known."""


class Group(list[Piece]):
    """Pieces that are committed together; leaving the block releases every caller, whatever happened in it."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        super().__init__(pieces)
        self.is_apart = False  #: whether a call for all of them has failed, so that they run in savepoints

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        for_all = error
        if error is not None and not isinstance(error, Exception):  # only the leader was interrupted
            for_all = CommitUncertain("the database is not available: a write was broken off, perhaps in its COMMIT")
        for piece in self:
            piece.release(for_all)
        return for_all is error

    def run(self, connection: Connection, runs_again: RunsAgain) -> None:
        """Run all pieces; what one of them raises undoes that piece and is kept for its caller.

        Raises
        ------
        SQLAlchemyError
            What concerns all of them, lets them run again, or comes from the only one.
        DatabaseUnavailable
            Where SQLite gave up the whole transaction in the middle.
        UndoneTogether
            Where one of several that were done in one call failed: all are undone and are to be run again, apart.
        """
        batches = list(_batches(self))
        if len(batches) == 1 and (len(self) == 1 or not self.is_apart):  # its transaction is all that there is to undo
            with _Whole(self, runs_again):
                _run(connection, self)
            _require_transaction(connection, None)
            return
        for batch in batches if not self.is_apart else []:
            if _attempt(connection, batch, runs_again) and len(batch) > 1:
                _attempt_each(connection, batch, runs_again)
        if self.is_apart:
            _attempt_each(connection, self, runs_again)


def each(tx: Session, works: Sequence[Callable[[Session], Any]]) -> list[Any]:
    """Run works one after the other: the `record` of pieces that share nothing."""
    return [work(tx) for work in works]


class _Whole:
    """Has pieces that were done in one call, without a savepoint, run again apart where that fails.

    To set a savepoint and to give it up takes as long as to write a row, and a call that fails is rare.
    """

    def __init__(self, group: Group, runs_again: RunsAgain) -> None:
        self._group, self._runs_again = group, runs_again

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if len(self._group) == 1 or not isinstance(error, Exception):
            return
        if not isinstance(error, SQLAlchemyError) or not (concerns_all(error) or self._runs_again(error)):
            self._group.is_apart = True
            raise UndoneTogether from error


class _Savepoint:
    """Keeps what a batch raises for its callers, unless that is the whole group's business."""

    def __init__(self, batch: Sequence[Piece], runs_again: RunsAgain) -> None:
        self._batch, self._runs_again = batch, runs_again
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if isinstance(error, SQLAlchemyError) and (concerns_all(error) or self._runs_again(error)):
            return False
        self.error = error
        for piece in self._batch if error is not None else ():
            piece.ended(error=error)
        return isinstance(error, Exception)


def _attempt(connection: Connection, batch: Sequence[Piece], runs_again: RunsAgain) -> bool:
    """Run a batch in a savepoint; return whether it failed."""
    with _Savepoint(batch, runs_again) as savepoint, connection.begin_nested():
        _run(connection, batch)
    _require_transaction(connection, savepoint.error)
    return savepoint.error is not None


def _attempt_each(connection: Connection, pieces: Sequence[Piece], runs_again: RunsAgain) -> None:
    for piece in pieces:
        _attempt(connection, [piece], runs_again)


def _run(connection: Connection, batch: Sequence[Piece]) -> None:
    session = joined_session(connection)
    try:
        results = batch[0].record(session, [piece.item for piece in batch])
        if session.in_transaction():
            session.flush()
    finally:
        # the statements of an arrival go past the session, and closing one that was never used costs 20 us
        if session.in_transaction():
            session.close()
    for piece, result in zip(batch, results, strict=True):
        piece.ended(result=result)


def _require_transaction(connection: Connection, error: BaseException | None) -> None:
    # a failed work takes only its savepoint along, but on a full disk SQLite gives up everything, and the next work
    # would be committed by itself
    if has_given_up(connection):
        raise given_up(error) from error


def _batches(group: Sequence[Piece]) -> Iterable[list[Piece]]:
    """Return the pieces by kind, in the order in which the kinds came."""
    batches: dict[object, list[Piece]] = {}
    for piece in group:
        batches.setdefault(piece.kind, []).append(piece)
    return batches.values()
