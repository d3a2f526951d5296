"""What the tests of the pipeline stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store.connection.engines import LONGEST_WAIT_S
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from tests.support.houses.house import House
from tests.support.peers.pacs import Pacs, serving


@pytest.fixture
def busy_timeout_s() -> float:
    """Return how long SQLite waits for a lock: as in service, where a test that holds one says no less."""
    return LONGEST_WAIT_S


@pytest.fixture
def house(database_url: str, tmp_path: Path, busy_timeout_s: float) -> Iterator[House]:
    """Give an empty database at the newest schema and an empty store, once for each kind of database."""
    database = Database.open(database_url, busy_timeout_s=busy_timeout_s, data_dir=tmp_path)
    yield House(database, InstanceFiles(tmp_path), tmp_path, database_url)
    database.close()


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    """Run a PACS that a test tells what to accept, and how to misbehave."""
    with serving(Pacs()) as running:
        yield running
