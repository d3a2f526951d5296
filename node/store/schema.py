"""Which revision a database is at, and how it gets to the newest one.

Each verb asks for the first, so that is read without Alembic, which takes longer to load than to ask.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, make_url, text

import node
from node.domain.errors import OperatorError
from node.store.connection import engines
from node.store.connection.failures import translated

if TYPE_CHECKING:
    from alembic.config import Config

_ONE_MIGRATION_AT_A_TIME = 0x70616373  # a PostgreSQL advisory lock; the number is ours alone
_REVISIONS = "alembic_version"  # where Alembic writes down the revision, in a row of its own


def head() -> str:
    """Return the newest revision that this program brings along."""
    revisions = _known_revisions()
    if not revisions:
        raise OperatorError(f"no migrations in {_migrations()}: install pacs-node again")
    return max(revisions)


def current(url: str) -> str | None:
    """Return the revision that a database is at, or None where it has no schema yet.

    Raises
    ------
    DatabaseUnavailable
        Where the server cannot be reached.
    """
    file = engines.sqlite_file(url)
    if file is not None and not file.exists():  # looking must not create it
        return None
    with _transaction(url, exclusive=False) as connection:
        if not inspect(connection).has_table(_REVISIONS):
            return None
        found: str | None = connection.scalar(text(f"SELECT version_num FROM {_REVISIONS}"))  # noqa: S608 - ours
        return found


def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database to `revision`, in one transaction; two that try at once wait for each other.

    Raises
    ------
    OperatorError
        Where it is at a revision of a newer program, or holds the tables of another one.
    DatabaseUnavailable
        Where the database cannot be reached or stays locked.
    """
    from alembic import command  # noqa: PLC0415 - a start and a listing migrate nothing

    found = current(url)
    _refuse_newer(found)
    if found is None:
        _refuse_foreign(url)
    file = engines.sqlite_file(url)
    if file is not None:
        engines.create_private_file(file)
    with _transaction(url, exclusive=True) as connection:
        command.upgrade(_config(connection), revision)
        _check_references(connection)


def downgrade(url: str, revision: str) -> None:
    """Take a database back to an older `revision`, or to none with ``base``."""
    from alembic import command  # noqa: PLC0415 - a start and a listing migrate nothing

    with _transaction(url, exclusive=True) as connection:
        command.downgrade(_config(connection), revision)
        _check_references(connection)


def check(url: str) -> None:
    """See that a database is at this program's revision.

    Raises
    ------
    OperatorError
        Where it is not; the message names both revisions and the way out.
    DatabaseUnavailable
        Where the database cannot be reached.
    """
    found, needed = current(url), head()
    if found == needed:
        return
    if found is None:
        _refuse_foreign(url)
    if found is None or found in _known_revisions():
        at = f"at revision {found}" if found else "empty"
        raise OperatorError(f"database is {at}, this program needs {needed}: run `pacs-node migrate`")
    _refuse_newer(found)


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in _known_revisions():
        raise OperatorError(
            f"database is at revision {found}, which is newer than this program's {head()}: update pacs-node"
        )


def prepare(url: str) -> None:
    """Do what `check` does, but create the schema of an empty SQLite file: a first start needs no command."""
    if engines.is_sqlite(url) and current(url) is None:
        upgrade(url)
    check(url)


def _refuse_foreign(url: str) -> None:
    file = engines.sqlite_file(url)
    if file is not None and not file.exists():
        return
    with _transaction(url, exclusive=False) as connection:
        tables = set(inspect(connection).get_table_names()) - {_REVISIONS}
    if tables:
        raise OperatorError(
            f"the database {make_url(url).database} holds tables of another program ({', '.join(sorted(tables)[:3])}): "
            "name another one in [database] url"
        )


def is_known(revision: str) -> bool:
    """Return whether this program has this revision; one of a newer program it has not."""
    return revision in _known_revisions()


def _known_revisions() -> set[str]:
    """Return the revisions by the names of their files: each begins with its own, and they follow one another."""
    return {file.name.partition("_")[0] for file in (_migrations() / "versions").glob("[0-9]*_*.py")}


def _migrations() -> Path:
    package = Path(node.__file__).parent
    in_wheel = package / "_migrations"
    return in_wheel if in_wheel.is_dir() else package.parent / "migrations"


def _config(connection: Connection) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - a start and a listing migrate nothing

    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _transaction(url: str, *, exclusive: bool) -> Iterator[Connection]:
    engine = _engine(url, exclusive=exclusive)
    try:
        with translated(), engine.begin() as connection:
            if exclusive and connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_MIGRATION_AT_A_TIME})
            yield connection
    finally:
        engine.dispose()


def _engine(url: str, *, exclusive: bool) -> Engine:
    if not engines.is_sqlite(url):
        # a migration may rewrite a table of any size
        return engines.postgresql_engine(url, answer_within_s=None if exclusive else engines.ANSWER_WITHIN_S)
    # a migration may rebuild a table, and with references enforced dropping the old one would empty its children
    return engines.sqlite_engine(
        url, begin="BEGIN IMMEDIATE" if exclusive else "BEGIN", pragmas={"foreign_keys": "OFF"}
    )


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
        raise OperatorError("the migration would leave rows that refer to nothing; the database is as it was")
