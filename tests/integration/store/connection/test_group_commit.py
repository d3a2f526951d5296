"""Works that gather while one commits: they share the next commit, and each fails for itself."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from node.store.database import Database, Transaction
from node.store.tables.operation_tables import AuditEntry
from tests.support.databases.stored import UnexpectedError, events_by_name, seen_from_outside
from tests.support.waiting import wait_until


class Gathered:
    """Works that are sure to be committed in one group: they queue up behind one that waits."""

    def __init__(self, database: Database, pool: ThreadPoolExecutor) -> None:
        self._database, self._pool = database, pool

    def run(self, *works: Callable[[Transaction], object]) -> list[Future[object]]:
        """Start the works so that they form one group, in this order."""
        entered, go = threading.Event(), threading.Event()
        first = self._pool.submit(self._database.write, lambda _tx: (entered.set(), go.wait(10)))
        assert entered.wait(10)
        waiting = self._database._writer._waiting  # type: ignore[attr-defined]
        futures = []
        for number, work in enumerate(works, start=1):
            futures.append(self._pool.submit(self._database.write, work))
            wait_until(lambda number=number: len(waiting) == number, 10, "the work is queued")
        go.set()
        first.result(10)
        return futures


@pytest.fixture
def gathered(embedded: Database) -> Iterator[Gathered]:
    """Run works as one group."""
    with ThreadPoolExecutor(8) as pool:
        yield Gathered(embedded, pool)


def test_writes_from_many_threads_share_commits(
    database: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """All are kept; on SQLite with fewer commits than works, which is where the speed comes from."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: database.write(note(f"{number:03}")), range(200)))

    assert events_by_name(database) == [f"{number:03}" for number in range(200)]
    if database._engines[0].dialect.name == "sqlite":
        assert database.commits < 100


def test_a_failing_work_fails_only_its_caller(
    gathered: Gathered, embedded: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """Its neighbours in the group are kept, before and after it."""

    def fails(tx: Transaction) -> None:
        note("half")(tx)
        raise UnexpectedError

    commits = embedded.commits
    before, failing, after = gathered.run(note("before"), fails, note("after"))

    assert before.result(10) == "before"
    assert after.result(10) == "after"
    assert isinstance(failing.exception(10), UnexpectedError)
    assert events_by_name(embedded) == ["after", "before"]
    assert embedded.commits == commits + 2  # the one that held the door, and the group


def test_a_broken_statement_fails_only_its_caller(
    gathered: Gathered, embedded: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """A row that a constraint refuses undoes its own savepoint."""
    statement = "INSERT INTO models (name, version, bundle, mode, rule) VALUES ('m', '1', 'b', 'loud', '{}')"

    refused, kept = gathered.run(lambda tx: tx.execute(text(statement)), note("kept"))

    assert isinstance(refused.exception(10), IntegrityError)
    assert kept.result(10) == "kept"
    assert events_by_name(embedded) == ["kept"]


def test_an_object_that_cannot_be_written_fails_only_its_caller(
    gathered: Gathered, embedded: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """What a work leaves to be written at its end is written in its own savepoint."""

    def leaves_half_an_entry(tx: Transaction) -> None:
        note("half")(tx)
        tx.add(AuditEntry(event="without a time"))

    before, refused, kept = gathered.run(note("before"), leaves_half_an_entry, note("kept"))

    assert isinstance(refused.exception(10), IntegrityError)
    assert (before.result(10), kept.result(10)) == ("before", "kept")
    assert events_by_name(embedded) == ["before", "kept"]


def test_nothing_returns_before_the_commit(
    gathered: Gathered, file: Path, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """While the group is open its first caller waits and no other connection sees the row; then both."""
    inside, go = threading.Event(), threading.Event()

    first, second = gathered.run(note("first"), lambda _tx: (inside.set(), go.wait(10)))
    assert inside.wait(10)
    seen, returned = seen_from_outside(file), first.done()
    go.set()
    first.result(10)
    second.result(10)

    assert (seen, returned) == ([], False)
    assert seen_from_outside(file) == ["first"]


def test_a_commit_that_fails_fails_for_all_and_keeps_nothing(
    gathered: Gathered, embedded: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """A reference that is checked only at the commit breaks it: nobody of the group is told that it worked."""
    orphan = text(
        "INSERT INTO instance_copies (sop_instance_uid, kind, transfer_syntax_uid, path, size_bytes, header, reason,"
        " calling_ae_title, called_ae_title, address, received_at)"
        " VALUES ('9.9', 'revision', '1.2', 'p', 1, '{}', '', 'A', 'B', '127.0.0.1', '2026-03-01 12:00:00.000000')"
    )

    def breaks_the_commit(tx: Transaction) -> None:
        tx.execute(text("PRAGMA defer_foreign_keys = ON"))
        tx.execute(orphan)

    futures = gathered.run(note("first"), breaks_the_commit, note("last"))

    assert all(isinstance(future.exception(10), IntegrityError) for future in futures)
    assert events_by_name(embedded) == []
    assert embedded.write(note("afterwards")) == "afterwards"


def test_a_reader_does_not_wait_for_the_writer(
    gathered: Gathered, embedded: Database, note: Callable[[str], Callable[[Transaction], str]]
) -> None:
    """A listing is answered while a group is being written."""
    inside, go = threading.Event(), threading.Event()

    (writing,) = gathered.run(lambda _tx: (inside.set(), go.wait(10)))
    assert inside.wait(10)
    seen = events_by_name(embedded)
    go.set()
    writing.result(10)

    assert seen == []


def test_a_ping_says_that_writes_are_taken(database: Database) -> None:
    """And writes nothing."""
    database.ping()

    assert events_by_name(database) == []
