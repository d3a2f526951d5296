"""One leader at a time commits what gathered: whose thread it is, what it shares, and what it keeps apart."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy.exc import IntegrityError

from node.store import audit
from node.store.arriving import arrivals
from node.store.arriving.instances import NewInstance
from node.store.audit import Entry
from node.store.connection.group_commit import GroupCommitWriter
from node.store.connection.pieces import Piece
from node.store.database import Database, DatabaseUnavailable, Transaction
from tests.support.databases.stored import UnexpectedError, events_by_name
from tests.support.waiting import wait_until


class Recorded:
    """Adds audit entries and remembers how it was called."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.calls: list[list[str]] = []
        self.threads: list[int] = []

    def __call__(self, tx: Transaction, events: Sequence[str]) -> list[str]:
        """Add an entry for each event; those that begin with "bad" raise, after all was written."""
        self.calls.append(list(events))
        self.threads.append(threading.get_ident())
        audit.add_all(tx, [Entry(self._now, event) for event in events])
        if any(event.startswith("bad") for event in events):
            raise UnexpectedError
        return [event.upper() for event in events]


@pytest.fixture
def recorded(now: datetime) -> Recorded:
    """Return a function that records."""
    return Recorded(now)


def _writer(database: Database) -> GroupCommitWriter:
    writer = database._writer
    found = writer if isinstance(writer, GroupCommitWriter) else writer._together  # type: ignore[attr-defined]
    assert isinstance(found, GroupCommitWriter)
    return found


