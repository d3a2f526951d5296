"""The lock on a server's database: it outlives what the server does to the session that holds it."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from node.domain.errors import OperatorError
from node.store.connection.database_lock import database_lock
from node.store.connection.server_lock import ServerLock
from tests.support.databases.postgres import PostgresServer
from tests.support.waiting import wait_until

_HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
_LOOK_S = 0.02


@pytest.fixture
def lost() -> threading.Event:
    """Return an event that is set when the lock is lost to another node."""
    return threading.Event()


@pytest.fixture
def other(postgres_url: str) -> Iterator[psycopg.Connection]:
    """Give another session on the same database."""
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def _holders(postgres_url: str) -> list[int]:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        return [pid for (pid,) in connection.execute(_HOLDERS)]


def test_a_second_node_is_kept_off_a_database_until_the_first_is_gone(postgres_url: str, lost: threading.Event) -> None:
    """Wherever its data folder is."""
    with (
        database_lock(postgres_url, lost.set, _LOOK_S),
        pytest.raises(OperatorError, match="another node works on this database"),
        database_lock(postgres_url, lost.set),
    ):
        pass
    with database_lock(postgres_url, lost.set):
        pass
    assert _holders(postgres_url) == []
    assert not lost.is_set()


def test_a_lock_is_taken_again_after_the_server_was_started_again(
    postgres_server: PostgresServer, postgres_url: str, lost: threading.Event
) -> None:
    """The server forgets it with the session."""
    with database_lock(postgres_url, lost.set, _LOOK_S):
        postgres_server.stop()
        postgres_server.start()
        wait_until(lambda: bool(_holders(postgres_url)), 10, "the lock is held again")
        with pytest.raises(OperatorError), database_lock(postgres_url, lost.set):
            pass
    assert not lost.is_set()
    assert _holders(postgres_url) == []


def test_a_node_is_told_when_another_one_took_its_lock(
    postgres_url: str, other: psycopg.Connection, lost: threading.Event
) -> None:
    """While the server had let go of it; two nodes must not go on side by side."""
    with database_lock(postgres_url, lost.set, _LOOK_S):
        (holder,) = _holders(postgres_url)
        waiting = threading.Thread(target=other.execute, args=(f"SELECT pg_advisory_lock({0x6E6F6465})",))
        waiting.start()
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as operator:
            blocked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_until(lambda: operator.execute(blocked).fetchone() == (1,), 10, "the other one waits for the lock")
            operator.execute("SELECT pg_terminate_backend(%s)", [holder])
        waiting.join(10)
        assert lost.wait(10)


def test_our_own_session_that_the_server_has_not_missed_yet_is_no_other_node(postgres_url: str) -> None:
    """A connection that broke on our side alone: the server would hold its lock for hours."""
    lock = ServerLock(postgres_url)
    assert lock.take()
    (holder,) = _holders(postgres_url)
    broken, lock._session = lock._session, None
    wait_until(lambda: lock.is_ours() and _holders(postgres_url) not in ([], [holder]), 10, "a new session holds it")
    lock.close()
    assert _holders(postgres_url) == []
    assert broken is not None
    broken.invalidate()
    broken.close()
