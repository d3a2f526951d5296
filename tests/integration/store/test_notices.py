"""Signals that there is work, across processes: NOTIFY on PostgreSQL, a local socket on SQLite."""

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from node.store.database import Database, Transaction
from node.store.notices import Listener, Work, ring
from node.store.working.queue import NewRead, enqueue_reads

Heard = queue.SimpleQueue[Work]


@pytest.fixture
def heard(url: str) -> Iterator[Heard]:
    """Yield what a listener hears, once it listens."""
    signals: Heard = queue.SimpleQueue()
    listener = Listener(url, signals.put)
    listener.start()
    signals.get(timeout=10)  # at the connection itself
    yield signals
    listener.stop()


def _silent(heard: Heard, url: str) -> None:
    """See that nothing was said before a signal that is sent now."""
    ring(url)
    heard.get(timeout=10)
    assert heard.empty()


def test_a_command_beside_the_node_is_heard(url: str, heard: Heard) -> None:
    """As `retry` rings after its commit, on either database."""
    ring(url)
    heard.get(timeout=10)


def test_ringing_where_nobody_listens_does_no_harm(url: str) -> None:
    """A command is also typed where no node runs."""
    ring(url)


def test_work_is_told_of_with_its_commit_and_not_without(
    postgres_url: str, add_instance: Callable[..., object]
) -> None:
    """What is rolled back is never heard; what is committed is, from whichever process wrote it."""
    signals: Heard = queue.SimpleQueue()
    listener = Listener(postgres_url, signals.put)
    listener.start()
    signals.get(timeout=10)
    writer = Database.open(postgres_url)

    def work(tx: Transaction, *, fails: bool) -> None:
        new = add_instance(tx)
        enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], new.received_at)  # type: ignore[attr-defined]
        if fails:
            raise LookupError

    with pytest.raises(LookupError):
        writer.write(lambda tx: work(tx, fails=True))
    _silent(signals, postgres_url)
    writer.write(lambda tx: work(tx, fails=False))
    assert signals.get(timeout=10) is Work.READ

    writer.close()
    listener.stop()


def test_a_connection_that_breaks_is_made_again_and_tells_of_what_was_missed(postgres_url: str) -> None:
    """A server that restarts, or a proxy that drops what is idle, costs a look and no more."""
    signals: Heard = queue.SimpleQueue()
    listener = Listener(postgres_url, signals.put)
    listener.start()
    signals.get(timeout=10)
    other = Database.open(postgres_url)

    other.write(
        lambda tx: tx.connection().exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %%'"
        )
    )
    signals.get(timeout=20)  # at the new connection
    ring(postgres_url)
    signals.get(timeout=10)

    other.close()
    listener.stop()


def test_the_bell_hangs_where_only_the_nodes_user_gets(tmp_path: Path) -> None:
    """Beside the database, for its user alone; a killed node's is replaced, and a long folder name does no harm."""
    folder = tmp_path / ("a" * 120)
    folder.mkdir(mode=0o700)
    url, bell = f"sqlite:///{folder / 'node.db'}", folder / "node.db.bell"
    bell.touch()
    signals: Heard = queue.SimpleQueue()
    listener = Listener(url, signals.put)
    listener.start()
    signals.get(timeout=10)
    assert bell.is_socket()
    assert bell.stat().st_mode & 0o777 == 0o600
    ring(url)
    signals.get(timeout=10)
    listener.stop()


def test_a_bell_that_cannot_be_hung_is_told_once_with_its_cause(tmp_path: Path) -> None:
    """Which file, and the system's name for what is wrong; a look again is no news."""
    (tmp_path / "node.db.bell").mkdir()
    with capture_logs() as logs:
        listener = Listener(f"sqlite:///{tmp_path / 'node.db'}", lambda _: None)
        again = listener._ending.wait
        looks = iter((False, False, True))
        ended = threading.Event()

        def wait(_: float) -> bool:
            if next(looks):
                listener._ending.set()
                ended.set()
            return again(0)

        listener._ending.wait = wait  # type: ignore[method-assign]
        listener.start()
        assert ended.wait(10)
    (said,) = [log for log in logs if log["event"] == "work is not told of for a moment"]
    assert said["error"] == "IsADirectoryError (EISDIR)"
    assert said["file"].endswith("node.db.bell")
