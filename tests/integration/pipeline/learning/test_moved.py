"""A data folder that was moved or restored: what trainings made there is found where it lies now."""

from contextlib import closing
from pathlib import Path
from typing import Any

from node.config import Settings
from node.pipeline.learning.promotion import promote, rollback
from node.pipeline.learning.version_listing import versions
from node.pipeline.registry.catalogue import catalogue_of, seeded
from node.store.database import Database
from node.store.registering import registry
from tests.support.houses.house import House
from tests.support.learning.versions import another_version, challenger


def _settings(url: str, data_dir: Path) -> Settings:
    tables: dict[str, Any] = {"node": {"ae_title": "PACSNODE", "data_dir": data_dir}, "database": {"url": url}}
    return Settings.model_validate(
        {**tables, "models": [{"name": "starter"}], "go_live": {"require_validation": False}}
    )


def test_a_moved_data_folder_serves_the_bundles_that_trainings_made(house: House, tmp_path: Path) -> None:
    """Rows name them relative to it; a bundle that lies elsewhere stays where it is."""
    before, after = tmp_path / "before", tmp_path / "after"
    settings, elsewhere = _settings(house.url, before), another_version(tmp_path / "elsewhere", "3")
    with closing(Database.open(house.url, data_dir=before)) as database:
        (first,) = seeded(settings, database, house.clock)
        second = challenger(database, another_version(before / "bundles" / "starter-1", "2"), first.version)
        promote(settings, "starter", second, "ada", house.clock())
        third = challenger(database, elsewhere, second)
    assert house.rows("SELECT bundle FROM models") == [("./bundles/starter-1",)]
    before.rename(after)
    moved = _settings(house.url, after)
    listed = {row["version"]: (row["bundle"], row["bundle_there"]) for row in versions(moved)}
    assert listed[second] == (str(after / "bundles" / "starter-1"), True)
    assert listed[third] == (str(elsewhere), True)
    with closing(Database.open(house.url, data_dir=after)) as database:
        rows = seeded(moved, database, house.clock)
        assert catalogue_of(moved, database, rows).served("starter").bundle == after / "bundles" / "starter-1"
        promote(moved, "starter", third, "ada", house.clock())
        rollback(moved, "starter", "ada", house.clock())
        row = database.read(lambda tx: registry.get(tx, "starter"))
    assert row is not None
    assert row.bundle == str(after / "bundles" / "starter-1")


def test_whole_paths_of_an_older_program_are_kept_relative_from_the_next_start_on(house: House) -> None:
    """Where they lie in the data folder."""
    settings = _settings(house.url, house.folder)
    (first,) = seeded(settings, house.database, house.clock)
    bundle = another_version(house.folder / "bundles" / "starter-1", "2")
    with closing(Database.open(house.url)) as older:
        challenger(older, bundle, first.version)
    assert (str(bundle),) in house.rows("SELECT bundle FROM model_versions")
    seeded(settings, house.database, house.clock)
    assert ("./bundles/starter-1",) in house.rows("SELECT bundle FROM model_versions")
