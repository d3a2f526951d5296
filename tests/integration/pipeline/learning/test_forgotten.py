"""A patient forgotten stays so: through a restore, in thousands of images, and in what may still be promoted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.split import Side
from node.pipeline.keeping.backup import backup
from node.pipeline.keeping.restore import restore
from node.pipeline.learning import training_folder
from node.pipeline.learning.forget import forget
from node.pipeline.learning.forgotten import FILE, FORGOTTEN, note, note_backup
from node.pipeline.learning.locked import freeze_site
from node.pipeline.learning.places import Places
from node.store.arriving.merges import PatientName
from node.store.database import Database
from node.store.labelling import labels
from node.store.learning import forgetting, splits, training_set
from node.store.learning.forgetting import Whom
from tests.support.houses.house import House
from tests.support.learning.site import NAMES, LearningSite, chest, files_under

TRAIN, LOCKED = NAMES["train"], NAMES["locked"]


@pytest.fixture
def elsewhere(house: House, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Settings]:
    """Return what gives the configuration of an empty place for the same kind of database."""

    def settings() -> Settings:
        folder = tmp_path / "restored"
        is_file = house.url.startswith("sqlite")
        url = f"sqlite:///{folder}/node.db" if is_file else request.getfixturevalue("empty_postgres_url")
        return Settings.model_validate({"node": {"ae_title": "NODE", "data_dir": folder}, "database": {"url": url}})

    return settings


def _site(house: House) -> LearningSite:
    site = LearningSite(house)
    for number, patient in enumerate((TRAIN[0], TRAIN[1], LOCKED[0], LOCKED[1]), 1):
        site.label(site.image(number, patient, chest(number, ill=False)), present=False)
    site.collect()
    known = house.database.read(lambda tx: training_folder.known(tx, ("pneumonia",), labels.current(tx)))
    names = training_folder.label_names(("pneumonia",))
    freeze_site(house.database, site.places, "starter", names, known.images[Side.LOCKED], house.clock())
    return site


def _unlearned(house: House) -> LearningSite:
    """Return a site of two labelled patients, with which nothing was done that needs a salt."""
    site = LearningSite(house)
    for number, patient in enumerate(TRAIN[:2], 1):
        site.label(site.image(number, patient, chest(number, ill=False)), present=False)
    house.execute("DELETE FROM learning_salts")
    return site


def test_a_restore_does_not_undo_what_was_forgotten_since_the_backup(
    house: House, elsewhere: Callable[[], Settings], tmp_path: Path
) -> None:
    """Pixels, rows, labels and locked versions of the older day go again; who was kept stays."""
    site, safe = _site(house), tmp_path / "backups" / "monday"
    backup(site.settings, safe, house.clock())
    gone = {one.name for one in house.database.read(training_set.all)}
    for patient in (TRAIN[0], LOCKED[0]):
        said = forget(site.settings, PatientName(patient), "ada", house.clock()).said
        assert f"backups in {safe.parent} hold the images until they are removed" in said
        assert "exports that were written before still have rows of the patient" in said
    gone -= {one.name for one in house.database.read(training_set.all)}
    text = (safe.parent / FILE).read_text(encoding="utf-8")
    assert not [word for word in (*TRAIN[:2], *LOCKED[:2], "1.2.826") if word in text]

    there = elsewhere()
    with pytest.raises(OperatorError, match=r"is no file: --forgotten names the forgotten\.json of a data folder"):
        restore(there, safe, house.clock(), None, tmp_path / "none")
    said = restore(there, safe, house.clock())

    assert "who was forgotten since is forgotten again: 2 images and 2 labels are removed" in said
    database = Database.open(there.database.url)
    try:
        left = {one.name for one in database.read(training_set.all)}
        assert (len(left), len(database.read(labels.current))) == (2, 2)
        assert database.read(lambda tx: splits.barred(tx, FORGOTTEN)) >= gone
    finally:
        database.close()
    root = Places(there.node.data_dir).root
    assert [path for path in files_under(root) if any(one.encode() in path.read_bytes() for one in gone)] == []
    assert [path for path in files_under(root) if path.stem in gone] == []


def test_a_backup_from_before_anything_was_learned_forgets_again(
    house: House, elsewhere: Callable[[], Settings], tmp_path: Path
) -> None:
    """It has the salt already that pseudonyms of who is forgotten later follow from."""
    site, safe = _unlearned(house), tmp_path / "backups" / "monday"
    backup(site.settings, safe, house.clock())
    site.collect()
    forget(site.settings, PatientName(TRAIN[0]), "ada", house.clock())
    there = elsewhere()
    assert "who was forgotten since is forgotten again: 0 images and 1 labels" in restore(there, safe, house.clock())


def test_a_restore_says_so_where_a_backup_without_the_salt_knows_nobody_who_was_forgotten(
    house: House, elsewhere: Callable[[], Settings], tmp_path: Path
) -> None:
    """As one of an older program, made before anything was learned; it has to be done by hand."""
    site, safe = _unlearned(house), tmp_path / "backups" / "monday"
    with pytest.MonkeyPatch.context() as older:
        older.setattr("node.pipeline.keeping.backup.minted", lambda *_: b"")
        backup(site.settings, safe, house.clock())
    site.collect()
    forget(site.settings, PatientName(TRAIN[0]), "ada", house.clock())
    there = elsewhere()
    said = restore(there, safe, house.clock())
    assert "WARNING: nobody is forgotten again" in said
    assert "`pacs-node forget` each of those patients anew" in said
    assert forget(there, PatientName(TRAIN[0]), "ada", house.clock()).said.startswith("0 images and 1 labels")


def test_a_restore_that_was_cut_off_before_it_forgot_is_made_good_before_anything_is_learned(house: House) -> None:
    """The list lies in the data folder before the database is there; whatever keeps images looks at it first."""
    site = _site(house)
    kept = {one.sop_instance_uid: one for one in house.database.read(training_set.all)}
    gone = next(one for one in kept.values() if one.side is Side.TRAIN)
    note(house.folder, {gone.patient, gone.name})
    assert site.collect().added == 0
    assert {one.name for one in house.database.read(training_set.all)} == {one.name for one in kept.values()} - {
        gone.name
    }
    assert not site.places.pixels(gone.side, gone.name).exists()


def test_where_a_list_beside_backups_cannot_be_written_that_is_said(house: House, tmp_path: Path) -> None:
    """As of a disk that is not there; the list of the data folder can be copied there."""
    site = _site(house)
    note_backup(house.folder, tmp_path / "away" / "monday")
    said = forget(site.settings, PatientName(TRAIN[0]), "ada", house.clock()).said
    assert f"{tmp_path / 'away'} cannot be written: copy {house.folder / FILE} beside the backups there" in said


def test_a_patient_of_many_thousands_of_images_is_forgotten(house: House) -> None:
    """One statement takes no more parameters than 65,535 on PostgreSQL."""
    _site(house)
    many = {f"1.2.3.{number}" for number in range(66_000)}
    kept = house.database.read(training_set.all)
    whom = Whom({kept[0].patient}, {one.name for one in kept}, many)
    assert house.database.read(lambda tx: forgetting.images_of(tx, b"", {kept[0].patient}, many)) == {kept[0].name}
    gone = house.database.write(lambda tx: forgetting.forget(tx, whom, FORGOTTEN, house.clock()))
    assert (gone.images, gone.labels) == (4, 0)
