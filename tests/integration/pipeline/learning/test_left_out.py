"""Who is left out of learning stays left out, and who was merged is found without a label."""

from pathlib import Path

import pytest

from node.domain.split import Side
from node.pipeline.learning import training_folder
from node.pipeline.learning.collect import Collector
from node.pipeline.learning.example_pixels import KeptPixels, keep_pixels
from node.pipeline.learning.forget import forget
from node.pipeline.learning.learning_listing import locked
from node.pipeline.learning.locked import freeze_site
from node.pipeline.stopping import patients as merging
from node.store.arriving.merges import PatientName
from node.store.labelling import labels
from node.store.learning import retrainings, training_set
from node.store.learning.retrainings import Request
from tests.support.houses.house import House
from tests.support.learning.site import NAMES, LearningSite, chest, files_under

TRAIN, LOCKED = NAMES["train"], NAMES["locked"]


def _site(house: House, *patients: str) -> tuple[LearningSite, list[str]]:
    """Return a site with a kept image of each patient, its locked side frozen, and the UIDs."""
    site, uids = LearningSite(house), []
    for number, patient in enumerate(patients, 1):
        uids.append(site.image(number, patient, chest(number, ill=False)))
        site.label(uids[-1], present=False)
    site.collect()
    known = house.database.read(lambda tx: training_folder.known(tx, ("pneumonia",), labels.current(tx)))
    names = training_folder.label_names(("pneumonia",))
    freeze_site(house.database, site.places, "starter", names, known.images[Side.LOCKED], house.clock())
    return site, uids


def _merge(site: LearningSite, patient: str, into: str) -> None:
    merging.merge(site.settings, PatientName(patient), PatientName(into), "ada", site.house.clock())


def _used(site: LearningSite) -> set[str]:
    return {one.sop_instance_uid for one in site.house.database.read(training_set.all) if not one.left_out}


def test_who_was_torn_between_sides_stays_so_by_the_next_merge(house: House) -> None:
    """And takes along whoever counts as the same patient; the locked set loses both."""
    site, uids = _site(house, *LOCKED[:3], *TRAIN[:3])
    _merge(site, LOCKED[0], TRAIN[0])
    site.collect()
    merging.split(site.settings, PatientName(LOCKED[0]), "ada", house.clock())
    _merge(site, LOCKED[0], LOCKED[1])
    site.collect()
    assert _used(site) == {uids[2], uids[4], uids[5]}
    assert [row["patients"] for row in locked(site.settings)] == [3, 2, 1]


def test_a_merge_is_noticed_of_images_without_a_label_that_counts(house: House) -> None:
    """As of one on which readers disagree: the locked set gets a version without it all the same."""
    site, uids = _site(house, *LOCKED[:2], *TRAIN[:2])
    house.execute(f"UPDATE labels SET withdrawn_at = recorded_at WHERE sop_instance_uid = '{uids[0]}'")  # noqa: S608
    _merge(site, LOCKED[0], TRAIN[0])
    site.collect()
    assert _used(site) == {uids[1], uids[3]}
    assert [row["patients"] for row in locked(site.settings)] == [2, 1]


def test_a_locked_image_is_found_whoever_it_was_of_when_it_was_frozen(house: House) -> None:
    """A study that got another number in between leaves the locked set as any other."""
    site, uids = _site(house, *LOCKED[:2], *TRAIN[:2])
    house.execute(
        f"UPDATE studies SET patient_id = 'NEW' WHERE study_instance_uid = '{uids[0].removesuffix('.1.1')}'"  # noqa: S608
    )
    site.collect()
    _merge(site, "NEW", TRAIN[0])
    site.collect()
    assert [row["patients"] for row in locked(site.settings)] == [2, 1]


def test_a_forgotten_patient_does_not_come_back_by_a_merge(house: House) -> None:
    """Nothing more is used of anybody who counts as the same patient."""
    site, uids = _site(house, *TRAIN[:3])
    forget(site.settings, PatientName(TRAIN[0]), "ada", house.clock())
    site.label(uids[0], present=True)
    _merge(site, TRAIN[0], TRAIN[1])
    assert site.collect().added == 0
    assert _used(site) == {uids[2]}


