"""The database as the other rooms see it: work goes in, its result comes out after the commit.

::

    database = Database.open("sqlite:///var/node.db")
    held = database.read(lambda tx: instances.held(tx, sop_instance_uid))
    database.write(lambda tx: arrivals.add_all(tx, [new_instance]))

A work is a function of one transaction. It may be run again when it lost a race on PostgreSQL, so it touches nothing
but its transaction, and it returns plain values.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from node.store.connection import engines
from node.store.connection.driver_statement import execute
from node.store.connection.failures import InCommit, as_seen, translated, worth_another_run
from node.store.connection.group_commit import GroupCommitWriter
from node.store.connection.pieces import Ended, Work
from node.store.unavailable import CommitUncertain, DatabaseUnavailable

__all__ = ["CommitUncertain", "Database", "DatabaseUnavailable", "Ended", "Transaction", "Work", "writes_nothing"]

Transaction = Session
"""What a work gets, and what every repository function takes first."""

T = TypeVar("T")
Item = TypeVar("Item")

DATA_DIR = "pacs_node_data_dir"
"""Option of an engine: the node's data folder, with a slash at its end."""

_WRITES_NOTHING = "DELETE FROM audit WHERE 1 = 0"  # refused all the same where nothing may be written

_RUNS = 5  # how often a work is run that keeps losing races


class _Writer(Protocol):
    @property
    def commits(self) -> int: ...

    def write(self, work: Callable[[Session], T]) -> T: ...

    def write_together(self, record: Callable[[Session, Sequence[Item]], Sequence[T]], item: Item) -> T: ...

    def write_all(self, works: Sequence[Work]) -> list[Ended]: ...

    def close(self) -> None: ...


