"""How a database is reached: one place for URLs, pragmas and time limits."""

import math
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.util import LRUCache

from node.domain.errors import OperatorError
from node.store.connection.driver_statement import execute
from node.store.json_text import stored_text

LONGEST_WAIT_S = 5.0
"""How long a statement waits for a lock or a connection before the database counts as unavailable."""

ANSWER_WITHIN_S = 15.0
"""How long a server may compute one statement, or say nothing during a commit, before it counts as unavailable.

Beyond `LONGEST_WAIT_S`, so that of a lock the server itself speaks first, and below the time-outs of senders, which
wait 30 s and more for the response to a C-STORE."""

_SPOKEN_FIRST = 1.2  # this side waits longer by so much than the server may take: a server that lives says why

_STATEMENTS = 2000  # more than this program has


class _Statements(LRUCache[Any, Any]):
    """What SQLAlchemy has compiled, by the kind of database: all engines of a kind are configured alike.

    Each engine has a cache of its own otherwise, so that the reader and the writer compile everything twice.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a compiled statement, whichever engine it was compiled for."""
        return super().get(_by_kind(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_by_kind(key), value)


def _by_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return dialect.name, *statement


_ALIKE: dict[str, Any] = {
    "hide_parameters": True,  # they hold patient data
    "json_serializer": stored_text,
    "execution_options": {"compiled_cache": _Statements(_STATEMENTS)},
    "pool_size": 8,
    "max_overflow": 24,
    "pool_timeout": LONGEST_WAIT_S,
}


def parse(url: str) -> URL:
    """Return the parsed URL of a supported database.

    Raises
    ------
    OperatorError
        Where the URL names another database, or none.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise OperatorError(f"[database] url is not a database URL; {_FORMS}", exit_code=2) from error
    except ValueError:  # its words may hold a part of the password, so they are not told
        raise OperatorError(f"[database] url: its port is no number{_OR_NOT_ENCODED}", exit_code=2) from None
    if "@" in (parsed.host or ""):
        raise OperatorError(f"[database] url: its host holds an @{_OR_NOT_ENCODED}", exit_code=2)
    if not 0 < (parsed.port or 1) <= _LAST_PORT:
        raise OperatorError(f"[database] url: port {parsed.port} is none: 1 to {_LAST_PORT} are", exit_code=2)
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise OperatorError(f"[database] url: {parsed.drivername!r} is not supported; {_FORMS}", exit_code=2)
    return parsed


_LAST_PORT = 65535
_OR_NOT_ENCODED = ", or its password holds a sign (@ : / ? #) that is to be written as %40 %3A %2F %3F %23"
_FORMS = "use sqlite:///var/node.db or postgresql+psycopg://user@host/database"


def is_sqlite(url: str) -> bool:
    """Return whether the URL names an embedded database."""
    return parse(url).get_backend_name() == "sqlite"


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL, or None for another database."""
    parsed = parse(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def sqlite_engine(url: str, *, begin: str, pragmas: dict[str, str], busy_timeout_s: float = LONGEST_WAIT_S) -> Engine:
    """Return an engine on a SQLite file whose transactions begin as told.

    Parameters
    ----------
    url
        The database URL.
    begin
        ``BEGIN`` for readers; ``BEGIN IMMEDIATE`` for the writer, which then cannot find out half way that another
        process has written in between.
    pragmas
        Set on each connection, besides those that every connection needs.
    busy_timeout_s
        How long a connection waits its turn behind another process.
    """
    engine = create_engine(parse(url), **_ALIKE)
    always = {"busy_timeout": str(round(busy_timeout_s * 1000)), "foreign_keys": "ON"}

    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: the hook below does
        for pragma, value in (always | pragmas).items():
            connection.execute(f"PRAGMA {pragma}={value}")

    def begin_as_told(connection: Connection) -> None:
        execute(connection, begin)

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin_as_told)
    return engine


def sqlite_writer(url: str, busy_timeout_s: float) -> Engine:
    """Return the engine of the one writer: write-ahead log, and each commit on the disk before it returns.

    The log is taken over into the file every 16 MiB and not, as by itself, every 4: that costs two more syncs.
    """
    return sqlite_engine(
        url,
        begin="BEGIN IMMEDIATE",
        pragmas={"journal_mode": "WAL", "synchronous": "FULL", "wal_autocheckpoint": "4000"},
        busy_timeout_s=busy_timeout_s,
    )


def sqlite_reader(url: str, busy_timeout_s: float) -> Engine:
    """Return the engine of the readers, which cannot write."""
    return sqlite_engine(url, begin="BEGIN", pragmas={"query_only": "ON"}, busy_timeout_s=busy_timeout_s)


def postgresql_engine(url: str, *, answer_within_s: float | None = ANSWER_WITHIN_S) -> Engine:
    """Return an engine on a PostgreSQL server that gives up waiting: for a connection, a lock, and an answer.

    A commit returns once it is on the disk, and on that of a synchronous standby, whatever the server's own setting.

    Parameters
    ----------
    url
        The database URL.
    answer_within_s
        How long a statement may take, and the server be silent in a commit; None for ever, as migrations may take.
    """
    from node.store.connection.patience import ImpatientConnection  # noqa: PLC0415 - it loads the driver of a server

    _require_known_options(url)
    engine = create_engine(parse(url), pool_pre_ping=True, connect_args=reaching(answer_within_s), **_ALIKE)

    def connect(_dialect: Any, _record: Any, arguments: Any, named: dict[str, Any]) -> ImpatientConnection:
        connection = ImpatientConnection.connect(*arguments, **named)
        connection.answer_within_s = math.inf if answer_within_s is None else answer_within_s * _SPOKEN_FIRST
        return connection

    event.listen(engine, "do_connect", connect)
    return engine


def _require_known_options(url: str) -> None:
    from psycopg import ProgrammingError, conninfo  # noqa: PLC0415 - as its caller

    try:
        conninfo.make_conninfo("", **dict.fromkeys(parse(url).query, ""))
    except ProgrammingError as error:
        raise OperatorError(f"[database] url: {error}", exit_code=2) from error


def reaching(answer_within_s: float | None) -> dict[str, Any]:
    """Return how a server is reached, and what is asked of each of its sessions."""
    wait_s = round(LONGEST_WAIT_S)
    limits = f"-c lock_timeout={wait_s}s -c idle_in_transaction_session_timeout=60s"
    if answer_within_s is not None:
        limits += f" -c statement_timeout={round(answer_within_s * 1000)}"
    return {
        "connect_timeout": wait_s,
        # a host that vanished without a word is noticed: by what is sent, and by what is waited for
        "tcp_user_timeout": wait_s * 1000,
        "keepalives_idle": wait_s,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "options": f"{limits} -c synchronous_commit=on",
    }


def create_private_file(path: Path) -> None:
    """Create an empty database file that only its owner may read: it will hold patient data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
