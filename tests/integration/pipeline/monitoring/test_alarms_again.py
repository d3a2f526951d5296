"""That an alarm which ended comes again where something is wrong again, and ends of a sender that sends few images."""

from datetime import timedelta

import pytest

from node.pipeline.monitoring import model_figures
from node.store.registering import registry
from node.store.tables.choices import Mode
from tests.support.houses.house import House
from tests.support.houses.monitored import NOW, AtSite

ANY = pytest.mark.database("any")


def test_a_sender_that_sent_once_and_is_silent_again_is_noticed_again(house: House) -> None:
    """One image after a repair ends the alarm and says nothing of what comes after it."""
    here = AtSite(house)
    for _ in range(12):
        here.rows.count += 59
        here.add(1, sender="CR1")
    here.now = NOW + timedelta(days=5)
    here.watch.look()
    assert here.alarms() == [("silence", "CR1")]
    here.rows.count = 5 * 24 * 60
    here.add(1, sender="CR1")
    here.now += timedelta(minutes=5)
    here.watch.look()
    assert here.alarms() == []
    here.now += timedelta(days=14)
    here.watch.look()
    assert here.alarms() == [("silence", "CR1")]


@ANY
def test_an_alarm_that_stopped_nothing_lets_the_next_one_stop(house: House) -> None:
    """What stood and ended in shadow was no operator's decision about the model in use."""
    here = AtSite(house, stop_on=["drift"])
    here.add(60)
    here.watch.look_at(here.model)
    here.house.database.write(lambda tx: registry.set_mode(tx, "starter", Mode.SHADOW))
    here.add(20, shift=4.0)
    here.watch.look()
    assert here.alarms() == [("drift", "MODALITY")]
    here.add(60)
    here.watch.look()
    assert here.alarms() == []
    here.activate()
    here.add(20, shift=4.0)
    here.watch.look()
    assert (here.alarms(), here.model.mode) == ([("drift", "MODALITY")], Mode.SHADOW)


def _of_few(house: House, monkeypatch: pytest.MonkeyPatch) -> AtSite:
    """Return a site where one image in four is B's, whose latest have drifted, and the latest 50 are looked at."""
    monkeypatch.setattr(model_figures, "_LOOKED_THROUGH", 50)
    here = AtSite(house)
    here.add(60, sender="A")
    here.watch.look_at(here.model)
    _mixed(here, 12, shift=5.0)
    assert ("drift", "B") in here.alarms()
    return here


def _mixed(here: AtSite, count: int, others: int = 3, shift: float = 0.0) -> None:
    for _ in range(count):
        here.add(others, sender="A")
        here.add(1, sender="B", shift=shift)
    here.watch.look()


@ANY
def test_an_alarm_of_a_sender_with_few_images_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the latest images too few are its for three windows: its own since then are looked for."""
    here = _of_few(house, monkeypatch)
    _mixed(here, 30)
    assert ("drift", "B") in here.alarms()
    _mixed(here, 12)
    assert ("drift", "B") not in here.alarms()


def test_an_alarm_of_a_sender_that_hardly_sends_any_more_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once all of the latest images came since then, and too few are its to tell anything."""
    here = _of_few(house, monkeypatch)
    _mixed(here, 1, others=40)
    assert ("drift", "B") in here.alarms()
    _mixed(here, 1, others=20)
    assert ("drift", "B") not in here.alarms()


@ANY
def test_a_budget_alarm_stands_beside_a_reference_that_nothing_came_after(house: House) -> None:
    """No image is looked for that there is none of."""
    here = AtSite(house, max_flags_per_100=40.0)
    here.add(60, score=0.9)
    for _ in range(2):
        here.watch.look()
        assert here.alarms() == [("flags", "")]
