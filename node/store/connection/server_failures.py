"""Which errors of a PostgreSQL server's driver may pass; a node on SQLite never loads the driver, nor this file."""

import psycopg

_RUN_AGAIN = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UniqueViolation,  # two receivers wrote the same row at once: run again, the second sees the first
)

_MAY_PASS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a server that fails over is a read-only standby for a while
    psycopg.errors.IdleInTransactionSessionTimeout,
)

_CONCERNS_ALL = ("08", "25006", "53", "55P03", "57", "58")
"""SQLSTATEs: no connection, read-only, no room, a lock not granted in time, shut down by someone, broken disk."""


def is_of_driver(cause: object) -> bool:
    """Return whether the driver of the server raised it."""
    return isinstance(cause, psycopg.Error)


def may_pass(cause: object) -> bool:
    """Return whether the server, and not what was asked of it, is at fault."""
    return isinstance(cause, _MAY_PASS)


def lost_a_race(cause: object) -> bool:
    """Return whether the same work, run again at once, may well succeed."""
    return isinstance(cause, _RUN_AGAIN)


def concerns_all(cause: object) -> bool:
    """Return whether other work would fail of the same, where it is the driver's error."""
    if not isinstance(cause, psycopg.Error):
        return True
    state = cause.sqlstate  # None: the client lost the server, or never reached it
    return state is None or state.startswith(_CONCERNS_ALL)
