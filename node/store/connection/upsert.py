"""INSERT ... ON CONFLICT, which both databases speak and SQLAlchemy keeps in two dialects."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

Insert = postgresql.Insert | sqlite.Insert
"""An INSERT that knows ``on_conflict_do_nothing``, ``on_conflict_do_update`` and ``excluded``, the refused row."""

_DIALECTS: dict[str, Callable[[Any], Insert]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def insert_into(tx: Session, table: type[Any]) -> Insert:
    """Return an INSERT into `table` for this transaction's database."""
    return insert_for(tx.get_bind().dialect.name, table)


def insert_for(dialect: str, table: type[Any]) -> Insert:
    """Return an INSERT into `table` for a dialect of this name."""
    return _DIALECTS[dialect](table.__table__)
