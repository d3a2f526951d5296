"""A verdict counts as long as the locked sets that it was made by."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle.folder import read_manifest
from node.domain.errors import OperatorError
from node.pipeline.learning.promotion import promote
from node.pipeline.registry.catalogue import seeded, version_of
from node.pipeline.registry.versions import described
from node.store.learning import locked_sets, model_versions
from node.store.registering import registry
from node.store.tables.version_tables import VersionState
from tests.support.houses.house import House
from tests.support.learning.locked import freeze_drawn
from tests.support.learning.versions import another_version


@pytest.mark.parametrize("gone", ["frozen anew", "removed"])
def test_a_verdict_by_a_locked_set_that_changed_promotes_nothing(house: House, tmp_path: Path, gone: str) -> None:
    """As after a patient of the set was merged with another, or forgotten."""
    settings = house.settings(models=[{"name": "starter"}])
    seeded(settings, house.database, house.clock)
    freeze_drawn(house.database, house.folder, 4, house.clock())
    bundle = another_version(tmp_path / "2", "2")
    champion = house.database.read(lambda tx: registry.get(tx, "starter"))
    assert champion is not None
    manifest = read_manifest(bundle)
    version = version_of(manifest)
    row = described("starter", version, str(bundle), manifest, house.clock())
    judged = {"state": VersionState.AWAITING, "outcome": "promoted", "judged_against": champion.version}
    digests = {"data_digests": {"site": "ab" * 32, "site-starter 1": "cd" * 32}}
    house.database.write(lambda tx: model_versions.register(tx, replace(row, **judged, **digests)))
    (frozen,) = house.database.read(locked_sets.newest)
    if gone == "removed":
        house.database.write(lambda tx: locked_sets.remove(tx, frozen.id, house.clock()))
    else:
        freeze_drawn(house.database, house.folder, 2, house.clock())
    with pytest.raises(OperatorError, match="was judged by site-starter 1, not the newest"):
        promote(settings, "starter", version, "ada", house.clock())
