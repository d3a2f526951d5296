"""What every test may use."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.support.together import Together

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_DATA = ROOT.parent / "shared" / "data"

# threads of linear algebra spin while they wait: where processors are few, a test takes ten times as long by them;
# said before numpy is loaded, and so before the plugins are, which pytest imports after this file
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)  # the same examples everywhere, and no clock: bench/fuzz.py tries new ones
settings.load_profile("suite")
pytest_plugins = ("tests.support.databases.postgres", "tests.support.databases.kinds")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector from what is imported to collect the tests: all of it stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the public data sets where they do not lie beside the checkout."""
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
