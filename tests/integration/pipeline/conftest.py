"""What the tests of the pipeline stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store import schema
from node.store.database import Database
from node.store.files import InstanceFiles
from tests.support.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a migrated SQLite database and an empty store in a temporary folder."""
    url = f"sqlite:///{tmp_path}/node.db"
    schema.prepare(url)
    database = Database.open(url, busy_timeout_s=0.5)
    yield House(database, InstanceFiles(tmp_path), tmp_path)
    database.close()
