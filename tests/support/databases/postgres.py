"""A real PostgreSQL server, started by the tests in a temporary folder and reached over its socket alone.

A plugin of pytest; tests/support/databases/kinds.py gives tests a database of either kind.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from node.store import schema

_UNPRIVILEGED = ("postgres", "nobody")
_LARGE = 1 << 20  # bytes of a table
_SIZES = (
    "SELECT tablename, pg_total_relation_size(tablename::regclass) FROM pg_tables "
    "WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
)
_NUMBERS_BEGIN_AGAIN = (
    "SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences "
    "WHERE last_value IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `folder` holds its socket."""

    folder: Path
    control: Path  #: the program pg_ctl

    def start(self) -> None:
        """Start it, or start it again after `stop`."""
        # no vacuum: without it a query that says no order gives rows in the order in which they were written
        private = "-c listen_addresses= -c fsync=off -c full_page_writes=off -c autovacuum=off -c max_connections=200"
        options = f"-k {self.folder} {private}"
        _run(self.control, "-D", self.data, "-o", options, "-l", self.folder / "log", "-w", "start")

    def stop(self) -> None:
        """End it as a power cut does: every connection is lost, and the next start recovers from the log."""
        _run(self.control, "-D", self.data, "-m", "immediate", "-w", "stop")

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Stop all its processes where they are: connections stay, and nothing is answered; then let them go on."""
        main = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(main, signal.SIGSTOP)
        all_of_it = [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]
        try:
            for process in all_of_it:
                _signal(process, signal.SIGSTOP)
            yield
        finally:
            for process in all_of_it:
                _signal(process, signal.SIGCONT)

    @property
    def data(self) -> Path:
        """Where it keeps its databases."""
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql+psycopg://pacs@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement outside of a transaction, such as CREATE DATABASE."""
        with psycopg.connect(host=str(self.folder), user="pacs", dbname=database, autocommit=True) as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Yield the URL of a new database, the copy of another, which is dropped afterwards."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def empty(self, database: str) -> None:
        """Remove every row of a database, and whoever is still connected to it, and let its numbers begin at 1.

        TRUNCATE makes a new file for each table and each index, which takes longer than most tests: it is for what has
        grown large.
        """
        with psycopg.connect(host=str(self.folder), user="pacs", dbname=database, autocommit=True) as connection:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            while connection.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall():
                time.sleep(0.001)  # one that is in the middle of a commit ends after it
            sizes = dict(connection.execute(_SIZES).fetchall())
            if any(size > _LARGE for size in sizes.values()):
                connection.execute(f"TRUNCATE {', '.join(sizes)}")
            # rows go without a look at what refers to them: all go
            rows = "; ".join(f"DELETE FROM {table}" for table in sizes)  # noqa: S608 - names that the server gave
            connection.execute(f"SET session_replication_role = replica; {rows}")
            connection.execute(_NUMBERS_BEGIN_AGAIN)
            connection.execute("DELETE FROM alembic_version")  # a test may have said that it is an older one's
            connection.execute("INSERT INTO alembic_version VALUES (%s)", [schema.head()])


def binary(name: str) -> Path | None:
    """Return a program of the PostgreSQL server: the newest under /usr/lib/postgresql, or the one on the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which(name)
    return installed[-1] if installed else Path(on_path) if on_path else None


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Run a server in a folder of its own.

    Raises
    ------
    FileNotFoundError
        Where its programs are not installed.
    """
    initdb, pg_ctl = binary("initdb"), binary("pg_ctl")
    if initdb is None or pg_ctl is None:
        raise FileNotFoundError("no PostgreSQL server is installed (initdb, pg_ctl); `make test-peers` installs it")
    # a socket's path takes about 100 characters, and a test's own temporary folder is deeper than that
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = PostgresServer(folder, pg_ctl)
    try:
        _hand_over(folder)
        _run(initdb, "-D", server.data, "-U", "pacs", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server for the session; without its programs skip, but fail where CI is set: there nothing is skipped."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running_server())
        except FileNotFoundError as missing:
            if os.environ.get("CI"):
                pytest.fail(str(missing))
            pytest.skip(str(missing))
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Create a database at the newest revision, of which others are copies, and which nobody else opens."""
    postgres_server.execute("CREATE DATABASE template")
    schema.upgrade(postgres_server.url("template"))
    return "template"


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer, postgres_template: str) -> str:
    """Create a database at the newest revision, which the tests use in turn."""
    postgres_server.execute(f"CREATE DATABASE tests TEMPLATE {postgres_template}")
    return "tests"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_database: str) -> str:
    """Return the URL of a database at the newest revision in which there is no row.

    It is emptied before the test, in a third of the time that a copy of the template takes to be made and dropped.
    """
    postgres_server.empty(postgres_database)
    return postgres_server.url(postgres_database)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the URL of a database without any table."""
    with postgres_server.database() as url:
        yield url


def _signal(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # one that served a connection may have ended just now
        os.kill(process, number)


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the user to run the server as: it refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in _UNPRIVILEGED if name in known)


def _hand_over(folder: Path) -> None:
    if (user := _unprivileged()) is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(0o755)  # the tests connect as root, through a socket that the server made


def _run(program: Path, *arguments: str | Path) -> None:
    user = _unprivileged()
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    command = [str(program), *map(str, arguments)]
    # the server inherits what pg_ctl is given: a captured pipe would never close
    done = subprocess.run(
        command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, **as_user
    )
    if done.returncode != 0:
        pytest.fail(f"{program.name} failed with {done.returncode}")
