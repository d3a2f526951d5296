"""What every test may use."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from xdist.remote import Producer

from tests.support import databases
from tests.support.databases import (
    database_kind,
    database_url,
    empty_url,
    lasting_database,
    lasting_node_folder,
    node_folder,
    sqlite_template,
)
from tests.support.postgres import (
    empty_postgres_url,
    postgres_database,
    postgres_server,
    postgres_template,
    postgres_url,
)
from tests.support.together import Together

__all__ = [  # one server and one template for all tests
    "database_kind",
    "database_url",
    "empty_postgres_url",
    "empty_url",
    "lasting_database",
    "lasting_node_folder",
    "node_folder",
    "postgres_database",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "sqlite_template",
]

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_DATA = ROOT.parent / "shared" / "data"

# threads of linear algebra spin while they wait: where processors are few, a test takes ten times as long by them
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector from what is imported to collect the tests: all of it stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose the databases."""
    parser.addoption(
        databases.OPTION,
        choices=[run.value for run in databases.Run],
        default=databases.Run.EACH.value,
        help="which databases tests run on; tests/support/databases.py says what each choice is",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what makes a database once for each kind that the test and the run want."""
    if "database_kind" in metafunc.fixturenames:
        need = databases.need_of(metafunc.definition, set(metafunc.fixturenames))
        metafunc.parametrize("database_kind", databases.kinds(databases.run_of(metafunc.config), need), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not of this run, and skip what needs the public data sets where they are not there."""
    run = databases.run_of(config)
    others = [item for item in items if not databases.is_of(run, item)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if databases.is_of(run, item)]
    if PUBLIC_DATA.is_dir():
        return
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason=f"the public data sets are not at {PUBLIC_DATA}"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """Keep tests together that share what is costly to make, where they run in several processes."""
    return Together(config, log)


@pytest.fixture(scope="session")
def public_data() -> Path:
    """Return the folder of the public data sets; only for tests marked `data`."""
    return PUBLIC_DATA
