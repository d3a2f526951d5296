"""What `check` says of the node itself: whether it runs, and whether it knows the configuration."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.config import Settings
from node.config.loading import parse
from node.pipeline import running
from node.pipeline.check_line import CheckLine
from node.pipeline.checks import node_checks
from node.store import schema
from node.store.arriving import callers
from node.store.database import Database
from node.store.disk.folder_lock import DataFolderLock, holder

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_ROOM = {"name": "room", "ae_title": "ROOM", "host": "127.0.0.1", "port": 1, "may_send": True}
_CT = {"name": "ct", "ae_title": "CT1", "host": "10.0.0.7", "port": 104, "may_send": True}


def _settings(folder: Path, *peers: dict[str, object], port: int = 11112) -> Settings:
    node = {"ae_title": "NODE", "data_dir": str(folder), "port": port}
    return parse({"node": node, "peers": [_ROOM, *peers]}, folder / "config.toml")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return a configuration."""
    return _settings(tmp_path)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[DataFolderLock]:
    """Give the lock of a node that runs."""
    with DataFolderLock(tmp_path) as lock:
        yield lock


def test_a_node_that_does_not_run_is_told(settings: Settings) -> None:
    """Also where one was killed, and left its words behind."""
    with DataFolderLock(settings.node.data_dir) as lock:
        running.tell(lock, settings, _NOW, 11112)
    (line,) = node_checks.lines(settings)
    assert (line.subject, line.verdict, "does not run" in line.text) == ("node", "note", True)
    assert "`pacs-node serve` starts it" in line.text


def test_a_node_that_runs_says_its_process_since_when_and_its_port(settings: Settings, lock: DataFolderLock) -> None:
    """The port once it accepts associations."""
    said = f"runs as process {os.getpid()} since 2026-01-02 03:04:05 UTC, and"
    running.tell(lock, settings, _NOW)
    assert list(node_checks.lines(settings)) == [CheckLine("node", "ok", f"{said} starts")]
    running.tell(lock, settings, _NOW, 11112)
    assert list(node_checks.lines(settings)) == [CheckLine("node", "ok", f"{said} listens on port 11112")]


def test_a_node_of_an_earlier_version_runs_and_asks_for_a_restart(settings: Settings, lock: DataFolderLock) -> None:
    """It has told its process alone."""
    assert holder(settings.node.data_dir) is not None
    node, configuration = node_checks.lines(settings)
    assert (node.verdict, node.text) == ("ok", f"runs as process {os.getpid()}")
    assert "restart the node" in configuration.text
    lock.release()


def test_a_configuration_that_was_changed_since_asks_for_a_restart(settings: Settings, lock: DataFolderLock) -> None:
    """Until it is as it was, or the node was started with it."""
    running.tell(lock, settings, _NOW, 11112)
    changed = _settings(settings.node.data_dir, port=11113)
    (line,) = [line for line in node_checks.lines(changed) if line.subject == "config"]
    assert (line.verdict, "restart the node" in line.text) == ("note", True)
    running.tell(lock, changed, _NOW, 11113)
    assert [line.subject for line in node_checks.lines(changed)] == ["node"]


def test_who_looks_at_a_lock_does_not_keep_a_node_from_starting(tmp_path: Path) -> None:
    """Looking takes it for a moment, and makes no file."""
    assert holder(tmp_path) is None
    assert not list(tmp_path.iterdir())
    with DataFolderLock(tmp_path):
        assert holder(tmp_path) is not None
    assert holder(tmp_path) is None


def test_a_caller_that_the_configuration_lets_in_is_told_to_need_a_restart_and_then_is_told_no_more(
    settings: Settings, lock: DataFolderLock
) -> None:
    """The lines that let it in are for a configuration that lacks them."""
    schema.upgrade(settings.database.url)
    with_ct = _settings(settings.node.data_dir, _CT)
    reason = "calling AE title not recognised"
    running.tell(lock, settings, _NOW, 11112)
    with closing(Database.open(settings.database.url)) as database:
        database.write(lambda tx: callers.refused(tx, "CT1", "NODE", "10.0.0.7", reason, _NOW))

        def told(of: Settings) -> list[str]:
            return [line.text for line in node_checks.turned_away(of, database)]

        assert ["let it in with\n[[peers]]" in text for text in told(settings)] == [True]
        (text,) = told(with_ct)
        assert text.endswith("config.toml lets it in by now: restart the node")
        running.tell(lock, with_ct, _NOW + timedelta(seconds=9), 11112)
        assert told(with_ct) == []
        lock.release()
        assert told(with_ct) == []
