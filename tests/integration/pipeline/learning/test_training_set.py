"""What is kept to learn from: sides for ever, duplicates, merges, no identities, and a patient forgotten."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom import dcmread, dcmwrite

from models.data.examples import KeptFolder, read_examples
from node.domain.errors import OperatorError
from node.domain.split import Side
from node.pipeline.learning import training_folder
from node.pipeline.learning.forget import forget
from node.pipeline.learning.frozen import FACTS
from node.pipeline.learning.learning_listing import left_out, locked, overview
from node.pipeline.learning.locked import freeze_site, site_set
from node.pipeline.learning.training_folder import Known
from node.pipeline.stopping import patients as merging
from node.store.arriving.merges import PatientName
from node.store.labelling import labels
from node.store.learning import retrainings, splits, training_set
from node.store.learning.locked_sets import LockedVersion
from node.store.learning.retrainings import Request
from tests.support.houses.house import House
from tests.support.learning.site import NAMES, LearningSite, chest, files_under
from tests.test_docs import documented_json_keys

TRAIN, VALIDATION, LOCKED = NAMES["train"], NAMES["validation"], NAMES["locked"]
CLASSES = ("pneumonia",)


def _known(site: LearningSite) -> Known:
    return site.house.database.read(lambda tx: training_folder.known(tx, CLASSES, labels.current(tx)))


def _freeze(site: LearningSite) -> LockedVersion | None:
    images = _known(site).images[Side.LOCKED]
    names = training_folder.label_names(CLASSES)
    return freeze_site(site.house.database, site.places, "starter", names, images, site.house.clock())


def _shown(site: LearningSite, number: int, patient: str, **changes: object) -> str:
    """Store and label a picture of a patient."""
    uid = site.image(number, patient, chest(number, ill=False), **changes)
    site.label(uid, present=False)
    return uid


def _reasons(site: LearningSite) -> dict[str, str]:
    return {one["sop_instance_uid"]: one["reason"] for one in left_out(site.settings)}


def test_a_patient_stays_on_its_side_for_ever(house: House) -> None:
    """What the salt says when it first comes is kept in its row: another salt by then changes nothing."""
    site = LearningSite(house)
    uids = [_shown(site, number, patient) for number, patient in enumerate((TRAIN[0], VALIDATION[0], LOCKED[0]), 1)]
    site.collect()
    house.execute(f"UPDATE learning_salts SET salt = '{'7b' * 32}'")  # noqa: S608 - a constant
    sides = {one.sop_instance_uid: one.side for one in house.database.read(training_set.all)}
    assert [sides[uid] for uid in uids] == [Side.TRAIN, Side.VALIDATION, Side.LOCKED]


def test_the_salt_is_minted_once(house: House) -> None:
    """Whoever mints it a second time gets the first one."""
    site = LearningSite(house)
    before = house.database.read(splits.salt_of)
    assert house.database.write(lambda tx: splits.mint(tx, "00" * 32, site.house.clock())) == before


def test_pictures_of_two_patients_that_are_one_join_one_group(house: House) -> None:
    """As when a radiograph comes under a second Patient ID of the same side."""
    site = LearningSite(house)
    first = _shown(site, 1, TRAIN[0])
    copy = site.image(2, TRAIN[1], cv2.resize(chest(1, ill=False), (80, 80), interpolation=cv2.INTER_CUBIC))
    site.label(copy, present=False)
    other = _shown(site, 3, TRAIN[2])
    site.collect()
    groups = {one.sop_instance_uid: one.group for one in house.database.read(training_set.all)}
    assert groups[first] == groups[copy] != groups[other]


def test_a_duplicate_that_would_link_two_sides_is_left_out(house: House) -> None:
    """The older assignment stands, and the reason is listed."""
    site = LearningSite(house)
    first = _shown(site, 1, LOCKED[0])
    site.collect()
    copy = site.image(2, TRAIN[0], chest(1, ill=False))
    site.label(copy, present=False)
    collected = site.collect()
    assert (collected.added, collected.left_out) == (0, 1)
    assert _reasons(site) == {copy: "it shows a picture of the locked images, and its patient is on the side train"}
    assert [one.example.name for some in _known(site).images.values() for one in some] == [
        one.name for one in house.database.read(training_set.all) if one.sop_instance_uid == first
    ]
    assert not list((site.places.root / "kept").rglob("*.npz"))


def test_patients_of_two_sides_who_are_merged_leave_and_the_locked_set_gets_a_new_version(house: House) -> None:
    """Nothing of either is used any more; the older version of the locked set stays as it was."""
    site = LearningSite(house)
    for number, patient in enumerate((*LOCKED[:3], *TRAIN[:3]), 1):
        _shown(site, number, patient)
    site.collect()
    first = _freeze(site)
    assert first is not None
    merging.merge(site.settings, PatientName(LOCKED[0]), PatientName(TRAIN[0]), "ada", house.clock())
    site.collect()
    site.collect()
    rows = locked(site.settings)
    assert [(row["name"], row["version"], row["patients"]) for row in rows] == [
        (site_set("starter"), 1, 3),
        (site_set("starter"), 2, 2),
    ]
    assert rows[1]["reason"] == "the patient was merged with one of another side"
    assert set(rows[1]) == set(documented_json_keys("learning locked"))
    assert len(KeptFolder(Path(rows[0]["folder"])).images("test")) == 3
    assert set(_reasons(site).values()) == {"the patient was merged with one of another side"}
    known = _known(site)
    assert [len(known.images[side]) for side in Side] == [2, 0, 2]


def test_merged_patients_of_one_side_are_one_patient(house: House) -> None:
    """And the assignment that was there stands, also where the other name was never seen."""
    site = LearningSite(house)
    one, other = _shown(site, 1, TRAIN[0]), _shown(site, 2, TRAIN[1])
    lone = _shown(site, 3, LOCKED[0])
    site.collect()
    merging.merge(site.settings, PatientName(TRAIN[0]), PatientName(TRAIN[1]), "ada", house.clock())
    unseen = next(name for name in TRAIN if name not in TRAIN[:2])
    merging.merge(site.settings, PatientName(LOCKED[0]), PatientName(unseen), "ada", house.clock(), unseen=True)
    site.collect()
    kept = {example.sop_instance_uid: example for example in house.database.read(training_set.all)}
    assert kept[one].patient == kept[other].patient
    assert (kept[lone].side, kept[lone].left_out) == (Side.LOCKED, "")


def test_images_that_say_whose_they_are_are_kept_out(house: House) -> None:
    """Burned-in annotation, a recognisable face, a secondary capture: with the reason, and no pixels."""
    site, uids = LearningSite(house), []
    marks = ({"BurnedInAnnotation": "YES"}, {"RecognizableVisualFeatures": "YES"}, {})
    for number, mark in enumerate(marks, 1):
        uids.append(site.image(number, f"P{number}"))
        file = next(
            path for path in files_under(house.folder / "instances") if dcmread(path).SOPInstanceUID == uids[-1]
        )
        image = dcmread(file)
        for keyword, value in mark.items():
            setattr(image, keyword, value)
        if not mark:
            image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.2"
        dcmwrite(file, image)
        site.label(uids[-1], present=True)
    site.collect()
    assert [_reasons(site)[uid] for uid in uids] == [
        "it says that annotation is burned in (0028,0301)",
        "it says that its patient can be recognised in it (0028,0302)",
        "it is a secondary capture, which may show anything",
    ]
    assert not list(site.places.root.rglob("*.npz"))


def test_the_training_set_holds_no_identity(house: House, tmp_path: Path) -> None:
    """Neither names nor numbers nor UIDs of any patient, study or image: not in a name, a table or a file of pixels."""
    site = LearningSite(house)
    uids = [_shown(site, number, patient) for number, patient in enumerate((*TRAIN[:6], *LOCKED[:4]), 1)]
    site.collect()
    _freeze(site)
    training_folder.build(site.places, _known(site), site.places.run(1) / "data")
    wanted = [b"PAT", b"Name^", b"Doe", b"reader", b"1.2.826", b"20260102", *(uid.encode() for uid in uids)]
    files = files_under(site.places.root)
    assert len(files) > 20
    for file in files:
        content = str(file.relative_to(site.places.root)).encode() + file.read_bytes()
        assert not [text for text in wanted if text in content], file
    (folder,) = [path for path in site.places.locked.iterdir() if (path / FACTS).exists()]
    assert set(read_examples(folder)[0].attributes) == {
        *("source", "modality", "view", "sex", "age", "sender", "blind"),
    }


def test_a_label_is_blind_or_not(house: House) -> None:
    """By whether a result had been delivered when it was made; where that is not known, it is not called blind."""
    site = LearningSite(house)
    for number, (patient, visible) in enumerate(zip(LOCKED[:3], (False, True, None), strict=True), 1):
        site.label(site.image(number, patient, chest(number, ill=False)), present=False, visible=visible)
    site.collect()
    _freeze(site)
    (row,) = locked(site.settings)
    assert sorted(one.attributes["blind"] for one in read_examples(Path(row["folder"]))) == ["no", "unknown", "yes"]
    assert [(cell["images"], cell["blind"]) for cell in overview(site.settings, "")] == [(3, 1)]


def test_a_forgotten_patient_is_nowhere_any_more_and_does_not_come_back(house: House) -> None:
    """Pixels, rows, labels and locked versions; the versions that were trained on it are named."""
    site = LearningSite(house)
    for number, patient in enumerate((TRAIN[0], TRAIN[1], LOCKED[0], LOCKED[1]), 1):
        _shown(site, number, patient)
    site.collect()
    _freeze(site)
    known, asked = _known(site), Request("starter", "x", "ada", "tiny", "scratch", 1)
    built = training_folder.build(site.places, known, site.places.run(1) / "data")
    house.database.write(lambda tx: retrainings.request(tx, asked, house.clock()))
    run = house.database.write(lambda tx: retrainings.claim(tx, house.clock(), 60.0, "w"))
    assert run is not None
    house.database.write(lambda tx: retrainings.learns_from(tx, run, built.patients, built.digest, None))
    house.database.write(lambda tx: retrainings.finish(tx, run, house.clock(), "bundles/starter-1", "9.9", "refused"))
    names = {one.patient: one.name for one in house.database.read(training_set.all)}
    salt = house.database.read(splits.salt_of) or b""

    for patient in (TRAIN[0], LOCKED[0]):
        done = forget(site.settings, PatientName(patient), "ada", house.clock())
        assert done.said.startswith("1 images and 1 labels are removed")
        gone = names[splits.patient_of(salt, "", patient)]
        left = files_under(site.places.root)
        assert [path for path in left if gone in path.name or gone.encode() in path.read_bytes()] == []
        assert [row["version"] for row in done.versions] == (["9.9"] if patient == TRAIN[0] else [])
        assert [set(row) for row in done.versions if set(row) != set(documented_json_keys("forget"))] == []
    assert [(row["version"], row["images"], row["removed_at"] is None) for row in locked(site.settings)] == [
        (1, 2, False),
        (2, 1, True),
    ]
    site.label("1.2.826.7.1.1.1", present=True)
    assert site.collect().added == 0


def test_a_patient_whom_nobody_knows_cannot_be_forgotten(house: House) -> None:
    """A slip in the number is told, and not taken for done."""
    site = LearningSite(house)
    with pytest.raises(OperatorError, match="no study here is of the patient NOBODY"):
        forget(site.settings, PatientName("NOBODY"), "ada", house.clock())


def test_what_was_kept_is_learnt_from_after_its_file_is_gone(house: House) -> None:
    """A study's files go for their age; its pixels and labels stay."""
    site = LearningSite(house)
    _shown(site, 1, TRAIN[0])
    site.collect()
    house.execute("UPDATE instances SET removed_at = received_at")
    assert len(_known(site).images[Side.TRAIN]) == 1


def test_labels_of_images_whose_files_went_first_are_counted(house: House) -> None:
    """They cannot be learned from, and nothing fails."""
    site = LearningSite(house)
    _shown(site, 1, TRAIN[0])
    house.execute("UPDATE instances SET removed_at = received_at")
    assert site.collect().added == 0


def test_an_image_of_the_site_as_jpeg_and_as_dx_is_kept_alike(house: House) -> None:
    """One way for serving and learning: the kept values are those that serving decodes."""
    site, picture = LearningSite(house), chest(7, ill=True)
    uid = site.image(7, TRAIN[0], picture)
    site.label(uid, present=True)
    site.collect()
    training_folder.build(site.places, _known(site), site.places.run(1) / "data")
    images = KeptFolder(site.places.run(1) / "data").images("train")
    assert np.array_equal(images.pixels[0], picture)
    assert images.attributes["modality"] == ("DX",)
