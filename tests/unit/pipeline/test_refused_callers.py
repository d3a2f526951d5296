"""What `check` says of the callers that were turned away."""

import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.config import Settings
from node.config.loading import parse
from node.pipeline.check_line import CheckLine
from node.pipeline.checks.all_checks import check
from node.store import schema
from node.store.arriving import callers
from node.store.database import Database, Transaction

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the configuration of a node with an empty database."""
    peer = {"name": "room", "ae_title": "ROOM", "host": "127.0.0.1", "port": 1, "may_send": True}
    node = {"ae_title": "NODE", "data_dir": str(tmp_path)}
    settings = parse({"node": node, "peers": [peer]}, tmp_path / "config.toml")
    schema.upgrade(settings.database.url)
    return settings


def _told(settings: Settings, calling_ae_titles: list[str]) -> list[CheckLine]:
    reason = "calling AE title not recognised"

    def refuse(tx: Transaction) -> None:
        for second, title in enumerate(calling_ae_titles):
            callers.refused(tx, title, "NODE", "10.0.0.7", reason, _NOW + timedelta(seconds=second))

    with closing(Database.open(settings.database.url)) as database:
        database.write(refuse)
    return [line for line in check(settings, Path("config.toml"), _NOW) if line.subject.startswith("refused caller")]


def test_a_scanner_that_invents_titles_does_not_bury_what_else_check_says(settings: Settings) -> None:
    """The latest are told, and how many there are besides."""
    *shown, rest = _told(settings, [f"X{number}" for number in range(100)])
    assert len(shown) == 20
    assert shown[0].text.startswith("X99 at 10.0.0.7")
    assert rest.text.startswith("80 more")


@pytest.mark.parametrize("title", ["", "CT 1"])
def test_lines_that_let_a_caller_in_are_given_where_it_has_a_title(settings: Settings, title: str) -> None:
    """A blank title is none: a configuration that names it is refused."""
    (line,) = _told(settings, [title])
    offered = tomllib.loads(line.text.partition("let it in with\n")[2])
    assert [peer["ae_title"] for peer in offered.get("peers", [])] == ([title] if title else [])
    assert line.text.startswith(f"{title or '(no AE title)'} at 10.0.0.7 called NODE")
