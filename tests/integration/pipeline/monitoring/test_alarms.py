"""How long an alarm stands, what it stops and what it stops no more, and what is told of a version nobody watches."""

from datetime import timedelta

import pytest

from node.domain.errors import OperatorError
from node.pipeline.checks import monitoring_checks
from node.pipeline.monitoring import monitoring_listing
from node.pipeline.registry import modes
from node.store.learning import monitoring_records
from node.store.registering import registry
from node.store.tables.choices import Mode
from tests.support.houses.house import House
from tests.support.houses.monitored import NOW, AtSite

ANY = pytest.mark.database("any")


def _drifting(house: House, **monitor: object) -> AtSite:
    """Return a site with a reference whose latest images have drifted, looked at."""
    here = AtSite(house, **({"stop_on": ["drift"]} | monitor))
    here.add(60)
    here.watch.look_at(here.model)
    here.add(20, shift=4.0)
    here.watch.look()
    assert here.alarms() == [("drift", "MODALITY")]
    return here


def _said(here: AtSite) -> list[str]:
    return [row["said"] for row in monitoring_listing.alarms(here.settings, 10)]


@ANY
def test_an_alarm_ends_after_three_windows_without_it(house: House) -> None:
    """Not with the first that shows nothing, which may be chance; the listing says why it ended."""
    here = _drifting(house)
    for _ in range(2):
        here.add(20)
        here.watch.look()
        assert here.alarms() == [("drift", "MODALITY")]
    here.add(20)
    here.watch.look()
    assert here.alarms() == []
    (said,) = _said(here)
    assert "in shadow now; ended: 3 windows of 20 images since then show it no more" in said
    assert f"{said} (" in _notes(here)[0]
    assert modes.models(here.settings)[0]["stopped"] == said
    here.activate()
    assert (_notes(here), modes.models(here.settings)[0]["stopped"]) == ([], "")


def test_what_an_operator_overruled_stops_no_more_until_it_was_clear_for_long(house: House) -> None:
    """Drift comes and goes: one stop; of another sender it is another alarm; after the declared days it is new."""
    here = _drifting(house, stop_again_days=2.0)
    assert here.model.mode is Mode.SHADOW
    here.activate()
    for _ in range(2):
        here.add(60)
        here.watch.look()
        assert here.alarms() == []
        here.add(20, shift=4.0)
        here.watch.look()
        assert (here.alarms(), here.model.mode) == ([("drift", "MODALITY")], Mode.ACTIVE)
    assert "the same alarm stopped it before, and an operator has set the model active since" in _said(here)[0]
    here.add(60)
    here.watch.look()
    here.rows.count += 3 * 24 * 60
    here.add(20, shift=4.0)
    here.watch.look()
    assert here.model.mode is Mode.SHADOW


@ANY
def test_another_senders_drift_stops_what_an_operator_set_active(house: House) -> None:
    """What was overruled is the alarm of one sender."""
    here = _drifting(house)
    here.activate()
    here.add(20, shift=4.0, sender="NEWCT")
    here.watch.look()
    assert here.model.mode is Mode.SHADOW


@ANY
def test_a_budget_alarm_ends_with_a_hundred_studies_that_keep_to_it(house: House) -> None:
    """All of which came after it: the bound is not crossed to and fro by one study."""
    here = AtSite(house, max_flags_per_100=40.0)
    here.add(12, score=0.9)
    here.add(12)
    here.watch.look()
    assert here.alarms() == [("flags", "")]
    here.now += timedelta(minutes=3)
    here.add(90)
    here.watch.look()
    assert here.alarms() == [("flags", "")]
    here.add(15)
    here.watch.look()
    assert here.alarms() == []
    assert "ended: the latest 100 studies, all since then, keep to the bound" in _said(here)[0]


@ANY
def test_an_old_versions_alarm_ends_with_it_and_stops_no_newer_one(house: House) -> None:
    """What nobody looks at any more does not stand in `check` for ever; the listing says what became of it."""
    here = AtSite(house, stop_on=["drift"])
    here.add(60)
    here.watch.look_at(here.model)
    here.add(20, shift=4.0)
    old = here.model
    here.house.database.write(lambda tx: registry.set_version(tx, "starter", "9"))
    here.watch.look_at(old)
    assert (here.model.mode, here.alarms()) == (Mode.ACTIVE, [("drift", "MODALITY")])
    here.watch.look()
    assert here.alarms() == []
    assert f"ended: it was about version {old.version}, and version 9 serves by now" in _said(here)[0]


