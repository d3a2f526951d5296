"""The highest number that a verb takes is one that both databases can look for."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.cli.main import application
from node.cli.row_numbers import HIGHEST
from node.domain.errors import OperatorError

_VERBS = (
    "retry --job",
    "retry --delivery",
    "release --discard --job",
    "release --discard --delivery",
    "release --delivery",
    "quarantine discard",
    "quarantine accept",
    "backfill --show",
    "backfill --cancel",
    "backfill --retry",
    "retrain --cancel",
    "studies --limit",
    "deliveries --limit",
    "monitor --limit",
)


@pytest.fixture
def configuration(url: str, tmp_path: Path) -> Path:
    """Return a configuration file for an empty database."""
    file = tmp_path / "config.toml"
    peer = '[[peers]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 1\nmay_send = true\n'
    node = '[node]\nae_title = "PACSNODE"\ndata_dir = "var"\n'
    file.write_text(f'{node}[database]\nurl = "{url}"\n{peer}')
    return file


def test_the_highest_number_is_looked_for(configuration: Path) -> None:
    """Nothing has it, which is what the verb says, where it says anything."""
    for verb in _VERBS:
        done = CliRunner().invoke(application, ["--config", str(configuration), *verb.split(), str(HIGHEST)])
        assert done.exit_code == 0 or isinstance(done.exception, OperatorError), (verb, done.exception, done.output)
