"""What a write promises: committed when it returns, alone when it fails, in groups when it is busy."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from node.domain.errors import OperatorError, Transient
from node.store import audit
from node.store.arriving import instances
from node.store.database import Database, DatabaseUnavailable, Transaction
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.stored import UnexpectedError, events_by_name, seen_from_outside

_WRITE_FOR_EVER = """
import itertools, os, sys, threading
from datetime import UTC, datetime
from node.store import audit
from node.store.database import Database

database = Database.open(sys.argv[1])

def write(thread):
    for number in itertools.count():
        event = f"{thread}-{number}"
        database.write(lambda tx: audit.add(tx, datetime.now(UTC), event))
        os.write(1, event.encode() + b"\\n")

for thread in range(4):
    threading.Thread(target=write, args=(thread,)).start()
"""


def test_a_write_returns_what_its_work_returns_and_is_kept(
    database: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """And what it wrote is seen by the next read."""
    assert database.write(note("kept")) == "kept"

    assert events_by_name(database) == ["kept"]


def test_what_a_work_raises_undoes_it_and_reaches_its_caller(
    database: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """The exception comes out as it is, and nothing of the work stays."""

    def fails(tx: Transaction) -> None:
        note("half")(tx)
        raise UnexpectedError

    with pytest.raises(UnexpectedError):
        database.write(fails)

    assert events_by_name(database) == []


def test_a_read_cannot_write(database: Database, note: Callable[[str], Callable[[Transaction], str]]) -> None:
    """So that no write ever goes past the one writer."""
    with pytest.raises((DatabaseUnavailable, SQLAlchemyError)):
        database.read(note("sneaked in"))

    assert events_by_name(database) == []


def test_a_read_sees_one_moment(database: Database, note: Callable[[str], Callable[[Transaction], str]]) -> None:
    """What is committed between two queries of one read shows in neither."""
    count = text("SELECT count(*) FROM audit")

    def twice(tx: Transaction) -> tuple[int, int]:
        before = tx.execute(count).scalar_one()
        database.write(note("meanwhile"))
        return before, tx.execute(count).scalar_one()

    assert database.read(twice) == (0, 0)
    assert events_by_name(database) == ["meanwhile"]


def test_the_same_instance_from_many_threads_is_added_once(
    database: Database, add_instance: Callable[..., object]
) -> None:
    """Looking and adding in one work is enough: whoever loses the race is run again and sees the winner."""
    together = threading.Barrier(6)

    def add_if_new(tx: Transaction) -> bool:
        if instances.held(tx, "1.2.3.1") is not None:
            return False
        add_instance(tx)
        return True

    def one() -> bool:
        together.wait(10)
        return database.write(add_if_new)

    with ThreadPoolExecutor(6) as pool:
        added = [future.result(30) for future in [pool.submit(one) for _ in range(6)]]

    assert sorted(added) == [False] * 5 + [True]


def test_a_closed_database_is_unavailable(file: Path) -> None:
    """A thread that is late at shutdown gets an answer and does not hang."""
    opened = Database.open(f"sqlite:///{file}")
    opened.close()

    with pytest.raises(DatabaseUnavailable, match="closed"):
        opened.write(lambda _tx: None)


def test_a_work_that_asks_for_a_write_of_its_own_is_told_so(embedded: Database) -> None:
    """It would wait for itself for ever; and the next write is not disturbed."""
    with pytest.raises(RuntimeError, match="cannot start another write"):
        embedded.write(lambda _tx: embedded.write(lambda _tx: None))

    assert embedded.write(lambda _tx: "next") == "next"


def test_what_was_acknowledged_survives_a_kill(file: Path) -> None:
    """A process that is killed while many threads write has lost nothing whose write had returned."""
    process = subprocess.Popen([sys.executable, "-c", _WRITE_FOR_EVER, f"sqlite:///{file}"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(100)]
    process.kill()
    acknowledged = [line.decode().strip() for line in first + process.stdout.readlines() if line.endswith(b"\n")]
    process.wait(10)

    kept = set(seen_from_outside(file))

    assert len(acknowledged) >= 100
    assert set(acknowledged) <= kept


def test_a_full_disk_is_transient_and_passes(
    embedded: Database, note: Callable[[str], Callable[[Transaction], str]], now: datetime
) -> None:
    """The write fails as unavailable, keeps nothing, and works again when there is room."""
    pages = embedded.read(lambda tx: tx.execute(text("PRAGMA page_count")).scalar_one())
    embedded.write(lambda tx: tx.execute(text(f"PRAGMA max_page_count = {pages + 1}")))

    with pytest.raises(DatabaseUnavailable, match="full"):
        embedded.write(lambda tx: audit.add(tx, now, "much", much="x" * 1_000_000))

    embedded.write(lambda tx: tx.execute(text("PRAGMA max_page_count = 1000000")))
    embedded.write(note("afterwards"))
    assert events_by_name(embedded) == ["afterwards"]


def test_a_locked_database_is_transient_and_passes(
    embedded: Database, file: Path, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """Another process that keeps the lock longer than the timeout makes the write fail, not hang."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnavailable, match="locked") as raised:
        embedded.write(note("too early"))

    other.execute("ROLLBACK")
    other.close()
    embedded.write(note("in time"))
    assert isinstance(raised.value, Transient)
    assert events_by_name(embedded) == ["in time"]


