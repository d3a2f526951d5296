"""Processes that are gone after each test."""

from collections.abc import Iterator

import pytest

from tests.support.houses.receivers import PATIENCE_S, ReceiversHouse


@pytest.fixture
def house() -> Iterator[ReceiversHouse]:
    """Give a house whose processes are gone after the test."""
    made = ReceiversHouse()
    yield made
    for receivers in made.receivers:
        receivers.kill()
        receivers.ended(PATIENCE_S)
