"""The verbs of versions at the command line: listed, promoted, taken back, refused in words."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from node import config
from node.cli import application
from node.domain.errors import OperatorError
from node.pipeline.registry.catalogue import seeded
from tests.support.houses.house import House
from tests.support.learning.versions import another_version, challenger

NOW = datetime(2026, 5, 2, tzinfo=UTC)
PEER = '[[peers]]\nname = "ct"\nae_title = "CT"\nhost = "localhost"\nport = 104\nmay_send = true\n'


@pytest.fixture
def configuration(house: House) -> Path:
    """Give the configuration of a site whose starter model is registered."""
    path = house.folder / "config.toml"
    path.write_text(
        f'[node]\nae_title = "PACSNODE"\ndata_dir = "{house.folder}"\n[database]\nurl = "{house.url}"\n'
        f'[go_live]\nrequire_validation = false\n[[models]]\nname = "starter"\n{PEER}',
        encoding="utf-8",
    )
    seeded(config.load(path), house.database, lambda: NOW)
    return path


def _said(configuration: Path, *arguments: str) -> str:
    done = CliRunner().invoke(application, ["--config", str(configuration), *arguments])
    if isinstance(done.exception, OperatorError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_version_is_listed_promoted_and_taken_back(house: House, configuration: Path, tmp_path: Path) -> None:
    """As an operator does it; without a name nobody has approved."""
    (first,) = json.loads(_said(configuration, "models", "versions", "--json"))
    second = challenger(house.database, another_version(tmp_path / "2", "2"), first["version"])
    assert "awaiting approval" in _said(configuration, "models", "versions", "starter")
    refused = CliRunner().invoke(application, ["--config", str(configuration), "models", "promote", "starter", second])
    assert (refused.exit_code, "--by" in refused.output) == (2, True)
    assert f"-> {second}, approved by Dr. Doe" in _said(
        configuration, "models", "promote", "starter", second, "--by", "Dr. Doe"
    )
    assert f"{second} -> {first['version']}" in _said(configuration, "models", "rollback", "starter")
    with pytest.raises(OperatorError, match="there is nothing to go back to"):
        _said(configuration, "models", "rollback", "starter")