class Database:
    """An open database; its methods may be called from any thread."""

    def __init__(self, reader: Engine, writer: _Writer, engines_: tuple[Engine, ...]) -> None:
        self._reader = reader
        self._writer = writer
        self._engines = engines_

    @classmethod
    def open(
        cls,
        url: str,
        *,
        busy_timeout_s: float = engines.LONGEST_WAIT_S,
        answer_within_s: float = engines.ANSWER_WITHIN_S,
        data_dir: Path | None = None,
    ) -> Self:
        """Open a database. Whether its schema fits is `node.store.schema.check`'s business.

        Parameters
        ----------
        url
            ``sqlite:///path`` or ``postgresql+psycopg://...``.
        busy_timeout_s
            SQLite only: how long to wait for another process that writes.
        answer_within_s
            PostgreSQL only: how long one statement may take, and how long the server may say nothing.
        data_dir
            The node's data folder: some rows keep places in it (`node.store.registering.bundle_places`).

        Raises
        ------
        OperatorError
            Where the URL names no supported database.
        DatabaseUnavailable
            Where the file cannot be opened or written. A PostgreSQL server is asked only by the first work.
        """
        file = engines.sqlite_file(url)
        if file is None:
            engine = _of(data_dir, engines.postgresql_engine(url, answer_within_s=answer_within_s))
            # a listing is several queries, and only this isolation shows them all the same moment
            snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            return cls(snapshot, _PerCallWriter(engine), (engine,))
        _create(file)
        reader = _of(data_dir, engines.sqlite_reader(url, busy_timeout_s))
        writer = _of(data_dir, engines.sqlite_writer(url, busy_timeout_s))
        _connect(writer)  # the file turns to write-ahead logging here, while no reader can be in the way
        return cls(reader, GroupCommitWriter(writer, keeps_connection=True), (reader, writer))

    @property
    def commits(self) -> int:
        """How many write transactions were committed so far; on SQLite fewer than works, when they came together."""
        return self._writer.commits

    def read(self, work: Callable[[Session], T]) -> T:
        """Return the result of `work`, run on one consistent view of the database.

        Raises
        ------
        DatabaseUnavailable
            Where the database cannot be reached.
        """
        with translated(), Session(self._reader) as session:
            return work(session)

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction and return its result after the commit.

        An exception of the work undoes all that it did and is raised here.

        Raises
        ------
        DatabaseUnavailable
            Where the database cannot be reached, is locked beyond the timeout or has no room. Nothing was kept, unless
            it is a `CommitUncertain`: then a server was lost during COMMIT and may have kept all.
        """
        with translated():
            return self._writer.write(work)

    def write_together(self, record: Callable[[Session, Sequence[Item]], Sequence[T]], item: Item) -> T:
        """Record `item` with those of other threads that gathered meanwhile, and return its result after the commit.

        Parameters
        ----------
        record
            Is called once with the transaction and all items that came with this very function, in the order in
            which they came, and returns a result for each. Where it raises it is called again for each item alone, so
            that a bad one fails by itself; like any work it touches nothing but its transaction.
        item
            What is to be recorded.

        Raises
        ------
        DatabaseUnavailable
            As `write`; it is told to all that gathered at once.
        """
        with translated():
            return self._writer.write_together(record, item)

    def write_all(self, works: Sequence[Work]) -> list[Ended]:
        """Do many works as if as many threads had called `write_together` at the same moment.

        Parameters
        ----------
        works
            Pairs of what `write_together` is given.

        Returns
        -------
        list of Ended
            How each ended, with what `write_together` would have returned or raised.

        Raises
        ------
        DatabaseUnavailable
            After `close`, for all of them.
        """
        return [
            end if end.error is None else Ended(end.result, as_seen(end.error)) for end in self._writer.write_all(works)
        ]

    def ping(self) -> None:
        """See that a write would be taken now: what a node asks before it lets a peer in.

        Raises
        ------
        DatabaseUnavailable
            Where the database cannot be reached, is locked beyond the timeout or is read-only.
        """
        self.write_together(writes_nothing, None)

    def close(self) -> None:
        """Commit what is under way and let go of all connections."""
        self._writer.close()
        for engine in self._engines:
            engine.dispose()


def _of(data_dir: Path | None, engine: Engine) -> Engine:
    """Let every transaction of an engine know the data folder."""
    if data_dir is not None:
        engine.update_execution_options(**{DATA_DIR: f"{data_dir}/"})
    return engine


class _PerCallWriter:
    """PostgreSQL's writer: a transaction for each call; the server groups the commits itself.

    What is to be recorded together goes to one leader of this process at a time: it saves statements, not commits.
    """

    def __init__(self, engine: Engine) -> None:
        self._commits = 0
        self._together = GroupCommitWriter(engine, keeps_connection=False)
        self._counting = threading.Lock()
        self._engine = engine

    @property
    def commits(self) -> int:
        return self._commits + self._together.commits

    def write_together(self, record: Callable[[Session, Sequence[Item]], Sequence[T]], item: Item) -> T:
        """Run `record` for all items that gathered in this process, again where it lost a race."""
        return self._together.write_together(record, item)

    def write_all(self, works: Sequence[Work]) -> list[Ended]:
        """Do many works together, again where they lost a race."""
        return self._together.write_all(works)

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction of its own, again where it lost a race."""
        for _ in range(_RUNS - 1):
            try:
                return self._run(work)
            except SQLAlchemyError as error:
                if not worth_another_run(error):
                    raise
        return self._run(work)

    def close(self) -> None:
        """Wait until what gathered is committed."""
        self._together.close()

    def _run(self, work: Callable[[Session], T]) -> T:
        with Session(self._engine, expire_on_commit=False) as session, InCommit() as progress, session.begin():
            result = work(session)
            session.flush()
            progress.commits = True
        with self._counting:
            self._commits += 1
        return result


def writes_nothing(tx: Session, items: Sequence[None]) -> Sequence[None]:
    """Write nothing, in a way that fails where something could not be written: a `Work` that asks."""
    execute(tx.connection(), _WRITES_NOTHING)
    return items


def _create(file: Path) -> None:
    try:
        engines.create_private_file(file)
    except OSError as error:
        raise DatabaseUnavailable(f"the database file {file} cannot be opened: {error.strerror}") from error


def _connect(engine: Engine) -> None:
    with translated():
        engine.connect().close()
