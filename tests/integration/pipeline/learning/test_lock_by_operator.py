"""A data folder locked away: judged by from then on, and nothing in it that a version has learned from."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.domain.errors import OperatorError, Permanent
from node.pipeline.learning import lock_by_operator
from node.pipeline.learning.lock_by_operator import Read, lock_folder
from node.pipeline.registry.labelled_dicom import open_labelled
from node.store.learning import locked_sets, model_versions
from node.store.tables.version_tables import VersionState
from tests.support.houses.house import House
from tests.support.learning.labelled_zip import write_zip
from tests.support.learning.site import LearningSite, chest, sides_of


@pytest.mark.database("any")
def test_a_data_folder_is_locked_away_without_what_is_trained_on(house: House, tmp_path: Path) -> None:
    """As the starter's own test images: judged by, never learned from; its versions are counted."""
    site, train = LearningSite(house), sides_of(["PAT1", "PAT2", "PAT3", "PAT4", "PAT5"])["train"]
    site.label(site.image(1, train[0], chest(1, ill=False)), present=False)
    site.collect()
    data = write_zip(tmp_path / "first", {"test": [(1, 0), (2, 1), (3, 0)]})

    said = lock_folder(site.settings, "first", data, "test", "", house.clock())

    assert said == (
        "locked set first version 1: 2 images of 2 groups; 1 left out: they show pictures that are trained on"
    )
    (version,) = house.database.read(locked_sets.newest)
    assert (version.origin, version.images) == ("data", 2)
    site.label(site.image(2, train[0], chest(2, ill=True)), present=True)
    assert site.collect().added == 0
    with pytest.raises(OperatorError, match="cannot name a locked set"):
        lock_folder(site.settings, "site-x", data, "test", "", house.clock())
    with pytest.raises(OperatorError, match="no image of the split"):
        lock_folder(site.settings, "second", data, "none", "", house.clock())


@pytest.mark.database("any")
def test_pictures_that_are_replayed_are_not_locked(house: House, tmp_path: Path) -> None:
    """Trainings have learned from them; where nothing else is left there is no set."""
    replay = write_zip(tmp_path / "replayed", {"train": [(1, 0), (2, 1)], "val": [(3, 0)]})
    site = LearningSite(house, {"replay": [str(replay)]})
    data = write_zip(tmp_path / "first", {"test": [(1, 0), (3, 0), (4, 1)]})
    said = lock_folder(site.settings, "first", data, "test", "", house.clock())
    assert said.endswith("1 images of 1 groups; 2 left out: they show pictures that are trained on")
    with pytest.raises(Permanent, match="all 1 images show pictures that are trained on"):
        lock_by_operator._fit(house.database, [Read("n", 0, "g", "d", "", {}, replayed=True)])


@pytest.mark.database("any")
def test_what_a_version_has_learned_from_is_not_locked(house: House, tmp_path: Path) -> None:
    """Also where it is replayed no longer: its digest stands with the version."""
    site = LearningSite(house)
    data = write_zip(tmp_path / "old", {"train": [(1, 0), (2, 1)], "val": [(3, 0)], "test": [(4, 1)]})
    learned = {"replayed old": open_labelled(data, lambda *_: None).digest(("train", "val"))}
    row = model_versions.Version("starter", "9.9", VersionState.AWAITING, house.clock(), house.clock())
    house.database.write(lambda tx: model_versions.add(tx, replace(row, data_digests=learned)))
    with pytest.raises(OperatorError, match=r"version 9\.9 of starter has learned from train and val of .*old"):
        lock_folder(site.settings, "old", data, "train", "", house.clock())
