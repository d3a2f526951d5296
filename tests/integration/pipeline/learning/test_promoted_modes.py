"""What a promotion does to modes: an active model is not silenced, and time in shadow counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.learning.promotion import promote, rollback
from node.pipeline.learning.version_listing import versions
from node.pipeline.registry import challengers, modes
from node.pipeline.registry.catalogue import seeded
from node.store.learning import model_versions, monitoring_records
from node.store.registering import registry, validations
from node.store.registering.validations import RecordedValidation
from node.store.tables.choices import Mode
from tests.support.houses.house import House
from tests.support.houses.monitored import Rows
from tests.support.learning.promoting import NOW, serving_version, settings_for
from tests.support.learning.versions import another_version, challenger


def _active(house: House, *names: str) -> Settings:
    """Return a site that asks for validations, whose starter is active with one."""
    settings = settings_for(house, required=True)
    _validate(house, "starter", serving_version(house))
    modes.set_mode(settings, "starter", "active", NOW)
    return settings


def _validate(house: House, model: str, version: str) -> None:
    recorded = RecordedValidation(model, version, "Dr. Doe", NOW, "ab" * 32, {})
    house.database.write(lambda tx: validations.record(tx, recorded))


def _mode(house: House, name: str = "starter") -> Mode | None:
    row = house.database.read(lambda tx: registry.get(tx, name))
    return None if row is None else row.mode


def test_an_active_model_is_not_silenced_by_a_promotion(house: House, settings: Settings, tmp_path: Path) -> None:
    """Its new version is another device, without a validation: that it goes into shadow must be said."""
    first, asking = serving_version(house), _active(house)
    second = challenger(house.database, another_version(tmp_path / "2", "2"), first)
    with pytest.raises(OperatorError, match=r"it would go into shadow.*--into-shadow"):
        promote(asking, "starter", second, "Dr. Doe", NOW)
    assert (serving_version(house), _mode(house)) == (first, Mode.ACTIVE)
    assert "it goes into shadow" in promote(asking, "starter", second, "Dr. Doe", NOW, into_shadow=True)
    assert (serving_version(house), _mode(house)) == (second, Mode.SHADOW)


def test_what_came_of_its_time_in_shadow_counts(house: House, settings: Settings, tmp_path: Path) -> None:
    """Validation and what it saw are of the very device, which reads no longer beside the champion that it became."""
    first, asking = serving_version(house), _active(house)
    folder = another_version(tmp_path / "2", "2")
    second = challenger(house.database, folder, first)
    row = house.database.read(lambda tx: model_versions.get(tx, "starter", second))
    assert row is not None
    assert house.database.write(lambda tx: challengers.begin(tx, row))
    name = challengers.name_of("starter")
    assert _mode(house, name) is Mode.SHADOW
    _validate(house, name, second)
    reader = house.database.read(lambda tx: registry.get(tx, name))
    assert reader is not None
    house.database.write(lambda tx: Rows(reader, NOW).add(tx, 3))
    assert "shadow" not in promote(asking, "starter", second, "Dr. Doe", NOW)
    assert (serving_version(house), _mode(house), _mode(house, name)) == (second, Mode.ACTIVE, Mode.OFF)
    assert house.database.read(lambda tx: monitoring_records.count_admitted(tx, "starter", second, 10)) == 3


def test_a_challenger_is_no_model_by_itself(house: House, settings: Settings, tmp_path: Path) -> None:
    """It has no versions under its own name, a newer one takes its place, and a model of that name is left alone."""
    first = serving_version(house)
    for number in "23":
        version = challenger(house.database, another_version(tmp_path / number, number), first)
        row = house.database.read(lambda tx, version=version: model_versions.get(tx, "starter", version))
        assert house.database.write(lambda tx, row=row: challengers.begin(tx, row))
    seeded(settings, house.database, lambda: NOW)
    assert {one["model"] for one in versions(settings)} == {"starter"}
    named = house.database.read(lambda tx: registry.get(tx, challengers.name_of("starter")))
    assert named is not None
    assert named.version == version
    mine = replace(named, version="mine", bundle="starter")
    house.database.write(lambda tx: registry.put(tx, mine))
    assert not house.database.write(lambda tx: challengers.begin(tx, row))
    assert house.database.read(lambda tx: registry.get(tx, mine.name)) == mine


@pytest.mark.database("any")
def test_what_config_toml_brings_is_a_version_too(house: House, settings: Settings, tmp_path: Path) -> None:
    """And one command takes it back."""
    first = serving_version(house)
    newer = settings_for(house, models=[{"name": "starter", "bundle": str(another_version(tmp_path / "2", "2"))}])
    modes.configure(newer, "starter", NOW)
    assert serving_version(house).startswith("2.0.0+")
    rollback(newer, "starter", "Dr. Roe", NOW)
    assert serving_version(house) == first
