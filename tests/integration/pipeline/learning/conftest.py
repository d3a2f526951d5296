"""What the tests of promotions stand on."""

import pytest

from node.config import Settings
from node.pipeline.registry.catalogue import seeded
from tests.support.houses.house import House
from tests.support.learning.promoting import NOW, settings_for


@pytest.fixture
def settings(house: House) -> Settings:
    """Give a site that asks for no validation, with the starter registered."""
    settings = settings_for(house)
    seeded(settings, house.database, lambda: NOW)
    return settings
