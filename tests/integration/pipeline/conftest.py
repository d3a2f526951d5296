"""What the tests of the pipeline stand on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store import schema
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from tests.support.house import House


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a SQLite file at the newest revision, from which each test copies its own: the revisions take a while."""
    file = tmp_path_factory.mktemp("template") / "node.db"
    schema.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Give an empty database at the newest schema and an empty store, once for each kind of database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/node.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "node.db")
    else:
        url = request.getfixturevalue("postgres_url")
    database = Database.open(url, busy_timeout_s=0.5)
    yield House(database, InstanceFiles(tmp_path), tmp_path, url)
    database.close()
