"""A database in trouble: everyone is told soon, together, and the next write works when the trouble has passed."""

import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from node.store import audit, schema
from node.store.connection import engines
from node.store.connection.group_commit import GroupCommitWriter
from node.store.connection.pieces import Group, RunsAgain
from node.store.database import CommitUncertain, Database, DatabaseUnavailable, Transaction
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.stored import events_by_name
from tests.support.waiting import wait_until

_NOBODY = 65534


@pytest.fixture
def record(now: datetime) -> Callable[[Transaction, Sequence[str]], Sequence[str]]:
    """Return a function that adds an audit entry for each item."""

    def add(tx: Transaction, events: Sequence[str]) -> Sequence[str]:
        audit.add_all(tx, [audit.Entry(now, event) for event in events])
        return events

    return add


def _all_are_told(write: Callable[[str], object], writer: GroupCommitWriter, leads: threading.Event) -> None:
    """Start a writer that leads and seven that wait behind it, and see that each hears of the trouble."""
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(write, "lost first")]
        assert leads.wait(10)
        futures += [pool.submit(write, f"lost {number}") for number in range(7)]
        wait_until(lambda: len(writer._waiting) == 7, 10, "seven wait behind the first")
        errors = [future.exception(30) for future in futures]
    assert {type(error) for error in errors} == {DatabaseUnavailable}