@ANY
def test_an_alarm_ends_where_the_model_reads_nothing_any_more(house: House) -> None:
    """A model that is off has nobody to warn."""
    here = _drifting(house)
    modes.set_mode(here.settings, "starter", "off", here.now)
    here.watch.look()
    assert here.alarms() == []
    assert _said(here)[0].endswith("and starter reads nothing any more")


@ANY
def test_a_version_without_a_reference_is_said_to_be_unwatched(house: House) -> None:
    """With how many images are missing, by `check` and `monitor`; nothing is said once it is watched."""
    here = AtSite(house)
    here.add(20)
    (note,) = _notes(here)
    assert "is not watched for drift yet: 40 images are missing of the 60 that later ones are compared with" in note
    (row,) = monitoring_listing.monitor(here.settings, lambda: here.now)
    assert row["reference"] == "not watched yet: 40 images missing"
    here.add(40)
    here.watch.look()
    assert _notes(here) == []


def _notes(here: AtSite) -> list[str]:
    return [line.text for line in monitoring_checks.lines(here.house.database, here.settings.monitor)]


def test_what_a_challenger_saw_is_its_reference_once_it_serves(house: House) -> None:
    """It was compared before under its own name, and no image is forgotten."""
    here = AtSite(house)
    here.add(70)
    here.watch.look()
    version = here.model.version

    def served(name: str) -> tuple[int, bool]:
        read = here.house.database.read
        known = read(lambda tx: monitoring_records.range_of(tx, name, version))
        return len(read(lambda tx: monitoring_records.latest(tx, name, version, 0, 1000))), known is not None

    here.house.database.write(lambda tx: monitoring_records.carry(tx, "starter", "other", version))
    assert (served("starter"), served("other")) == ((0, False), (70, True))


def test_a_sender_that_falls_silent_is_noticed_until_it_sends(house: House) -> None:
    """It sent a study an hour beside a busy one; a node that has just been started waits for what waits for it."""
    here = AtSite(house)
    for _ in range(12):
        here.add(5, sender="CT")
        here.rows.count += 54
        here.add(1, sender="CR1")
    here.now = NOW + timedelta(days=5)
    here.watch.look()
    assert here.alarms() == [("silence", "CR1"), ("silence", "CT")]
    (said,) = [one for one in _said(here) if one.startswith("CR1 ")]
    assert said == "CR1 has sent no study for 108 h; its longest pause before was 1.0 h"
    lines = monitoring_listing.monitor(here.settings, lambda: here.now)
    assert {one["sender"] for one in lines if said in one["alarms"]} == {"", "CR1"}
    here.rows.count = 5 * 24 * 60
    here.add(1, sender="CR1")
    here.watch.look()
    assert here.alarms() == [("silence", "CT")]
    here.now += timedelta(days=100)
    restarted = here.started()
    restarted.look()
    assert here.alarms() == [("silence", "CT")]
    here.now += timedelta(hours=2)
    restarted.look()
    assert here.alarms() == [("silence", "CT")]


@ANY
def test_a_sender_that_was_taken_away_may_be_silent(house: House) -> None:
    """Until it sends again, and falls silent anew."""
    here = AtSite(house)
    for days in (6, 30):
        for _ in range(6):
            here.rows.count += 59
            here.add(1, sender="CR1")
        here.now += timedelta(days=days)
        here.watch.look()
        assert here.alarms() == [("silence", "CR1")]
        assert "may be silent" in monitoring_listing.dismiss_silence(here.settings, "CR1", "ada", here.now)
        here.now += timedelta(hours=1)
        here.watch.look()
        assert here.alarms() == []
        here.rows.count += 7 * 24 * 60
    assert _said(here)[0].endswith("ended: ada expects nothing of it")
    with pytest.raises(OperatorError, match="no alarm stands that 'CR1' is silent; silent: none"):
        monitoring_listing.dismiss_silence(here.settings, "CR1", "ada", here.now)
