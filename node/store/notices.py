"""Signals that there is work: told with the transaction that makes it, heard by whoever waits for it.

On PostgreSQL `tell` sends a NOTIFY in the transaction itself, so that every node on the database hears of the work at
the moment of its commit, from whichever process or host, and never before it, and of which kind it is: were everybody
who waits to look at each of them, the looks would cost more than the work. On SQLite one process works, and wakes
its own loops; a command that is typed beside it rings at a socket beside the database file (`ring`), where nobody gets
who may not enter its folder. A signal that is lost costs seconds and no work: whoever waits looks again by itself after
a while.

References
----------
PostgreSQL documentation, NOTIFY and LISTEN; unix(7)
"""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.engine import make_url

from node.store.connection import engines
from node.store.connection.driver_statement import Statement
from node.store.database import Transaction
from node.telemetry import logger

if TYPE_CHECKING:
    import psycopg

CHANNEL = "pacs_node_work"


class Work(StrEnum):
    """What a signal tells of."""

    ANY = ""
    READ = "read"
    COMPOSE = "compose"
    DELIVER = "deliver"
    COMMIT = "commit"
    FETCH = "fetch"
    RETRAIN = "retrain"


_BELL = ".bell"  # the ending of the socket's name beside the database file
_TOLD = "told"  # the key of a session's `info`
_AGAIN_S = 2.0  # after which a lost connection is tried again
_SILENCE_S = 30.0  # after which the connection is asked whether it lives
_log = logger("store.notices")


def tell(tx: Transaction, work: Work) -> None:
    """Say with this transaction that there is work of a kind; told more than once it is said once."""
    told = tx.info.setdefault(_TOLD, set())
    if tx.get_bind().dialect.name == "postgresql" and work not in told:
        told.add(work)
        _NOTIFY.rows(tx, {"work": work.value})


def ring(url: str) -> None:
    """Say to the node that works on a database that there may be work, from another process; nothing where none does.

    Parameters
    ----------
    url
        Of the database.
    """
    file = engines.sqlite_file(url)
    if file is None:
        import psycopg  # noqa: PLC0415 - a node on SQLite does not load it

        with contextlib.suppress(psycopg.Error), _connection(url) as connection:
            connection.execute(f"NOTIFY {CHANNEL}")
        return
    _ring_at(file)


class Listener:
    """A thread that hears of work, over a connection of its own that is made again when it breaks.

    Parameters
    ----------
    url
        Of the database.
    wake
        Called on the thread for each signal, with what it tells of; also when a connection was made, since some may
        have been missed before.
    """

    def __init__(self, url: str, wake: Callable[[Work], None]) -> None:
        self._url, self._wake = url, wake
        self._ending = threading.Event()
        self._close: Callable[[], None] = _nothing
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._ending.set()
        self._close()

    def _run(self) -> None:
        file, said = engines.sqlite_file(self._url), ""
        while not self._ending.is_set():
            try:
                for work in self._notices() if file is None else self._rings(file):
                    said = ""
                    self._wake(work)
            except _errors(file) as error:
                why = _in_words(error)
                if not self._ending.is_set() and why != said:  # what goes on is said once
                    said = why
                    _log.warning(
                        "work is not told of for a moment", error=why, file=str(file) + _BELL if file else None
                    )
            self._ending.wait(_AGAIN_S)

    def _notices(self) -> Iterator[Work]:
        with _connection(self._url) as connection:
            self._close = connection.close
            connection.execute(f"LISTEN {CHANNEL}")
            yield Work.ANY
            while not self._ending.is_set():
                for notice in connection.notifies(timeout=_SILENCE_S, stop_after=1):
                    yield _of(notice.payload)
                connection.execute("SELECT 1")  # a server that is gone without a word is noticed here

    def _rings(self, file: Path) -> Iterator[Work]:
        with _bell() as bell, _address(file) as address:
            with contextlib.suppress(FileNotFoundError):  # of a node that was killed: the lock says that none runs
                Path(address).unlink()
            bell.bind(address)
            Path(address).chmod(0o600)
            self._close = partial(_ring_at, file)
            yield Work.ANY
            while not self._ending.is_set():
                bell.recv(1)
                yield Work.ANY


def _errors(file: Path | None) -> tuple[type[Exception], ...]:
    """Return what a lost connection raises: a bell's socket, or also the driver of a server."""
    if file is not None:
        return (OSError,)
    import psycopg  # noqa: PLC0415 - a node on SQLite does not load it

    return psycopg.Error, OSError


def _of(payload: str) -> Work:
    """Return what a notice tells of; of what another version of the node says, anything."""
    return _WORKS.get(payload, Work.ANY)


def _connection(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    """Return a connection past SQLAlchemy, which has no word for notices."""
    import psycopg  # noqa: PLC0415 - a node on SQLite does not load it

    parsed = make_url(url).set(drivername="postgresql")
    limits = engines.reaching(engines.ANSWER_WITHIN_S)
    return psycopg.connect(parsed.render_as_string(hide_password=False), autocommit=True, **limits)


def _bell() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


@contextmanager
def _address(file: Path) -> Iterator[str]:
    """Yield the path of the socket beside a database file, by its folder's descriptor: one of its own has 107 bytes."""
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{file.name}{_BELL}"
    finally:
        os.close(folder)


def _ring_at(file: Path) -> None:
    with contextlib.suppress(OSError), _bell() as bell, _address(file) as address:
        bell.sendto(b"", socket.MSG_DONTWAIT, address)


def _in_words(error: Exception) -> str:
    """Return what kind of error it was, with the system's name for it where that gives one."""
    number = error.errno if isinstance(error, OSError) and error.errno else 0
    return f"{type(error).__name__} ({errno.errorcode.get(number, number)})" if number else type(error).__name__


def _nothing() -> None:
    """Close nothing: there is no connection yet."""


_WORKS = {work.value: work for work in Work}
_NOTIFY = Statement(lambda _: select(func.pg_notify(CHANNEL, bindparam("work", type_=Text))))
