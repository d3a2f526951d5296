"""From labels in rows to a challenger with its verdict, whatever is killed on the way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from models.bundle.folder import read_manifest
from node.domain.errors import OperatorError, Transient
from node.domain.lifecycle import State
from node.pipeline.learning import learning_listing
from node.pipeline.learning.training_request import model_to_train
from node.pipeline.learning.training_request import request as ask
from node.pipeline.learning.training_schedule import DailyCollection, Fires
from node.pipeline.registry.labelled_dicom import open_labelled
from node.store.database import Database
from node.store.learning import model_versions, retrainings, training_set
from node.store.learning.retrainings import Problem, Request
from tests.support.houses.house import House
from tests.support.learning.labelled_zip import write_zip
from tests.support.learning.site import LearningSite, chest
from tests.support.learning.watched_training import OPENED, KilledChild, WatchedChild
from tests.test_docs import documented_json_keys


def _asked(site: LearningSite, fired_by: str = "once") -> int | None:
    model = site.house.database.read(lambda tx: model_to_train(tx, site.settings, ""))
    return ask(site.house.database, site.settings, model, "ada", fired_by, site.house.clock()).run


@pytest.mark.database("any")
def test_labels_become_a_challenger_with_its_verdict_after_a_kill(house: House) -> None:
    """Killed as it writes, it leaves no bundle; it goes on, is judged, and has opened no locked image."""
    replayed = {"train": [(n, n % 2) for n in range(200, 248)], "val": [(n, n % 2) for n in range(300, 314)]}
    replay = write_zip(house.folder / "replayed", replayed)
    site = LearningSite(house, {"replay": [str(replay)]}, gate={"draws": 200})
    site.patients(30)
    site.collect()
    assert _asked(site) is not None
    retrainer = site.retrainer(KilledChild(300.0))
    run = retrainer.claim()
    assert run is not None
    with pytest.raises(Transient, match="SIGKILL") as raised:
        retrainer.handle(run)
    retrainer.fail(run, raised.value)
    assert not site.places.bundle("starter", run.id).exists()
    (row,) = learning_listing.listed(site.settings)
    assert (row["state"], row["reason"]) == ("waiting", "the child process died of signal SIGKILL")

    house.clock.forward(3600)
    again = site.retrainer(WatchedChild(300.0, memory_mb=16384))
    run = again.claim()
    assert run is not None
    again.handle(run)

    (row,) = learning_listing.listed(site.settings)
    assert (row["state"], row["verdict"], row["labels"]) == ("done", "shadow", 25), row["reason"]
    assert set(row) == set(documented_json_keys("retrain"))
    manifest = read_manifest(house.folder / row["bundle"])
    assert (manifest.name, manifest.classes[0].name) == ("starter", "pneumonia")
    (version, _) = house.database.read(model_versions.all)
    assert version.data_digests["replayed replayed"] == open_labelled(replay, lambda *_: None).digest(("train", "val"))
    assert not site.places.run(run.id).exists()
    assert [path.name for path in (house.folder / "bundles").iterdir()] == ["starter-1"]
    opened = (house.folder / OPENED).read_text(encoding="utf-8").splitlines()
    assert [path for path in opened if f"runs/{run.id}/data/pixels" in path]
    assert [path for path in opened if "locked" in path] == []
    assert (
        learning_listing.overview(site.settings, "")[0]["model"] == "starter"
    )  # its challenger reads beside it, and is no other
    (locked,) = learning_listing.locked(site.settings)
    assert (locked["uses"], locked["images"]) == (1, 5)


def test_a_label_that_is_probably_wrong_is_listed_until_somebody_has_seen_it(house: House) -> None:
    """With the documented keys."""
    site = LearningSite(house)
    site.patients(3)
    site.collect()
    asked = Request("starter", "once", "ada", "tiny", "scratch", 1)
    house.database.write(lambda tx: retrainings.request(tx, asked, house.clock()))
    run = house.database.write(lambda tx: retrainings.claim(tx, house.clock(), 60.0, "w"))
    assert run is not None
    unlikely = Problem(house.database.read(training_set.all)[0].sop_instance_uid, "pneumonia", True, 0.001)
    house.database.write(lambda tx: retrainings.found(tx, run, [unlikely], house.clock()))
    (row,) = learning_listing.problems(site.settings)
    assert set(row) == set(documented_json_keys("learning problems"))
    assert (row["sop_instance_uid"], row["label"], row["run"]) == (unlikely.sop_instance_uid, "present", run.id)
    learning_listing.settle_problem(site.settings, unlikely.sop_instance_uid, "pneumonia", "ada", house.clock())
    assert learning_listing.problems(site.settings) == []


def test_of_one_model_never_two_trainings_are_to_come(house: House) -> None:
    """Whoever asks, on whatever node: the second one is told, and the same minute of a schedule fires once for ever."""
    other = Database.open(house.url)
    wanted = [Request("starter", f"node {number}", "ada", "tiny", "scratch", 1) for number in (1, 2)]
    try:
        with ThreadPoolExecutor(2) as threads:
            work = [
                threads.submit(database.write, lambda tx, one=one: retrainings.request(tx, one, house.clock()))
                for database, one in zip((house.database, other), wanted, strict=True)
            ]
            numbers = [one.result() for one in work]
    finally:
        other.close()
    assert sorted(number is None for number in numbers) == [False, True]
    run = house.database.write(lambda tx: retrainings.claim(tx, house.clock(), 60.0, "w"))
    assert run is not None
    house.database.write(lambda tx: retrainings.finish(tx, run, house.clock(), "b", "1", "refused"))
    first = wanted[numbers.index(None) - 1]
    assert house.database.write(lambda tx: retrainings.request(tx, first, house.clock())) is None


def test_the_schedule_asks_once_and_only_for_enough_new_labels(house: House) -> None:
    """Two nodes hear of the same minute; where labels are few, nothing is asked for."""
    site = LearningSite(house, {"min_new_labels": 30, "replay": ["anything"]})
    minute = datetime(2026, 1, 2, 2, tzinfo=UTC)
    site.patients(29)
    nodes = [Fires(site.retrainer()._site, lambda: None) for _ in range(2)]
    for node in nodes:
        node.fire(minute)
        assert node.next_due() is not None
        taken = node.claim()
        assert taken == minute
        node.handle(minute)
    assert learning_listing.listed(site.settings) == []

    site.patients(1, first=30)
    for node in nodes:
        node.handle(minute)
    (row,) = learning_listing.listed(site.settings)
    assert (row["requested_by"], row["state"]) == ("schedule", "waiting")


@pytest.mark.parametrize(
    ("labelled", "reason"),
    [
        ([], "no image here has a label of pneumonia"),
        ([("A", True), ("A", False)], "all 2 labelled images are of one patient"),
        ([("A", True), ("B", True)], "all 2 labelled images are labelled pneumonia: the other kind is needed, too"),
        ([("PAT1", True), ("PAT2", False)], r"patients on the side train are labelled .*, and 20 are needed"),
    ],
    ids=["none", "one patient", "one class", "few"],
)
@pytest.mark.database("any")
def test_too_little_to_learn_from_is_no_training_and_says_why(
    house: House, labelled: list[tuple[str, bool]], reason: str
) -> None:
    """No row is written."""
    site = LearningSite(house)
    for number, (patient, present) in enumerate(labelled, 1):
        site.label(site.image(number, patient, chest(number, ill=present)), present=present)
    with pytest.raises(OperatorError, match=f"no training of starter: {reason}|{reason}"):
        learning_listing.retrain_now(site.settings, "", "ada", house.clock())
    assert learning_listing.listed(site.settings) == []


@pytest.mark.database("any")
def test_a_model_that_nobody_knows_is_named(house: House) -> None:
    """With those that there are."""
    with pytest.raises(OperatorError, match=r"^no model 'zz'; registered: starter$"):
        learning_listing.retrain_now(LearningSite(house).settings, "zz", "ada", house.clock())


@pytest.mark.database("any")
def test_the_end_of_the_node_puts_a_training_back_and_a_cancelled_one_ends(house: House) -> None:
    """The first counts as no failure; the second is not tried again, and its folder goes."""
    site, asked = LearningSite(house), Request("starter", "x", "ada", "tiny", "scratch", 1)
    site.patients(1)
    house.database.write(lambda tx: retrainings.request(tx, asked, house.clock()))
    for cancelled in (False, True):
        retrainer = site.retrainer()
        run = retrainer.claim()
        assert run is not None
        if cancelled:
            assert "ends within" in learning_listing.cancel(site.settings, 1, "ada", house.clock())
        retrainer.stop()
        retrainer.handle(run)
        (row,) = house.database.read(retrainings.all)
        assert (row.state, row.failures) == (State.CANCELLED if cancelled else State.WAITING, 0)
    assert not site.places.run(1).exists()
    with pytest.raises(OperatorError, match="training 1 has ended already: it is cancelled"):
        learning_listing.cancel(site.settings, 1, "ada", house.clock())
    with pytest.raises(OperatorError, match="no training 7"):
        learning_listing.cancel(site.settings, 7, "ada", house.clock())


def test_a_lease_goes_on_with_the_progress_and_ends_with_a_cancellation(house: House) -> None:
    """What `retrain` shows comes from here, and whoever lost the row is told to stop."""
    asked = Request("starter", "x", "ada", "tiny", "scratch", 1)
    house.database.write(lambda tx: retrainings.request(tx, asked, house.clock()))
    run = house.database.write(lambda tx: retrainings.claim(tx, house.clock(), 60.0, "w"))
    assert run is not None

    def extended() -> bool:
        progress = ("classifier", 30, 1000)
        return house.database.write(lambda tx: retrainings.extend(tx, run, house.clock(), 60.0, progress))

    assert extended()
    (row,) = house.database.read(retrainings.all)
    assert (row.stage, row.done, row.total) == ("classifier", 30, 1000)
    house.database.write(lambda tx: retrainings.cancel(tx, run.id, "ada", house.clock()))
    assert not extended()


@pytest.mark.database("any")
def test_what_is_labelled_is_kept_every_day(house: House) -> None:
    """Before the files go for their age; a day without new labels starts no process."""
    site = LearningSite(house)
    daily = DailyCollection(site.retrainer()._site, lambda: WatchedChild(60.0))
    site.patients(3)
    current = daily.claim()
    assert current is not None
    daily.handle(current)
    assert len(house.rows("SELECT sop_instance_uid FROM training_examples")) == 3
    assert daily.claim() is None
    assert (daily.next_due() - house.clock()).total_seconds() == 24 * 3600