class Held:
    """Holds the lead until told, so that what is started meanwhile gathers in a known order."""

    def __init__(self, database: Database, pool: ThreadPoolExecutor) -> None:
        self.database, self._pool = database, pool
        self._entered, self._go = threading.Event(), threading.Event()
        self._first = pool.submit(database.write_together, self._hold, None)
        assert self._entered.wait(10)

    def _hold(self, _tx: Transaction, items: Sequence[None]) -> Sequence[None]:
        self._entered.set()
        assert self._go.wait(10)
        return items

    def start(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        """Start a write and return once it waits."""
        waiting = _writer(self.database)._waiting
        number = len(waiting) + 1
        future = self._pool.submit(function, *arguments)
        wait_until(lambda: len(waiting) == number, 10, "the work is queued")
        return future

    def let_go(self) -> None:
        """Let what gathered be committed."""
        self._go.set()
        self._first.result(10)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Return threads for writers."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture
def held(database: Database, pool: ThreadPoolExecutor) -> Held:
    """Return a database whose lead is held."""
    return Held(database, pool)


def test_a_caller_alone_does_its_work_itself(database: Database, recorded: Recorded) -> None:
    """No thread is woken for it, and none is kept for later."""
    threads = set(threading.enumerate())

    assert database.write_together(recorded, "one") == "ONE"

    assert recorded.threads == [threading.get_ident()]
    assert set(threading.enumerate()) <= threads


def test_items_that_gathered_are_recorded_in_one_call(held: Held, database: Database, recorded: Recorded) -> None:
    """In the order in which they came; each caller gets its own result, and all share one commit."""
    commits = database.commits
    futures = [held.start(database.write_together, recorded, event) for event in ("a", "b", "c")]
    held.let_go()

    assert [future.result(10) for future in futures] == ["A", "B", "C"]
    assert recorded.calls == [["a", "b", "c"]]
    assert events_by_name(database) == ["a", "b", "c"]
    assert database.commits == commits + 2  # the one that held the lead, and the group


def test_a_bad_item_fails_alone(held: Held, database: Database, recorded: Recorded) -> None:
    """What was recorded with it is recorded again one by one, and nothing of the first try stays."""
    futures = [held.start(database.write_together, recorded, event) for event in ("a", "bad", "c")]
    held.let_go()

    assert (futures[0].result(10), futures[2].result(10)) == ("A", "C")
    assert isinstance(futures[1].exception(10), UnexpectedError)
    assert recorded.calls == [["a", "bad", "c"], ["a"], ["bad"], ["c"]]
    assert events_by_name(database) == ["a", "c"]


def test_a_row_that_is_refused_fails_its_item_alone(
    held: Held, database: Database, add_instance: Callable[..., NewInstance]
) -> None:
    """Also on a server, where a refused row may be a lost race: it is not tried for ever."""

    def record(tx: Transaction, uids: Sequence[str]) -> Sequence[NewInstance]:
        return [add_instance(tx, uid) for uid in uids]

    futures = [held.start(database.write_together, record, uid) for uid in ("1.1", "1.1", "1.2")]
    held.let_go()

    outcomes = [type(future.exception(20)) for future in futures]
    assert outcomes == [type(None), IntegrityError, type(None)]
    assert database.read(lambda tx: arrivals.known_among(tx, ["1.1", "1.2"])).held == {"1.1", "1.2"}


def test_each_record_function_gets_its_own_items(held: Held, database: Database, now: datetime) -> None:
    """Two kinds in one group: a call for each."""
    one, other = Recorded(now), Recorded(now)
    futures = [
        held.start(database.write_together, one, "a"),
        held.start(database.write_together, other, "b"),
        held.start(database.write_together, one, "c"),
    ]
    held.let_go()

    assert [future.result(10) for future in futures] == ["A", "B", "C"]
    assert (one.calls, other.calls) == ([["a", "c"]], [["b"]])


def test_a_method_is_the_same_record_function_each_time(held: Held, database: Database, recorded: Recorded) -> None:
    """Asking an object for its method makes another object, which means the same."""
    futures = [held.start(database.write_together, recorded.__call__, event) for event in ("a", "b")]
    held.let_go()

    assert [future.result(10) for future in futures] == ["A", "B"]
    assert recorded.calls == [["a", "b"]]


def test_a_result_is_owed_to_each_item(held: Held, database: Database) -> None:
    """A record function that loses count is told, by an error to each of its callers."""
    futures = [held.start(database.write_together, lambda _tx, _items: [], number) for number in range(2)]
    held.let_go()

    assert all(isinstance(future.exception(10), ValueError) for future in futures)


def test_the_lead_goes_from_hand_to_hand(
    held: Held, database: Database, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leader serves one group and hands on to who waits longest: nobody is left, nobody leads for ever."""
    monkeypatch.setattr("node.store.connection.group_commit._LARGEST_GROUP", 2)
    futures = [held.start(database.write_together, recorded, str(number)) for number in range(6)]
    held.let_go()

    assert [future.result(10) for future in futures] == [str(number) for number in range(6)]
    assert recorded.calls == [["0", "1"], ["2", "3"], ["4", "5"]]
    assert len(set(recorded.threads)) == 3


def test_many_threads_share_commits(database: Database, recorded: Recorded, pool: ThreadPoolExecutor) -> None:
    """16 threads with 50 works each: all kept, each told its own, with far fewer commits than works."""
    together = threading.Barrier(16)

    def write(thread: int) -> list[str]:
        together.wait(10)
        return [database.write_together(recorded, f"{thread:02}-{number:02}") for number in range(50)]

    told = [event for events in pool.map(write, range(16)) for event in events]

    assert (
        told == events_by_name(database) == [f"{thread:02}-{number:02}" for thread in range(16) for number in range(50)]
    )
    assert database.commits < 400
    assert sum(map(len, recorded.calls)) == 800


def test_two_processes_record_each_uid_once(
    url: str, add_instance: Callable[..., NewInstance], pool: ThreadPoolExecutor
) -> None:
    """Whoever loses the race is run again and sees the winner; nothing comes out as an error."""
    processes = [Database.open(url, busy_timeout_s=20) for _ in range(2)]

    def record(tx: Transaction, uids: Sequence[str]) -> list[bool]:
        known = arrivals.known_among(tx, uids).held
        is_new = [uid not in known and uid not in uids[:number] for number, uid in enumerate(uids)]
        for uid in (uid for uid, new in zip(uids, is_new, strict=True) if new):
            add_instance(tx, uid, study_uid=f"1.{int(uid[2:]) % 3}")
        return is_new

    def come(number: int) -> bool:
        return processes[number % 2].write_together(record, f"1.{number // 4}")

    added = list(pool.map(come, range(160)))

    known = processes[0].read(lambda tx: arrivals.known_among(tx, [f"1.{number}" for number in range(40)]))
    for process in processes:
        process.close()
    assert len(known.held) == 40
    assert sum(added) == 40


def test_an_interrupted_leader_tells_the_others(held: Held, database: Database, recorded: Recorded) -> None:
    """Only its own thread is to end; the others hear that the write was broken off, and the next one works."""

    def interrupted(_tx: Transaction, _items: Sequence[str]) -> Sequence[str]:
        raise KeyboardInterrupt

    leader = held.start(database.write_together, interrupted, "first")
    other = held.start(database.write_together, recorded, "second")
    held.let_go()

    assert isinstance(leader.exception(10), KeyboardInterrupt)
    assert isinstance(other.exception(10), DatabaseUnavailable)
    assert database.write_together(recorded, "third") == "THIRD"
    assert events_by_name(database) == ["third"]


def test_an_interrupted_waiter_holds_up_nobody(
    held: Held, database: Database, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its work is taken back; were it the next to lead, the one after it leads."""
    wait = Piece.wait

    def interrupted(piece: Piece) -> None:
        wait(piece)
        if piece.item == "interrupted":
            raise KeyboardInterrupt

    monkeypatch.setattr(Piece, "wait", interrupted)
    gone = held.start(database.write_together, recorded, "interrupted")
    next_one = held.start(database.write_together, recorded, "next")
    held.let_go()

    assert isinstance(gone.exception(10), KeyboardInterrupt)
    assert next_one.result(10) == "NEXT"
    assert events_by_name(database) == ["next"]


def test_closing_waits_for_what_is_queued(
    held: Held, database: Database, recorded: Recorded, pool: ThreadPoolExecutor
) -> None:
    """What came before is committed, what comes after is told that the database is closed."""
    queued = held.start(database.write_together, recorded, "queued")
    closing = pool.submit(_writer(database).close)
    wait_until(lambda: _writer(database)._closed, 10, "closing has begun")

    with pytest.raises(DatabaseUnavailable, match="closed"):
        database.write_together(recorded, "late")

    assert not closing.done()
    held.let_go()
    closing.result(10)
    assert queued.result(10) == "QUEUED"
