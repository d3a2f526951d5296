"""INSERT ... ON CONFLICT, which both databases speak and SQLAlchemy keeps in two dialects."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert_into(tx: Session, table: type[Any]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT into `table` that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    if tx.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
