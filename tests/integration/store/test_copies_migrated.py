"""Numbers of copies in the quarantine after the migration: none that an operator may have noted is given again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, create_engine, text

from node.store import schema

_AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("settled", [7, None], ids=["some were settled", "none was"])
def test_numbers_go_on_after_all_that_were_given(tmp_path: Path, settled: int | None) -> None:
    """Also after the highest, whose row is gone and which the timeline names; what is there stays, and goes back."""
    url = f"sqlite:///{tmp_path}/node.db"
    schema.upgrade(url, "0019")
    engine = create_engine(url)
    with engine.begin() as connection:
        _put(connection, "studies", first_received_at=_AT)
        _put(connection, "instances", received_at=_AT, kind="image", header={}, turned_away={}, size_bytes=1)
        kept = _copied(connection)
        if settled:
            _put(connection, "audit", at=_AT, event="quarantined copy discarded", detail={"copy": settled})
    schema.upgrade(url)
    given = []
    for _ in range(2):
        with engine.begin() as connection:
            given.append(_copied(connection))
            connection.execute(text("DELETE FROM instance_copies WHERE id = :it"), {"it": given[-1]})
    assert [kept, *given] == ([1, 8, 9] if settled else [1, 2, 3])
    schema.downgrade(url, "0019")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, header FROM instance_copies")).all() == [(kept, "{}")]
    engine.dispose()


def _copied(connection: Connection) -> int:
    return _put(connection, "instance_copies", received_at=_AT, kind="quarantined", header={}, size_bytes=1)


def _put(connection: Connection, name: str, **values: Any) -> int:
    """Insert a row with these values, and "1" in all other columns that need any; return its number."""
    tables = MetaData()
    tables.reflect(connection)
    columns = [column for column in tables.tables[name].columns if not column.nullable and column.name != "id"]
    row = {column.name: "1" for column in columns if column.server_default is None} | values
    return int(connection.execute(tables.tables[name].insert(), row).lastrowid)
