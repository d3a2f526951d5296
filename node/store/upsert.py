"""INSERT ... ON CONFLICT, which both databases speak and SQLAlchemy keeps in two dialects."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

Insert = postgresql.Insert | sqlite.Insert
"""An INSERT that knows ``on_conflict_do_nothing``, ``on_conflict_do_update`` and ``excluded``, the refused row."""

S = TypeVar("S")

_DIALECTS: dict[str, Callable[[Any], Insert]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def insert_into(tx: Session, table: type[Any]) -> Insert:
    """Return an INSERT into `table` for this transaction's database."""
    return insert_for(tx.get_bind().dialect.name, table)


def insert_for(dialect: str, table: type[Any]) -> Insert:
    """Return an INSERT into `table` for a dialect of this name."""
    return _DIALECTS[dialect](table.__table__)


def prepared(table: type[Any], completed: Callable[[Insert], S]) -> Callable[[Session], S]:
    """Return a function that gives a statement for a transaction's database, built once for each kind of database.

    Building a statement costs more than running it; on the way of every received image it is built ahead, and the
    values come as parameters of its execution.
    """

    @cache
    def built(dialect: str) -> S:
        return completed(insert_for(dialect, table))

    return lambda tx: built(tx.get_bind().dialect.name)
