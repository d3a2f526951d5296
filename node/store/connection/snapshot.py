"""The whole database as files, of one moment and while a node works on it; and files made a database again.

SQLite is copied by its own backup interface; of a PostgreSQL server, every table is copied out in one transaction that
sees one moment. A snapshot goes back into the kind of database that it was taken of.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, cast, func, inspect, select, text
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.orm import Session

from node.domain.errors import OperatorError
from node.store import schema
from node.store.connection import engines
from node.store.connection.failures import translated
from node.store.database import DatabaseUnavailable
from node.store.disk import paths

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_SQLITE_COPY = "node.db"
_CHUNK_BYTES = 1 << 20
_REVISIONS = "alembic_version"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database of one moment, in files."""

    kind: str  #: SQLITE or POSTGRESQL
    revision: str  #: of its schema
    tables: Mapping[str, list[str]]  #: columns by table, in an order in which they can be filled; of SQLite none
    paths: tuple[str, ...]  #: of the stored files that its rows refer to
    given: Mapping[str, int]  #: the highest number by table that a row ever had; of SQLite none: its file says it

    @property
    def files(self) -> list[str]:
        """Names of its files."""
        return [_copy_of(table) for table in self.tables] or [_SQLITE_COPY]


def take(url: str, folder: Path) -> Snapshot:
    """Write a snapshot into a folder, over one that may be there.

    Raises
    ------
    DatabaseUnavailable
        Where the database cannot be reached.
    OSError
        Where the folder cannot be written.
    """
    revision = schema.current(url)
    if revision is None:
        raise OperatorError("the database is empty: there is nothing to back up")
    file = engines.sqlite_file(url)
    if file is not None:
        return _of_sqlite(file, folder / _SQLITE_COPY, revision)
    return _of_postgresql(url, folder, revision)


def put_back(url: str, folder: Path, snapshot: Snapshot) -> None:
    """Make an empty database what a snapshot says, and bring it to this program's schema.

    Raises
    ------
    OperatorError
        Where the database is of another kind or not empty; see `require_empty`.
    DatabaseUnavailable
        Where it cannot be reached.
    OSError
        Where a file cannot be read or written.
    """
    require_empty(url, snapshot.kind)
    file = engines.sqlite_file(url)
    if file is None:
        _fill_postgresql(url, folder, snapshot)
    else:
        engines.create_private_file(file)
        file.write_bytes((folder / _SQLITE_COPY).read_bytes())
    schema.upgrade(url)


def require_empty(url: str, kind: str) -> None:
    """See that a snapshot of this kind can be put into a database.

    Raises
    ------
    OperatorError
        Where it is of another kind, or there is something in it.
    DatabaseUnavailable
        Where it cannot be reached.
    """
    file = engines.sqlite_file(url)
    if (SQLITE if file else POSTGRESQL) != kind:
        raise OperatorError(f"the backup is of a {kind} database, and [database] url names one of another kind")
    if file is not None:
        if file.exists():
            raise OperatorError(f"the database {file} is there already: a backup goes into an empty place")
        return
    with _server(url) as connection:
        tables = _reflected(connection)
        held = [table.name for table in tables if connection.scalar(select(func.count()).select_from(table))]
        foreign = tables and not inspect(connection).has_table(_REVISIONS)
    if held or foreign:
        named = ", ".join(held[:3]) if held else "tables of another program"
        raise OperatorError(f"the database is not empty (it holds {named}): a backup goes into an empty one")


def _of_sqlite(file: Path, copy: Path, revision: str) -> Snapshot:
    copy.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)  # in one step: a writer beside it neither waits nor is waited for
            target.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the log was
    except sqlite3.Error as error:
        raise DatabaseUnavailable(f"the database file {file} cannot be copied: {error}") from error
    engine = engines.sqlite_engine(f"sqlite:///{copy}", begin="BEGIN", pragmas={"query_only": "ON"})
    try:
        with Session(engine) as session:
            return Snapshot(SQLITE, revision, {}, _present(session), {})
    finally:
        engine.dispose()


def _of_postgresql(url: str, folder: Path, revision: str) -> Snapshot:
    with _server(url) as connection:
        tables = _reflected(connection)
        columns = {table.name: [column.name for column in table.columns] for table in tables}
        for name, of_table in columns.items():
            _copy_out(connection, name, of_table, folder / _copy_of(name))
        given = {table.name: last for table in tables if (last := _last_given(connection, table)) is not None}
        with Session(connection) as session:
            return Snapshot(POSTGRESQL, revision, columns, _present(session), given)


def _present(session: Session) -> tuple[str, ...]:
    return tuple(one.path for one in paths.in_order(session) if not one.removed)


def _fill_postgresql(url: str, folder: Path, snapshot: Snapshot) -> None:
    if schema.current(url) is not None:
        schema.downgrade(url, "base")  # it holds nothing: a restore that was broken off has left its tables
    schema.upgrade(url, snapshot.revision)
    with _server(url, writes=True) as connection:
        for name, columns in snapshot.tables.items():
            _copy_in(connection, name, columns, folder / _copy_of(name))
        for table in _reflected(connection):
            _count_on(connection, table, snapshot.given.get(table.name, 0))


def _last_given(connection: Connection, table: Table) -> int | None:
    """Return the number that a row got last, which may be gone since; None where none got one."""
    sequence = cast(_sequence_of(connection, table), REGCLASS)
    return connection.scalar(select(func.pg_sequence_last_value(sequence)))


def _count_on(connection: Connection, table: Table, given: int) -> None:
    """Let numbers of rows go on after the highest that is there, or was."""
    sequence = _sequence_of(connection, table)
    if sequence is not None:
        highest = connection.scalar(select(func.max(table.columns["id"]))) or 0
        if highest or given:
            connection.execute(select(func.setval(sequence, max(highest, given))))


def _sequence_of(connection: Connection, table: Table) -> str | None:
    if "id" not in table.columns:
        return None
    return connection.scalar(select(func.pg_get_serial_sequence(table.name, "id")))


def _reflected(connection: Connection) -> list[Table]:
    """Return the tables that there are, those that others refer to first."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != _REVISIONS]


@contextmanager
def _server(url: str, *, writes: bool = False) -> Iterator[Connection]:
    """Open one transaction that may take its time, and that sees one moment."""
    engine = engines.postgresql_engine(url, answer_within_s=None)
    moment = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": not writes}
    try:
        with translated(), engine.connect().execution_options(**moment) as connection, connection.begin():
            connection.execute(text("SELECT 1"))
            yield connection
    finally:
        engine.dispose()


def _copy_out(connection: Connection, table: str, columns: Iterable[str], file: Path) -> None:
    with (
        _cursor(connection) as cursor,
        file.open("wb") as out,
        cursor.copy(_copying(table, columns, "TO STDOUT")) as copy,
    ):
        for data in copy:
            out.write(data)


def _copy_in(connection: Connection, table: str, columns: Iterable[str], file: Path) -> None:
    with (
        _cursor(connection) as cursor,
        file.open("rb") as source,
        cursor.copy(_copying(table, columns, "FROM STDIN")) as copy,
    ):
        while data := source.read(_CHUNK_BYTES):
            copy.write(data)


def _cursor(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    if driver is None:
        raise DatabaseUnavailable("the connection to the database is gone")
    return driver.cursor()


def _copying(table: str, columns: Iterable[str], where: str) -> str:
    quoted = ", ".join(f'"{column}"' for column in columns)
    return f'COPY "{table}" ({quoted}) {where}'


def _copy_of(table: str) -> str:
    return f"{table}.copy"
