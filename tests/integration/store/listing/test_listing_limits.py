"""Verbs that list, at a node that has run for years: the newest first, so many, and nothing that waits left out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from node.cli.main import application
from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.store.database import Database, Transaction
from node.store.sending import outbox
from node.store.working import analyses
from node.store.working.analyses import NewAnalysis, NewRendition
from tests.support.databases.stored import Later

Add = Callable[..., object]
Run = Callable[..., str]

_STUDIES = 4


@pytest.fixture
def run(url: str, database: Database, add_instance: Add, later: Later, tmp_path: Path) -> Run:
    """Fill a database with studies of which only the first one's delivery waits; return what runs a verb on it."""
    database.write(lambda tx: [_add(tx, number, add_instance, later) for number in range(_STUDIES)])
    file = tmp_path / "config.toml"
    peer = '[[peers]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 1\nmay_send = true\n'
    node = '[node]\nae_title = "PACSNODE"\ndata_dir = "var"\n'
    file.write_text(f'{node}[database]\nurl = "{url}"\n{peer}')

    def said(*verb: str) -> str:
        done = CliRunner().invoke(application, ["--config", str(file), *verb], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return said


def _add(tx: Transaction, number: int, add_instance: Add, later: Later) -> None:
    study, at = f"1.2.{number + 1}", later(number)
    add_instance(tx, f"{study}.9", study, at=at)
    new = NewAnalysis(StudyInstanceUID(study), "starter", "1", Outcome.NEGATIVE, "d", "c", "k", at)
    analysis_id = analyses.add(tx, new)
    uids = SOPInstanceUID(f"2.25.{number + 1}"), SeriesInstanceUID("2.25.99")
    outbox.add(
        tx, analysis_id, "pacs", analyses.add_rendition(tx, analysis_id, NewRendition("1", *uids, "1.2", b"")), at
    )
    if number:
        outbox.cancel_waiting(tx, study, "starter", "pacs", at, "for the test")


def _studies(listed: str) -> list[Any]:
    return [row["study_instance_uid"] for row in json.loads(listed)]


def test_studies_lists_so_many_of_the_newest(run: Run) -> None:
    """A person sees that there may be more; a program gets as many as it asked for."""
    assert _studies(run("studies", "--limit", "2", "--json")) == ["1.2.4", "1.2.3"]
    assert "the newest 2 studies are listed; --limit 0 lists all" in run("studies", "--limit", "2")


def test_studies_lists_all_where_it_is_asked_to(run: Run) -> None:
    """Nothing is left out by 0, nor by the default where there are fewer."""
    assert len(_studies(run("studies", "--limit", "0", "--json"))) == _STUDIES
    assert len(_studies(run("studies", "--json"))) == _STUDIES
    assert "are listed" not in run("studies")


def test_deliveries_lists_all_that_waits_however_old(run: Run) -> None:
    """The limit is for what is settled."""
    rows = json.loads(run("deliveries", "--limit", "2", "--json"))
    assert [(row["study_instance_uid"], row["state"]) for row in rows] == [
        ("1.2.1", "waiting"),
        ("1.2.4", "cancelled"),
        ("1.2.3", "cancelled"),
    ]
    assert "the newest 2 settled deliveries" in run("deliveries", "--limit", "2")
    assert len(json.loads(run("deliveries", "--limit", "0", "--json"))) == _STUDIES
