"""What stands in a database, as another program that asks it sees it: only what is committed."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from node.store.database import Database


def rows_in(url: str, query: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows that a query finds, with values in the place of its ``:names``."""
    with closing(Database.open(url)) as database:
        return database.read(lambda tx: [tuple(map(_in_utc, row)) for row in tx.execute(text(query), values).all()])


def _in_utc(value: Any) -> Any:
    """Return a time in UTC: a server gives it in the zone of this machine."""
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo is not None else value
