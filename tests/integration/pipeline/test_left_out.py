"""Who is left out of learning stays left out, and who was merged is found without a label."""

from node.domain.split import Side
from node.pipeline.learning import dataset
from node.pipeline.learning.forget import forget
from node.pipeline.learning.locked import freeze_site
from node.pipeline.learning.operate import locked
from node.pipeline.stopping import patients as merging
from node.store import labels, training_set
from node.store.merges import PatientName
from tests.support.house import House
from tests.support.learning_site import LearningSite, chest, sides_of

NAMES = sides_of([f"PAT{number}" for number in range(1, 60)])
TRAIN, LOCKED = NAMES["train"], NAMES["locked"]


def _site(house: House, *patients: str) -> tuple[LearningSite, list[str]]:
    """Return a site with a kept image of each patient, its locked side frozen, and the UIDs."""
    site, uids = LearningSite(house), []
    for number, patient in enumerate(patients, 1):
        uids.append(site.image(number, patient, chest(number, ill=False)))
        site.label(uids[-1], present=False)
    site.collect()
    known = house.database.read(lambda tx: dataset.known(tx, ("pneumonia",), labels.current(tx)))
    names = dataset.label_names(("pneumonia",))
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
