"""A plugin of pytest: on which kind of database a test runs, and databases of that kind, as ``--database`` chooses.

================  ======================================================================================================
``each``          Both kinds, one after the other, where the database can decide what a test shows; SQLite where it
                  decides nothing, and under nodes that are processes. What ``make test`` runs.
``rest``          What ``each`` leaves to SQLite alone, on PostgreSQL. What ``make test-peers`` runs beside the peers.
``sqlite``        SQLite alone: no server is started.
``postgresql``    PostgreSQL alone.
================  ======================================================================================================

A test says what it needs by ``@pytest.mark.database``: ``"each"`` of them, ``"any"`` of them, or ``"sqlite"`` or
``"postgresql"`` where it is about that one itself. One that says nothing needs any where it has a node as a process,
and each otherwise. `postgres_url` and the other fixtures of tests/support/databases/postgres.py are of PostgreSQL
whatever is chosen.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from node.store import schema
from tests.support.databases.postgres import PostgresServer
from tests.support.nodes.process import NodeFolder

SQLITE, POSTGRESQL = "sqlite", "postgresql"
OPTION = "--database"
_MADE_FROM = {"database_kind", "lasting_node_folder", "lasting_database"}  # fixtures that every database comes from
_OF_NODES = {"node_folder", "lasting_node_folder", "lasting_database"}

MakeFolder = Callable[..., NodeFolder]
"""Takes what `NodeFolder` takes."""
MakeDatabase = Callable[[Path], str]
"""Takes the folder that the database is for, and returns its URL."""


class Run(StrEnum):
    """What a run is on."""

    EACH = "each"
    REST = "rest"
    SQLITE = SQLITE
    POSTGRESQL = POSTGRESQL


class Need(StrEnum):
    """What a test needs."""

    EACH = "each"
    ANY = "any"
    SQLITE = SQLITE
    POSTGRESQL = POSTGRESQL


def need_of(test: pytest.Item | pytest.Function, fixtures: set[str]) -> Need:
    """Return what a test with these fixtures needs, as its nearest mark says."""
    mark = test.get_closest_marker("database")
    if mark is not None:
        return Need(mark.args[0])
    return Need.ANY if fixtures & _OF_NODES else Need.EACH


def kinds(run: Run, need: Need) -> list[str]:
    """Return the kinds that a test is run on."""
    if need in {Need.SQLITE, Need.POSTGRESQL}:
        return [need.value]
    if run is Run.EACH:
        return [SQLITE, POSTGRESQL] if need is Need.EACH else [SQLITE]
    return [SQLITE] if run is Run.SQLITE else [POSTGRESQL]


def is_of(run: Run, test: pytest.Item) -> bool:
    """Return whether a test is one of a run."""
    fixtures = set(getattr(test, "fixturenames", ()))
    need = need_of(test, fixtures)
    match run:
        case Run.EACH:
            return True
        case Run.REST:
            return need is Need.ANY and bool(fixtures & _MADE_FROM)
        case Run.SQLITE:
            return need is not Need.POSTGRESQL and "postgres_server" not in fixtures
        case Run.POSTGRESQL:
            return need is not Need.SQLITE


def run_of(config: pytest.Config) -> Run:
    """Return what the command line chose."""
    return Run(config.getoption(OPTION))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose."""
    help_ = "which databases tests run on; tests/support/databases/kinds.py says what each choice is"
    parser.addoption(OPTION, choices=[run.value for run in Run], default=Run.EACH.value, help=help_)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what makes a database once for each kind that the test and the run want."""
    if "database_kind" in metafunc.fixturenames:
        need = need_of(metafunc.definition, set(metafunc.fixturenames))
        metafunc.parametrize("database_kind", kinds(run_of(metafunc.config), need), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not of this run."""
    run = run_of(config)
    if others := [item for item in items if not is_of(run, item)]:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if is_of(run, item)]


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """Return the kind of database of this test; `pytest_generate_tests` gives it each in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a SQLite file at the newest revision, from which each test copies its own: the revisions take a while."""
    file = tmp_path_factory.mktemp("template") / "node.db"
    schema.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database at the newest revision in which there is no row."""
    if database_kind == POSTGRESQL:
        return str(request.getfixturevalue("postgres_url"))
    return _copied(request.getfixturevalue("sqlite_template"), tmp_path)


@pytest.fixture
def empty_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database without any table."""
    if database_kind == POSTGRESQL:
        return str(request.getfixturevalue("empty_postgres_url"))
    return f"sqlite:///{tmp_path / 'node.db'}"


@pytest.fixture
def node_folder(database_kind: str, request: pytest.FixtureRequest) -> Iterator[MakeFolder]:
    """Return what makes the folder of a node, with a database of the kind of this test, for as long as the test."""
    with ExitStack() as lasting:
        yield _folders(database_kind, request, lasting)


@pytest.fixture(scope="session")
def lasting_node_folder(request: pytest.FixtureRequest) -> Iterator[MakeFolder]:
    """Return what makes folders for nodes of several tests, which are on one kind of database in a run."""
    with ExitStack() as lasting:
        yield _folders(_lasting_kind(request), request, lasting)


@pytest.fixture(scope="session")
def lasting_database(request: pytest.FixtureRequest) -> Iterator[MakeDatabase]:
    """Return what makes databases at the newest revision for several tests, which are on one kind in a run."""
    with ExitStack() as lasting:
        if _lasting_kind(request) == POSTGRESQL:
            yield _copies(request, lasting)
        else:
            template = request.getfixturevalue("sqlite_template")
            yield lambda folder: _copied(template, folder)


def _lasting_kind(request: pytest.FixtureRequest) -> str:
    (kind,) = kinds(run_of(request.config), Need.ANY)
    return kind


def _copied(template: Path, folder: Path) -> str:
    return f"sqlite:///{shutil.copy(template, folder / 'node.db')}"


def _copies(request: pytest.FixtureRequest, lasting: ExitStack) -> MakeDatabase:
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("postgres_template")
    return lambda _: lasting.enter_context(server.database(template))


def _folders(kind: str, request: pytest.FixtureRequest, lasting: ExitStack) -> MakeFolder:
    """Return what makes folders; a node makes a file of SQLite by itself."""
    if kind == SQLITE:
        return NodeFolder
    copies = _copies(request, lasting)

    def make(folder: Path, *rest: Any, **named: Any) -> NodeFolder:
        return NodeFolder(folder, *rest, database=copies(folder), **named)

    return make