def test_two_processes_take_turns(file: Path, note: Callable[[str], Callable[[Transaction], str]]) -> None:
    """A command typed beside the node waits its turn, and so does the node."""
    node, command = (Database.open(f"sqlite:///{file}", busy_timeout_s=20) for _ in range(2))

    with ThreadPoolExecutor(8) as pool:
        works = [(database, f"{number:03}") for number in range(50) for database in (node, command)]
        list(pool.map(lambda work: work[0].write(note(work[1])), works))
    node.close()
    command.close()

    assert len(seen_from_outside(file)) == 100


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", 100),
        ("wal_autocheckpoint", 4000),
    ],
)
def test_sqlite_is_set_to_keep_what_it_acknowledged(embedded: Database, pragma: str, value: object) -> None:
    """Write-ahead log, each commit on the disk (2 is FULL), references enforced."""
    assert embedded.write(lambda tx: tx.execute(text(f"PRAGMA {pragma}")).scalar_one()) == value


def test_the_database_file_is_for_its_owner_alone(embedded: Database, file: Path) -> None:
    """It names patients."""
    assert file.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_hold_a_database_is_named(tmp_path: Path) -> None:
    """Before anything is accepted."""
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(DatabaseUnavailable, match=r"file/node\.db cannot be opened"):
        Database.open(f"sqlite:///{tmp_path}/file/node.db")


@pytest.mark.parametrize("url", ["mysql://host/db", "no url", "", "postgresql://host/db"])
def test_a_url_of_another_database_is_a_configuration_fault(url: str) -> None:
    """The message says which forms there are."""
    with pytest.raises(OperatorError, match="sqlite:///") as raised:
        Database.open(url)

    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("node:hunter2@db:54x2/n", "its port is no number"),
        ("node:hunter2@db:70000/n", "port 70000 is none"),
        ("node:hunt@er2@db/n", r"its host holds an @, or its password .* is to be written as %40"),
        ("node:hunter2@db/n?sslmod=require", 'invalid connection option "sslmod"'),
    ],
)
def test_a_url_that_no_server_has_is_a_configuration_fault_and_tells_no_password(rest: str, words: str) -> None:
    """One sentence, nothing of what stands between user and host."""
    with pytest.raises(OperatorError, match=words) as raised:
        Database.open(f"postgresql+psycopg://{rest}")
    assert raised.value.exit_code == 2
    assert "hunt" not in str(raised.value)
    assert "er2" not in str(raised.value)


def test_a_server_that_is_not_there_is_transient(tmp_path: Path) -> None:
    """Reading and writing say so alike, and no password is in the message."""
    nowhere = Database.open(f"postgresql+psycopg://pacs:secret@/node?host={tmp_path}")

    for ask in (nowhere.read, nowhere.write):
        with pytest.raises(DatabaseUnavailable) as raised:
            ask(lambda tx: tx.execute(text("SELECT 1")))
        assert "secret" not in str(raised.value)
    nowhere.close()


def test_a_server_that_dropped_its_connections_is_reached_again(
    postgres_server: PostgresServer, postgres_url: str, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """A restart of the server costs nothing but the work that was under way."""
    database = Database.open(postgres_url)

    def cut_off(tx: Transaction) -> None:
        me = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        postgres_server.execute(f"SELECT pg_terminate_backend({me})")
        tx.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        database.write(cut_off)

    assert database.write(note("again")) == "again"
    database.close()


def test_a_row_that_another_transaction_holds_is_waited_for_and_then_given_up(
    postgres_url: str, add_instance: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own lock timeout makes the write unavailable, as a locked file does on SQLite."""
    monkeypatch.setattr("node.store.connection.engines.LONGEST_WAIT_S", 1.0)
    database = Database.open(postgres_url)
    database.write(add_instance)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        other.execute("SELECT * FROM studies FOR UPDATE")

        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            database.write(lambda tx: tx.execute(text("UPDATE studies SET patient_name = ''")))
    database.close()


def test_a_work_cannot_close_what_it_writes_to(database: Database) -> None:
    """It would wait for itself."""

    def close(_tx: Transaction, _items: Sequence[None]) -> Sequence[None]:
        database.close()
        return _items

    with pytest.raises(RuntimeError, match="its own transaction"):
        database.write_together(close, None)
