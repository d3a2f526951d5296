"""Numbers of copies in the quarantine after the migration: none that an operator may have noted is given again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, create_engine, select

from node.store import schema
from node.store.connection import snapshot
from tests.support.databases.postgres import PostgresServer

_AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("settled", [7, None], ids=["some were settled", "none was"])
def test_numbers_go_on_after_all_that_were_given(empty_url: str, settled: int | None) -> None:
    """Also after the highest, whose row is gone and which the timeline names; what is there stays, and goes back."""
    kept = _filled(empty_url, settled)
    schema.upgrade(empty_url)
    assert [kept, *_given(empty_url)] == ([1, 8, 9] if settled else [1, 2, 3])
    schema.downgrade(empty_url, "0019")
    with _connected(empty_url) as connection:
        copies = _table(connection, "instance_copies").columns
        assert connection.execute(select(copies["id"], copies["header"])).all() == [(kept, {})]


def test_numbers_begin_at_one_where_none_was_given(empty_url: str) -> None:
    """Nothing is counted on after."""
    schema.upgrade(empty_url, "0019")
    with _connected(empty_url) as connection:
        _hold(connection)
    schema.upgrade(empty_url)
    assert _given(empty_url) == [1, 2]


def test_a_server_goes_on_after_what_it_gave_although_nothing_tells_of_it(empty_postgres_url: str) -> None:
    """What neither a row nor an entry names, its sequence does."""
    _filled(empty_postgres_url, settled=None)
    lost = _given(empty_postgres_url)
    schema.upgrade(empty_postgres_url)
    assert min(_given(empty_postgres_url)) > max(lost)


def test_a_backup_that_names_no_numbers_lets_none_come_again(
    empty_postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """One from before they were written down: what was settled until then is in its timeline."""
    _filled(empty_postgres_url, settled=7)
    taken = replace(snapshot.take(empty_postgres_url, tmp_path), given={})
    assert taken.revision == "0019"
    with postgres_server.database() as there:
        snapshot.put_back(there, tmp_path, taken)
        assert _given(there) == [8, 9]


def _filled(url: str, settled: int | None) -> int:
    """Make a database of the revision before, with one copy; return its number."""
    schema.upgrade(url, "0019")
    with _connected(url) as connection:
        _hold(connection)
        if settled:
            _put(connection, "audit", at=_AT, event="quarantined copy discarded", detail={"copy": settled})
        return _copied(connection)


def _given(url: str) -> list[int]:
    """Return the numbers of two copies that come and go one after the other."""
    given = []
    for _ in range(2):
        with _connected(url) as connection:
            given.append(_copied(connection))
            copies = _table(connection, "instance_copies")
            connection.execute(copies.delete().where(copies.columns["id"] == given[-1]))
    return given


def _hold(connection: Connection) -> None:
    """Store what copies are of."""
    _put(connection, "studies", first_received_at=_AT)
    _put(connection, "instances", received_at=_AT, kind="image", header={}, turned_away={}, size_bytes=1)


def _copied(connection: Connection) -> int:
    return _put(connection, "instance_copies", received_at=_AT, kind="quarantined", header={}, size_bytes=1)


def _put(connection: Connection, name: str, **values: Any) -> int:
    """Insert a row with these values, and "1" in all other columns that need any; return its number, if any."""
    table = _table(connection, name)
    columns = [column for column in table.columns if not column.nullable and column.name != "id"]
    row = {column.name: "1" for column in columns if column.server_default is None} | values
    (key,) = connection.execute(table.insert(), row).inserted_primary_key
    return key if "id" in table.columns else 0


def _table(connection: Connection, name: str) -> Table:
    tables = MetaData()
    tables.reflect(connection)
    return tables.tables[name]


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()
