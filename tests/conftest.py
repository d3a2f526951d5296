"""What every test may use."""

from pathlib import Path

import pytest

from tests.support.postgres import empty_postgres_url, postgres_database, postgres_server, postgres_url

__all__ = ["empty_postgres_url", "postgres_database", "postgres_server", "postgres_url"]  # one server for all tests

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_DATA = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the public data sets where they do not lie beside the checkout."""
    if PUBLIC_DATA.is_dir():
        return
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason=f"the public data sets are not at {PUBLIC_DATA}"))


@pytest.fixture(scope="session")
def public_data() -> Path:
    """Return the folder of the public data sets; only for tests marked `data`."""
    return PUBLIC_DATA
