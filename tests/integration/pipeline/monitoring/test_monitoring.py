"""Monitoring on both databases: references, alarms and what they stop, the page of a site, what registries get."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from node.domain.errors import OperatorError
from node.pipeline.checks.all_checks import check
from node.pipeline.monitoring import monitoring_listing
from node.pipeline.monitoring.watch import Turns
from node.pipeline.registry import modes
from node.store.labelling import labels
from node.store.learning import monitoring_records
from node.store.tables.choices import Mode
from tests.support.houses.house import House
from tests.support.houses.monitored import AtSite


@pytest.fixture
def site(house: House) -> Callable[..., AtSite]:
    """Return what makes a site of a house."""
    return lambda **monitor: AtSite(house, **monitor)


def test_images_like_the_reference_raise_nothing(site: Callable[..., AtSite]) -> None:
    """The first images become the reference; later ones of the same kind are compared with it."""
    here = site()
    here.add(40)
    assert here.watch.look_at(here.model).missing == 20
    here.add(40)
    watched = here.watch.look_at(here.model)
    assert watched.reference is not None
    here.add(20)
    (window,) = here.watch.look_at(here.model).windows
    assert (window.sender, window.compared.images) == ("MODALITY", 20)
    assert window.compared.classifier is not None
    assert here.alarms() == []


def test_synthetic_images_are_neither_a_reference_nor_a_drift(site: Callable[..., AtSite]) -> None:
    """Who tries the node with painted chests has neither an alarm nor a reference of nobody."""
    here = site()
    here.add(40, shift=4.0, synthetic=True)
    here.add(40)
    assert here.watch.look_at(here.model).missing == 20
    here.add(20)
    assert here.watch.look_at(here.model).reference is not None
    here.add(20)
    here.add(20, shift=4.0, sender="PAINTER", synthetic=True)
    here.add(20, admitted=False, synthetic=True)
    watched = here.watch.look_at(here.model)
    assert [(window.sender, window.compared.images) for window in watched.windows] == [("MODALITY", 20)]
    here.watch.look()
    assert here.alarms() == []


def test_drift_stops_a_model_where_that_is_declared_and_says_why_everywhere(site: Callable[..., AtSite]) -> None:
    """The alarm names the sender; the model is in shadow; check, models, monitor and the audit give the reason."""
    here = site(stop_on=["drift"])
    here.add(60)
    here.watch.look_at(here.model)
    here.add(20)
    here.add(20, shift=4.0, sender="NEWCT")
    here.watch.look()
    assert ("drift", "NEWCT") in here.alarms()
    assert ("drift", "MODALITY") not in here.alarms()
    assert here.model.mode is Mode.SHADOW
    said = [line.text for line in check(here.settings, here.house.folder / "config.toml", here.now)]
    assert [text for text in said if "NEWCT" in text and "in shadow now" in text]
    (listed,) = modes.models(here.settings)
    assert "NEWCT" in listed["stopped"]
    shown = [row for row in monitoring_listing.monitor(here.settings, lambda: here.now) if row["sender"] == "NEWCT"]
    assert (shown[0]["drift"], shown[0]["mode"]) == ("yes", "shadow")
    assert "NEWCT" in shown[0]["alarms"][0]


def test_without_a_declared_stop_an_alarm_is_an_alarm(site: Callable[..., AtSite]) -> None:
    """The model goes on as it was set."""
    here = site()
    here.add(60)
    here.watch.look_at(here.model)
    here.add(20, admitted=False, shift=4.0)
    here.watch.look()
    assert here.alarms() == [("admission", "MODALITY"), ("drift", "MODALITY")]
    assert here.model.mode is Mode.ACTIVE


def test_a_budget_of_flags_and_of_confirmed_flags_is_watched(site: Callable[..., AtSite]) -> None:
    """Half of the studies are flagged, of which readers confirm one in four."""
    here = site(max_flags_per_100=20.0, min_ppv=0.5, min_labels=8)
    flagged = here.add(12, score=0.9)
    quiet = here.add(12)
    here.label(flagged[:3], present=True)
    here.label(flagged[3:], present=False)
    here.label(quiet, present=False)
    watched = here.watch.look_at(here.model)
    assert (watched.budget.flags_per_100, watched.budget.ppv, watched.budget.labelled) == (50.0, 0.25, 24)
    assert watched.budget.agreement == 15 / 24
    among = here.house.database.read(lambda tx: labels.current(tx, flagged[:5]))
    assert [one.study_instance_uid for one in among] == sorted(flagged[:5])
    assert here.alarms() == [("flags", ""), ("ppv", "")]


def test_looks_follow_new_images(site: Callable[..., AtSite]) -> None:
    """Nothing new, nothing to do, until ten minutes are over."""
    here = site()
    here.add(3)
    turns = Turns(here.house.database, here.watch, lambda: here.now)
    assert turns.claim() is None
    here.now += timedelta(seconds=20)
    claimed = turns.claim()
    assert claimed is not None
    turns.handle(claimed)
    here.now += timedelta(seconds=20)
    assert turns.claim() is None
    here.add(1)
    here.now += timedelta(seconds=20)
    assert turns.claim() is not None


def test_a_new_reference_is_made_of_the_newest_images(site: Callable[..., AtSite]) -> None:
    """Which ends the alarm that they raised; too few are refused with their number."""
    here = site()
    with pytest.raises(OperatorError, match=r"has read 0 images; .* asks for 60"):
        monitoring_listing.renew(here.settings, "starter", "Dr. Doe", here.now)
    here.add(60)
    here.watch.look_at(here.model)
    here.add(80, shift=4.0)
    here.watch.look()
    assert here.alarms() == [("drift", "MODALITY")]
    assert "newest 60 images" in monitoring_listing.renew(here.settings, "starter", "Dr. Doe", here.now)
    here.add(20, shift=4.0)
    here.watch.look()
    assert here.alarms() == []


def test_what_is_old_is_forgotten_and_the_reference_is_not(
    site: Callable[..., AtSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a version the newest readings are kept."""
    here = site()
    here.add(60)
    here.watch.look_at(here.model)
    here.add(15)
    monkeypatch.setattr(monitoring_records, "KEPT", 5)
    here.watch.look_at(here.model)
    kept = here.house.database.read(lambda tx: monitoring_records.latest(tx, "starter", here.model.version, 0, 1000))
    assert len(kept) == 65


def test_one_half_of_a_window_that_lies_apart_is_chance(site: Callable[..., AtSite]) -> None:
    """Both halves must: a few odd images on one day are no drift."""
    here = site()
    here.add(60)
    here.watch.look_at(here.model)
    here.add(10)
    here.add(10, shift=4.0)
    here.watch.look()
    assert here.alarms() == []
    here.add(10, shift=4.0)
    here.watch.look()
    assert here.alarms() == [("drift", "MODALITY")]