def test_whoever_waits_behind_a_locked_file_is_told_with_the_first(
    tmp_path: Path, record: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wait for all: not each of them waits its own timeout after the others'."""
    url = f"sqlite:///{tmp_path / 'node.db'}"
    schema.upgrade(url)
    database = Database.open(url, busy_timeout_s=2)
    tries, leads, commit = [], threading.Event(), GroupCommitWriter._commit

    def seen(writer: GroupCommitWriter, group: Group, runs_again: RunsAgain) -> None:
        tries.append(group)
        leads.set()
        commit(writer, group, runs_again)

    monkeypatch.setattr(GroupCommitWriter, "_commit", seen)
    other = sqlite3.connect(tmp_path / "node.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert isinstance(database._writer, GroupCommitWriter)
    _all_are_told(lambda lost: database.write_together(record, lost), database._writer, leads)

    assert len(tries) == 1
    with pytest.raises(DatabaseUnavailable, match="locked"):
        database.ping()
    other.execute("ROLLBACK")
    other.close()
    database.ping()
    assert database.write_together(record, "in time") == "in time"
    assert events_by_name(database) == ["in time"]
    database.close()


def test_whoever_waits_behind_a_locked_row_is_told_with_the_first(
    postgres_url: str, record: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server, too; and the items are not tried one by one, each for as long."""
    monkeypatch.setattr(engines, "LONGEST_WAIT_S", 2.0)
    database = Database.open(postgres_url)
    calls, leads = [], threading.Event()

    def blocked(tx: Transaction, events: Sequence[str]) -> Sequence[str]:
        calls.append(len(events))
        leads.set()
        tx.execute(text("LOCK TABLE studies IN SHARE ROW EXCLUSIVE MODE"))
        return events

    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE studies IN ACCESS EXCLUSIVE MODE")
        writer = database._writer._together  # type: ignore[attr-defined]
        _all_are_told(lambda lost: database.write_together(blocked, lost), writer, leads)
    assert calls == [1]
    assert database.write_together(record, "in time") == "in time"
    database.close()


def test_a_server_that_is_stopped_is_transient_and_comes_back(
    postgres_server: PostgresServer, postgres_url: str, record: Callable[..., object]
) -> None:
    """Refused connections say so at once; once it is up again the next write works, without a restart of ours."""
    database = Database.open(postgres_url)
    database.write_together(record, "before")
    postgres_server.stop()
    try:
        for ask in (lambda: database.write_together(record, "lost"), database.ping, lambda: events_by_name(database)):
            with pytest.raises(DatabaseUnavailable):
                ask()
    finally:
        postgres_server.start()

    assert database.write_together(record, "after") == "after"
    assert events_by_name(database) == ["after", "before"]
    database.close()


@pytest.mark.parametrize("in_commit", [True, False])
def test_a_connection_that_is_lost_fails_for_all(
    postgres_server: PostgresServer,
    postgres_url: str,
    record: Callable[..., Sequence[str]],
    *,
    in_commit: bool,
) -> None:
    """In the middle, or in the commit: then nobody can say whether the server kept it, so nobody is told that it did.

    The next write works.
    """
    database = Database.open(postgres_url)

    def cut_off(tx: Transaction, events: Sequence[str]) -> Sequence[str]:
        recorded = record(tx, events)
        me = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        postgres_server.execute(f"SELECT pg_terminate_backend({me}, 5000)")
        return recorded if in_commit else record(tx, events)

    for write in (
        lambda: database.write_together(cut_off, "lost"),
        lambda: database.write(lambda tx: cut_off(tx, ["lost"])),
    ):
        with pytest.raises(DatabaseUnavailable) as caught:
            write()
        assert isinstance(caught.value, CommitUncertain) is in_commit

    assert database.write_together(record, "after") == "after"
    assert events_by_name(database) == ["after"]
    database.close()


def test_a_server_that_takes_no_writes_is_transient(
    postgres_server: PostgresServer, postgres_url: str, record: Callable[..., object]
) -> None:
    """As a standby is while it takes over: the ping says so before an instance is let in."""
    database = Database.open(postgres_url)
    name = make_url(postgres_url).database
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        for ask in (database.ping, lambda: database.write_together(record, "lost")):
            with pytest.raises(DatabaseUnavailable, match="read-only"):
                ask()
    finally:
        postgres_server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert database.write_together(record, "after") == "after"
    database.close()


def test_a_commit_waits_for_the_disk_where_the_server_would_not(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """A server set to lose its last commits would lose what a peer was told is stored."""
    name = make_url(postgres_url).database
    postgres_server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        database = Database.open(postgres_url)
        assert database.write(lambda tx: tx.scalar(text("SHOW synchronous_commit"))) == "on"
        database.close()
    finally:
        postgres_server.execute(f"ALTER DATABASE {name} RESET synchronous_commit")


@pytest.fixture
def foreign_file() -> Iterator[Path]:
    """Return a SQLite file at the newest revision in a folder that another user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "node.db")
        schema.upgrade(f"sqlite:///{file}")
        yield file


@contextmanager
def _without_privilege(file: Path) -> Iterator[None]:
    """Be a user to whom a file's permissions apply: to root they do not."""
    if os.geteuid() != 0:
        yield
        return
    for path in (file.parent, *file.parent.iterdir()):
        os.chown(path, _NOBODY, _NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_file_is_transient_and_passes(foreign_file: Path, record: Callable[..., object]) -> None:
    """A connection that was opened while nothing could be written is not kept for later."""
    with _without_privilege(foreign_file):
        database = Database.open(f"sqlite:///{foreign_file}")
        database.write_together(record, "before")
        database._engines[1].dispose()
        database._writer._kept.invalidate()  # type: ignore[attr-defined] - as any trouble of the disk does
        for path in foreign_file.parent.iterdir():
            path.chmod(0o400)
        for ask in (lambda: database.write_together(record, "lost"), database.ping):
            with pytest.raises(DatabaseUnavailable, match="readonly"):
                ask()
        for path in foreign_file.parent.iterdir():
            path.chmod(0o600)

        assert database.write_together(record, "after") == "after"
        assert events_by_name(database) == ["after", "before"]
        database.close()


def test_a_full_disk_fails_the_group_and_passes(tmp_path: Path, record: Callable[..., object], now: datetime) -> None:
    """Nothing of the group is kept, also what was recorded before the room ran out; and the next write works."""
    url = f"sqlite:///{tmp_path / 'node.db'}"
    schema.upgrade(url)
    database = Database.open(url)

    def fill(tx: Transaction, events: Sequence[str]) -> Sequence[str]:
        audit.add_all(tx, [audit.Entry(now, event, detail={"much": "x" * 100_000}) for event in events])
        return events

    pages = database.read(lambda tx: tx.execute(text("PRAGMA page_count")).scalar_one())
    database.write(lambda tx: tx.execute(text(f"PRAGMA max_page_count = {pages + 10}")))
    entered, go = threading.Event(), threading.Event()
    with ThreadPoolExecutor(4) as pool:
        pool.submit(database.write, lambda _tx: (entered.set(), go.wait(10)))
        assert entered.wait(10)
        futures = [pool.submit(database.write_together, each, "lost") for each in (record, fill)]
        assert isinstance(database._writer, GroupCommitWriter)
        waiting = database._writer._waiting
        wait_until(lambda: len(waiting) == 2, 10, "both wait")
        go.set()
        errors = [future.exception(10) for future in futures]

    assert [type(error) for error in errors] == [DatabaseUnavailable, DatabaseUnavailable]
    assert events_by_name(database) == []
    database.write(lambda tx: tx.execute(text("PRAGMA max_page_count = 1000000")))
    assert database.write_together(record, "after") == "after"
    database.close()
