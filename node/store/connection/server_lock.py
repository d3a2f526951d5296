"""A lock that a PostgreSQL server holds for a session of this process, taken again where the server let go of it.

It knows no node and no folder: `node.store.connection.database_lock` says what is locked, and why.
"""

import contextlib

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from node.store.connection import engines
from node.telemetry import logger

_KEY = {"key": 0x6E6F6465}  # the number is ours alone
_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")  # the end of a session is seen by the server only later
_THIS_SESSION = text("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
_HOLDING_SESSION = text(
    "SELECT pid, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN pg_database ON oid = database "
    "WHERE locktype = 'advisory' AND classid = 0 AND objid = :key AND objsubid = 1 AND granted "
    "AND pg_database.datname = current_database()"
)
_END = text("SELECT pg_terminate_backend(:pid)")

_log = logger("store.lock")


class ServerLock:
    """The lock, and the session that holds it; for one thread at a time.

    Parameters
    ----------
    url
        Of a database on a PostgreSQL server.
    """

    def __init__(self, url: str) -> None:
        self._engine = engines.postgresql_engine(url)
        self._session: Connection | None = None
        self._held_by: tuple[object, ...] = ()

    def take(self) -> bool:
        """Take the lock with a new session, and return whether nobody else had it.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            Where the server cannot be reached.
        """
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            if not connection.scalar(_TAKE, _KEY):
                connection.close()
                return False
            self._held_by = tuple(connection.execute(_THIS_SESSION).one())
        except SQLAlchemyError:
            connection.invalidate()
            connection.close()
            raise
        self._session = connection
        return True

    def is_ours(self) -> bool:
        """Use the session, so that nobody ends it as idle; return False where another session holds the lock by now.

        A lock that is gone is taken again. While the server is away nobody can take it, so it still counts as ours.
        """
        try:
            if self._session is not None:
                self._session.scalar(text("SELECT 1"))
                return True
        except SQLAlchemyError:
            _log.warning("lock on the database lost", then="it is taken again")
            self._let_go()
        try:
            return self.take() or self._is_held_by_what_we_lost()
        except SQLAlchemyError:
            return True

    def close(self) -> None:
        """Let go of the lock; harmless where it is not held. Whoever tries after this gets it."""
        if self._session is not None:
            with contextlib.suppress(SQLAlchemyError):  # a server that is away lets go by itself
                self._session.execute(_RELEASE, _KEY)
        self._let_go()
        self._engine.dispose()

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.invalidate()  # back in the pool it would go on holding the lock
            session.close()

    def _is_held_by_what_we_lost(self) -> bool:
        """Return whether the holder is our own last session, which the server has not missed yet; then end it."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            holder = connection.execute(_HOLDING_SESSION, _KEY).one_or_none()
            if holder is None:  # gone since
                return True
            if tuple(holder) != self._held_by:
                return False
            connection.execute(_END, {"pid": holder.pid})
            return True
