"""Statements that run for every received image, close to the driver.

SQLAlchemy writes the SQL and converts the values, once for each database; what runs is the driver's own cursor. An
execution costs 2 to 4 us instead of the 17 to 25 us of `Connection.execute` (measured on SQLite), and an arrival needs
eight of them. Everything else in this room goes through SQLAlchemy as usual.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    SelectBase,
    SQLColumnExpression,
    String,
    any_,
    bindparam,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Row = Mapping[str, Any]
Among = Callable[[SQLColumnExpression[str]], ColumnElement[bool]]
_Converter = Callable[[Any], Any]

_CONNECTION = "connection"  # the key of a session's connection in its `info`
_SIZES = (1, 8, 64, 512)  # a statement for each: SQLite would compile one anew for each number of texts


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The SQL text for one database, and how values get in and out."""

    text: str
    given: tuple[tuple[Any, str, _Converter | None], ...]  #: place among the parameters, name in a row, converter
    fixed: list[Any] | dict[Any, Any]  #: the parameters, those in place that the statement itself says
    results: tuple[_Converter | None, ...]

    def values(self, row: Row) -> Any:
        values: Any = self.fixed.copy()
        for place, name, convert in self.given:
            values[place] = row[name] if convert is None else convert(row[name])
        return values

    def converted(self, found: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            value if convert is None else convert(value) for value, convert in zip(found, self.results, strict=True)
        )


class Statement:
    """One statement, compiled when it is first run on a database.

    Parameters
    ----------
    build
        Makes the statement for a dialect's name, ``sqlite`` or ``postgresql``.
    columns
        Of an INSERT: the columns that are given with each row; None for all.
    """

    def __init__(self, build: Callable[[str], ClauseElement], columns: Sequence[str] | None = None) -> None:
        self._build, self._columns = build, columns
        self._compiled: dict[str, _Compiled] = {}  # by kind of database: all engines of a kind are configured alike

    def run(self, tx: Session, rows: Sequence[Row]) -> None:
        """Run it once for each row; nothing where there is none.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            As SQLAlchemy raises it, without the values.
        """
        if rows:
            connection = _connection(tx)
            compiled = self._for(connection.dialect)
            if len(rows) == 1:
                execute(connection, compiled.text, compiled.values(rows[0]))
            else:
                execute(connection, compiled.text, [compiled.values(row) for row in rows], many=True)

    def rows(self, tx: Session, values: Row) -> list[tuple[Any, ...]]:
        """Run a query and return what it found.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            As SQLAlchemy raises it, without the values.
        """
        connection = _connection(tx)
        compiled = self._for(connection.dialect)
        found = execute(connection, compiled.text, compiled.values(values), fetch=True)
        return [compiled.converted(row) for row in found]

    def _for(self, dialect: Dialect) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._build(dialect.name), dialect, self._columns)
        return compiled


def execute(connection: Connection, text: str, values: Any = (), *, many: bool = False, fetch: bool = False) -> Any:
    """Run SQL on the driver's own cursor; its errors come out as SQLAlchemy's, which this room tells apart.

    Parameters
    ----------
    connection
        In a transaction, unless `text` begins one.
    text
        As the driver wants it.
    values
        The parameters; with `many` a list of them, for each of which it is run.
    many, fetch
        Whether it is run many times, and whether rows are returned.

    Returns
    -------
    list of tuple
        The rows; empty without `fetch`.
    """
    cursor = connection.connection.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(text, values)
        return cursor.fetchall() if fetch else []
    except connection.dialect.loaded_dbapi.Error as error:
        base: type[Exception] = connection.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(text, None, error, base, hide_parameters=True, dialect=connection.dialect) from error
    finally:
        cursor.close()


def joined_session(connection: Connection) -> Session:
    """Return a session in the transaction, or savepoint, that the connection is in; who began it also ends it.

    The statements of this file go past the session, which then has nothing to begin by itself.
    """
    return Session(
        connection, join_transaction_mode="rollback_only", expire_on_commit=False, info={_CONNECTION: connection}
    )


def _connection(tx: Session) -> Connection:
    # a session is one transaction here, and asking it for its connection costs as much as a short statement
    connection: Connection | None = tx.info.get(_CONNECTION)
    if connection is None:
        connection = tx.info[_CONNECTION] = tx.connection()
    return connection


class Lookup:
    """A query about any number of texts, such as UIDs.

    Parameters
    ----------
    build
        Makes the query; it is handed a function that gives the condition for a column to be one of the texts.
    """

    def __init__(self, build: Callable[[Among], ClauseElement]) -> None:
        self._by_size = {size: Statement(lambda dialect, size=size: build(_among(dialect, size))) for size in _SIZES}  # type: ignore[misc]

    def rows(self, tx: Session, texts: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return what is found for these texts, in no order; each text should come once."""
        if tx.get_bind().dialect.name == "postgresql":
            return self._by_size[1].rows(tx, {"text_0": list(texts)})
        most = _SIZES[-1]
        chunks = [texts[start : start + most] for start in range(0, len(texts), most)]
        return [row for chunk in chunks for row in self._of_chunk(tx, chunk)]

    def _of_chunk(self, tx: Session, texts: Sequence[str]) -> list[tuple[Any, ...]]:
        size = next(size for size in _SIZES if size >= len(texts))
        filled = [*texts, *repeat(texts[-1], size - len(texts))]
        return self._by_size[size].rows(tx, {f"text_{number}": text for number, text in enumerate(filled)})


def _among(dialect: str, size: int) -> Among:
    """Return the condition for one of `size` texts; PostgreSQL takes them as one parameter, however many."""
    if dialect == "postgresql":
        texts = bindparam("text_0", type_=ARRAY(String))
        return lambda column: any_(texts) == column
    each = [bindparam(f"text_{number}", type_=String) for number in range(size)]
    return lambda column: column.in_(each)


def _compile(statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    binds: dict[str, BindParameter[Any]] = compiled.binds  # type: ignore[attr-defined]
    names = compiled.positiontup if compiled.positional else list(binds)  # type: ignore[attr-defined]
    places = list(enumerate(names)) if compiled.positional else [(name, name) for name in names]  # type: ignore[attr-defined]
    converters = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in binds.items()}
    fixed = {
        place: _converted(binds[name].value, converters[name]) for place, name in places if not binds[name].required
    }
    results = statement.selected_columns if isinstance(statement, SelectBase) else ()
    return _Compiled(
        str(compiled),
        tuple((place, name, converters[name]) for place, name in places if binds[name].required),
        [fixed.get(place) for place, _ in places] if compiled.positional else fixed,  # type: ignore[attr-defined]
        tuple(column.type.dialect_impl(dialect).result_processor(dialect, None) for column in results),
    )


def _converted(value: Any, convert: _Converter | None) -> Any:
    return value if convert is None else convert(value)
