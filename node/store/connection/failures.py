"""Which failures of a database may pass, told from its drivers' errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from node.domain.errors import OperatorError
from node.store.unavailable import CommitUncertain, DatabaseUnavailable

_SQLITE_MAY_PASS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


class _OfServer(Protocol):
    """What `node.store.connection.server_failures` says of an error."""

    def is_of_driver(self, cause: object) -> bool: ...

    def may_pass(self, cause: object) -> bool: ...

    def lost_a_race(self, cause: object) -> bool: ...

    def concerns_all(self, cause: object) -> bool: ...


class LostInCommitError(DBAPIError):
    """What the driver raised when a server was lost during COMMIT; inside of this room alone."""


class DatabaseDamaged(OperatorError):  # noqa: N818 - it names a finding about a file
    """The database file cannot be read as one."""

    def __init__(self) -> None:
        super().__init__(
            "the database file is damaged or is no SQLite database: stop the node, move the file away, and put a copy "
            "of it from before in its place"
        )


def may_pass(error: SQLAlchemyError) -> bool:
    """Return whether the database, and not what was asked of it, is at fault."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        # the low byte is the primary code, the rest refines it; an error raised by the module itself has no code
        return getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _SQLITE_MAY_PASS
    return error.connection_invalidated or _server().may_pass(cause)


def concerns_all(error: SQLAlchemyError) -> bool:
    """Return whether other work would fail of the same: not of what was asked, but of the database as it is.

    A row lock that was waited for in vain counts: whoever came with it has waited as long.
    """
    cause = getattr(error, "orig", None)
    return may_pass(error) and (_is_embedded(cause) or _server().concerns_all(cause))


def has_given_up(connection: Connection) -> bool:
    """Return whether SQLite has rolled back the transaction by itself."""
    driver = connection.connection.driver_connection
    return isinstance(driver, sqlite3.Connection) and not driver.in_transaction


def is_damaged(error: SQLAlchemyError) -> bool:
    """Return whether SQLite cannot read its file: it is none of its own, or pages of it are broken."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def worth_another_run(error: SQLAlchemyError) -> bool:
    """Return whether the same work, run again at once, may well succeed: it lost a race on PostgreSQL."""
    if not isinstance(error, DBAPIError | IntegrityError) or _is_embedded(error.orig):
        return False
    return _server().lost_a_race(error.orig)


class InCommit:
    """Tells what was lost during COMMIT from all that fails for certain; around a transaction.

    Certain is what an embedded database raises, and a server that says that a race was lost. Uncertain is a server that
    was lost, and whatever else comes in between, such as a lack of memory: the commit may have been done by then. An
    interruption stays one, and is uncertain by its nature.
    """

    __slots__ = ("commits",)

    def __init__(self) -> None:
        self.commits = False  #: whether nothing but its COMMIT is left; whoever runs the transaction sets it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self.commits or not isinstance(error, Exception):
            return
        if isinstance(error, SQLAlchemyError) and (worth_another_run(error) or not _may_have_committed(error)):
            return
        cause = getattr(error, "orig", None) or error
        lost = not isinstance(error, DBAPIError) or error.connection_invalidated
        raise LostInCommitError(None, None, cause, hide_parameters=True, connection_invalidated=lost) from error


def _may_have_committed(error: SQLAlchemyError) -> bool:
    return may_pass(error) and not isinstance(getattr(error, "orig", None), sqlite3.Error)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what may pass as `DatabaseUnavailable`, without statement and parameters; let the rest through."""
    try:
        yield
    except SQLAlchemyError as error:
        seen = as_seen(error)
        if seen is error:
            raise
        raise seen from error


def as_seen(error: BaseException) -> BaseException:
    """Return an error as other rooms see it: one of a database in trouble as `translated` raises it, others as is."""
    if not isinstance(error, SQLAlchemyError):
        return error
    if is_damaged(error):
        return DatabaseDamaged()
    if not may_pass(error):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    # the words of whatever else came up may quote what was being written
    known = isinstance(cause, sqlite3.Error | SQLAlchemyError) or _server().is_of_driver(cause)
    words = str(cause).strip() if known else ""
    first_line = (words or type(cause).__name__).splitlines()[0]
    kind = CommitUncertain if isinstance(error, LostInCommitError) else DatabaseUnavailable
    return kind(f"the database is not available: {first_line}")


def given_up(error: BaseException | None) -> DatabaseUnavailable:
    """Return the error of a group that SQLite gave up in its middle, naming what it failed of first."""
    while error is not None and error.__context__ is not None:
        error = error.__context__
    reason = str(error) if isinstance(error, sqlite3.Error) else "it gave up a transaction"
    return DatabaseUnavailable(f"the database is not available: {reason}")


def _is_embedded(cause: object) -> bool:
    return isinstance(cause, sqlite3.Error)


def _server() -> _OfServer:
    from node.store.connection import server_failures  # noqa: PLC0415 - it loads the driver of a server

    return server_failures
