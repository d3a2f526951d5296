"""A site whose model other versions come to serve for."""

from datetime import UTC, datetime
from typing import Any

from node.config import Settings
from node.store.learning import model_versions
from node.store.registering import registry
from tests.support.houses.house import House

NOW = datetime(2026, 5, 2, tzinfo=UTC)


def settings_for(house: House, *, required: bool = False, **more: Any) -> Settings:
    """Return the configuration of a site with the starter, which asks for validations or not."""
    return house.settings(**{"models": [{"name": "starter"}], "go_live": {"require_validation": required}} | more)


def serving_version(house: House) -> str:
    """Return which version serves, as both registries say."""
    row = house.database.read(lambda tx: registry.get(tx, "starter"))
    found = house.database.read(lambda tx: model_versions.serving(tx, "starter"))
    assert row is not None
    assert found is not None
    assert (row.version, row.bundle) == (found.version, found.bundle)
    return found.version
