"""Where a backup comes from, lies, and is put back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.config import Settings
from tests.support.houses.house import House


def _settings(folder: Path, url: str) -> Settings:
    tables: dict[str, Any] = {"node": {"ae_title": "NODE", "data_dir": folder}, "database": {"url": url}}
    return Settings.model_validate(tables)


@pytest.fixture
def here(house: House) -> Settings:
    """Return the configuration of the node that is backed up."""
    return _settings(house.folder, house.url)


@pytest.fixture
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the backup goes, apart from the node's own folder."""
    return tmp_path_factory.mktemp("backups") / "safe"


@pytest.fixture
def elsewhere(house: House, safe: Path, request: pytest.FixtureRequest) -> Callable[[], Settings]:
    """Return what gives the configuration of an empty place for the same kind of database."""
    folder = safe.parent / "restored"

    def settings() -> Settings:
        if house.url.startswith("sqlite"):
            return _settings(folder, f"sqlite:///{folder}/node.db")
        return _settings(folder, request.getfixturevalue("empty_postgres_url"))

    return settings
