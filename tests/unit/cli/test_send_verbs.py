"""Files can be sent from a machine that has no configuration."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from node.cli import application
from tests.support.objects.images import sample_file

NOBODY = "PACS@127.0.0.1:1"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder without a configuration, as the one that commands are run in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PACS_NODE_CONFIG", raising=False)
    return tmp_path


def _send(*arguments: str) -> Result:
    return CliRunner().invoke(application, ["send", str(sample_file("CT_small.dcm")), *arguments])


def test_a_peer_that_is_said_in_full_needs_no_configuration(elsewhere: Path) -> None:
    """Nobody listens there, that is all. A broken configuration does not matter where both ends are said."""
    assert "refused the connection" in _send("--to", NOBODY).output
    (elsewhere / "config.toml").write_text("this is no configuration")
    assert "refused the connection" in _send("--to", NOBODY, "--from", "SCANNER").output


@pytest.mark.usefixtures("elsewhere")
def test_a_name_needs_the_configuration_that_has_it() -> None:
    """And one that was named is not passed over in silence."""
    assert "no configuration file" in str(_send("--to", "pacs").exception)
    with_file = CliRunner().invoke(application, ["--config", "none.toml", "send", "file.dcm", "--to", NOBODY])
    assert "no configuration file at" in str(with_file.exception)
