"""Who is forgotten is in no version that comes to serve unasked."""

from pathlib import Path

import pytest

from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.learning.forgotten import FORGOTTEN
from node.pipeline.learning.promotion import promote, rollback
from node.pipeline.registry.catalogue import seeded
from node.store.learning import retrainings, splits
from node.store.learning.retrainings import Request
from node.store.registering import registry
from tests.support.houses.house import House
from tests.support.learning.versions import another_version, challenger


@pytest.mark.parametrize("images", [1, 0], ids=["learned from", "began from a version that did"])
def test_a_version_that_knew_a_forgotten_patient_is_promoted_only_by_name(
    house: House, tmp_path: Path, images: int
) -> None:
    """Whoever insists is told how many there are, and the audit keeps it."""
    tables = {"node": {"ae_title": "NODE", "data_dir": house.folder}, "database": {"url": house.url}}
    settings = Settings.model_validate({**tables, "models": [{"name": "starter"}]})
    seeded(settings, house.database, house.clock)
    champion = house.database.read(lambda tx: registry.get(tx, "starter"))
    assert champion is not None
    version, now = challenger(house.database, another_version(tmp_path / "2", "2"), champion.version), house.clock()
    house.database.write(lambda tx: retrainings.request(tx, Request("starter", "x", "ada", "tiny", "scratch", 1), now))
    run = house.database.write(lambda tx: retrainings.claim(tx, now, 60.0, "w"))
    assert run is not None
    house.database.write(lambda tx: retrainings.learns_from(tx, run, {"aa": images, "bb": 1}, "d", None))
    house.database.write(lambda tx: retrainings.finish(tx, run, now, "b", version, "promoted"))
    house.database.write(lambda tx: splits.bar(tx, {"aa"}, FORGOTTEN, now))

    with pytest.raises(OperatorError, match="learned from 1 patients who were forgotten since"):
        promote(settings, "starter", version, "ada", now)
    assert f"-> {version}" in promote(settings, "starter", version, "ada", now, although_forgotten=True)
    (entry,) = house.rows("SELECT detail FROM audit WHERE event = 'model version promoted'")
    assert "although_forgotten" in str(entry)
    third = challenger(house.database, another_version(tmp_path / "3", "3"), version)
    assert f"-> {third}" in promote(settings, "starter", third, "ada", now)
    assert "learned from 1 patients who were forgotten since" in rollback(settings, "starter", "ada", now)