def test_a_forgotten_patient_does_not_come_back_by_another_issuer(house: House) -> None:
    """The image is known again, whatever its patient is called by now."""
    site, uids = _site(house, *TRAIN[:2])
    forget(site.settings, PatientName(TRAIN[0]), "ada", house.clock())
    study = uids[0].removesuffix(".1.1")
    house.execute(f"UPDATE studies SET issuer_of_patient_id = 'H' WHERE study_instance_uid = '{study}'")  # noqa: S608
    site.label(uids[0], present=True)
    assert site.collect().added == 0


def _renamed(house: House, uid: str, patient: str) -> None:
    study = uid.removesuffix(".1.1")
    house.execute(f"UPDATE studies SET patient_id = '{patient}' WHERE study_instance_uid = '{study}'")  # noqa: S608


@pytest.mark.parametrize("collected", [False, True], ids=["at once", "after a collection"])
def test_a_patient_whose_number_was_corrected_is_forgotten(house: House, collected: bool) -> None:  # noqa: FBT001
    """The image is what goes: its row, its pixels, and the locked set that was frozen under the former number."""
    site, uids = _site(house, *LOCKED[:2], TRAIN[0])
    name = next(one.name for one in house.database.read(training_set.all) if one.sop_instance_uid == uids[0])
    _renamed(house, uids[0], "NEW")
    if collected:
        site.collect()
    said = forget(site.settings, PatientName("NEW"), "ada", house.clock()).said
    assert said.startswith("1 images and 1 labels are removed")
    assert [file for file in files_under(site.places.root) if name in file.name] == []
    assert _used(site) == set(uids[1:])
    assert [(row["patients"], row["removed_at"] is None) for row in locked(site.settings)] == [(2, False), (1, True)]


def test_a_patient_is_forgotten_after_its_merge_was_undone(house: House) -> None:
    """Its image was of the other one meanwhile, who stays; the training that knew it is named."""
    site, uids = _site(house, *TRAIN[:2])
    _merge(site, TRAIN[0], TRAIN[1])
    site.collect()
    asked = Request("starter", "x", "ada", "tiny", "scratch", 1)
    house.database.write(lambda tx: retrainings.request(tx, asked, house.clock()))
    run = house.database.write(lambda tx: retrainings.claim(tx, house.clock(), 60.0, "w"))
    assert run is not None
    (patient,) = {one.patient for one in house.database.read(training_set.all)}
    house.database.write(lambda tx: retrainings.learns_from(tx, run, {patient: 2}, "ab" * 32, None))
    house.database.write(lambda tx: retrainings.finish(tx, run, house.clock(), "bundles/starter-1", "9.9", "refused"))
    merging.split(site.settings, PatientName(TRAIN[0]), "ada", house.clock())
    done = forget(site.settings, PatientName(TRAIN[0]), "ada", house.clock())
    assert [row["version"] for row in done.versions] == ["9.9"]
    assert {one.sop_instance_uid for one in house.database.read(training_set.all)} == {uids[1]}
    assert len([file for file in files_under(site.places.root) if file.suffix == ".npz"]) == 1


def test_a_patient_forgotten_while_its_pixels_are_kept_leaves_none(house: House) -> None:
    """Neither a row nor a file."""
    site = LearningSite(house)
    site.label(site.image(1, TRAIN[0], chest(1, ill=False)), present=False)

    def keep(stored: Path, place: Path) -> KeptPixels:
        kept = keep_pixels(stored, place)
        forget(site.settings, PatientName(TRAIN[0]), "ada", house.clock())
        return keep_pixels(stored, place) if not place.exists() else kept

    current = house.database.read(labels.current)
    Collector(house.database, house.folder, keep, house.clock).collect(current, lambda *_: None)
    assert house.database.read(training_set.all) == []
    assert [file for file in files_under(site.places.root) if file.suffix == ".npz"] == []
