"""Monitoring on both databases: references, alarms and what they stop, the page of a site, what registries get."""

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.label import Label, LabelRule, SourceKind
from node.domain.split import pseudonym
from node.pipeline.monitoring import export, listing, validate
from node.pipeline.monitoring.watch import Turns, Watch
from node.pipeline.monitoring.windows import compare
from node.pipeline.operator.checks import check
from node.pipeline.registry import modes
from node.store.arriving.merges import PatientName
from node.store.labelling import labels
from node.store.learning import monitoring, retrainings, splits
from node.store.learning.retrainings import Request
from node.store.registering import registry, validations
from node.store.registering.registry import Registration
from node.store.tables import Mode
from tests.support.house import House
from tests.support.line import Line
from tests.support.monitored import Rows

NOW = datetime(2026, 5, 1, tzinfo=UTC)
_MONITOR = {"reference_images": 60, "window_images": 20, "min_images": 10, "silence_hours": 1000.0}


class _Site:
    """A site of one active model, watched by hand."""

    def __init__(self, house: House, **monitor: Any) -> None:
        self.house, self.now = house, NOW + timedelta(days=1)
        Line(house, mode=Mode.ACTIVE)
        values: dict[str, Any] = {
            "node": {"ae_title": "PACSNODE", "data_dir": house.folder},
            "database": {"url": house.url},
            "models": [{"name": "starter"}],
            "go_live": monitor.pop("go_live", {}),
            "monitor": _MONITOR | monitor,
        }
        self.settings = Settings.model_validate(values)
        self.rows = Rows(self.model, NOW)
        self.watch = Watch(house.database, self.settings.monitor, lambda: self.now, compare)

    @property
    def model(self) -> Registration:
        found = self.house.database.read(lambda tx: registry.get(tx, "starter"))
        assert found is not None
        return found

    def add(self, count: int, **what: Any) -> list[str]:
        return self.house.database.write(lambda tx: self.rows.add(tx, count, **what))

    def label(self, studies: Sequence[str], *, present: bool) -> None:
        for study in studies:
            source = f"2.25.{study.replace('.', '')}{int(present)}"
            of_image = study, f"{study}.8", f"{study}.9"
            said = Label(*of_image, "pneumonia", present, "Dr. Doe", NOW, source, SourceKind.CSV, LabelRule.ROW, False)
            self.house.database.write(lambda tx, s=source, one=said: labels.record(tx, s, [one], PatientName(""), NOW))

    def alarms(self) -> list[tuple[str, str]]:
        """Return kind and sender of what stands."""
        stand = self.house.database.read(monitoring.open_alarms)
        return sorted((alarm.kind.value, alarm.sender) for alarm in stand)


@pytest.fixture
def site(house: House) -> Callable[..., _Site]:
    """Return what makes a site of a house."""
    return lambda **monitor: _Site(house, **monitor)


def test_images_like_the_reference_raise_nothing(site: Callable[..., _Site]) -> None:
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


def test_drift_stops_a_model_where_that_is_declared_and_says_why_everywhere(site: Callable[..., _Site]) -> None:
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
    shown = [row for row in listing.monitor(here.settings, lambda: here.now) if row["sender"] == "NEWCT"]
    assert (shown[0]["drift"], shown[0]["mode"]) == ("yes", "shadow")
    assert "NEWCT" in shown[0]["alarms"][0]


def test_an_alarm_stops_a_model_once_and_ends_with_its_cause(site: Callable[..., _Site]) -> None:
    """An operator who sets the model active again is not overruled by the alarm that still stands."""
    here = site(stop_on=["drift"])
    here.add(60)
    here.watch.look_at(here.model)
    here.add(20, shift=4.0)
    here.watch.look()
    here.house.database.write(lambda tx: registry.set_mode(tx, "starter", Mode.ACTIVE))
    here.watch.look()
    assert (here.model.mode, here.alarms()) == (Mode.ACTIVE, [("drift", "MODALITY")])
    here.add(20)
    here.watch.look()
    assert here.alarms() == []
    (past,) = listing.alarms(here.settings, 10)
    assert past["cleared_at"] is not None
    assert past["stopped"] is True


def test_without_a_declared_stop_an_alarm_is_an_alarm(site: Callable[..., _Site]) -> None:
    """The model goes on as it was set."""
    here = site()
    here.add(60)
    here.watch.look_at(here.model)
    here.add(20, admitted=False, shift=4.0)
    here.watch.look()
    assert here.alarms() == [("admission", "MODALITY"), ("drift", "MODALITY")]
    assert here.model.mode is Mode.ACTIVE


def test_a_budget_of_flags_and_of_confirmed_flags_is_watched(site: Callable[..., _Site]) -> None:
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
    assert here.alarms() == [("flags", ""), ("ppv", "")]


def test_a_sender_that_falls_silent_is_noticed(site: Callable[..., _Site]) -> None:
    """It sent a study a minute; the other one still does."""
    here = site(silence_hours=1.0)
    here.add(12, sender="CR1")
    here.now = NOW + timedelta(hours=2)
    here.watch.look()
    assert here.alarms() == [("silence", "CR1")]
    here.rows.count += 110
    here.add(1, sender="CR1")
    here.watch.look()
    assert here.alarms() == []


def test_looks_follow_new_images(site: Callable[..., _Site]) -> None:
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


def test_a_new_reference_is_made_of_the_newest_images(site: Callable[..., _Site]) -> None:
    """Which ends the alarm that they raised; too few are refused with their number."""
    here = site()
    with pytest.raises(OperatorError, match=r"has read 0 images; .* asks for 60"):
        listing.renew(here.settings, "starter", "Dr. Doe", here.now)
    here.add(60)
    here.watch.look_at(here.model)
    here.add(80, shift=4.0)
    here.watch.look()
    assert here.alarms() == [("drift", "MODALITY")]
    assert "newest 60 images" in listing.renew(here.settings, "starter", "Dr. Doe", here.now)
    here.add(20, shift=4.0)
    here.watch.look()
    assert here.alarms() == []


def test_a_site_approves_what_it_saw_and_only_then_the_model_may_be_active(site: Callable[..., _Site]) -> None:
    """The page counts by study and by group; the record keeps its digest and its figures."""
    here = site()
    here.house.database.write(lambda tx: registry.set_mode(tx, "starter", Mode.SHADOW))
    page = here.house.folder / "validation.html"
    with pytest.raises(OperatorError, match=r"nothing can be approved: no study .* is labelled"):
        validate.validate(here.settings, "starter", page, "Dr. Doe", here.now)
    flagged, quiet = here.add(8, score=0.9), here.add(12, view="AP", age="030Y")
    here.add(2, admitted=False)
    here.label([*flagged[:6], *quiet[:2]], present=True)
    here.label([*flagged[6:], *quiet[2:]], present=False)
    with pytest.raises(
        OperatorError, match=r"of pneumonia: 8 that have it and 12 that do not, and \[go_live\] min_lab"
    ):
        validate.validate(here.settings, "starter", page, "Dr. Doe", here.now)
    said = validate.validate(here.settings, "starter", page, "Dr. Doe", here.now, "a small hospital")
    assert "approved by Dr. Doe" in said
    text = page.read_text(encoding="utf-8")
    assert "75.0 % (40.9 to 92.9; 6 of 8)" in text  # sensitivity, and the interval of Wilson
    assert "83.3 % (55.2 to 95.3; 10 of 12)" in text
    assert "view AP" in text
    assert "age 18 to 64" in text
    assert "36.4" not in text
    assert "40.0 of 100 assessed" in text
    recorded = here.house.database.read(lambda tx: validations.latest(tx, "starter", here.model.version))
    assert recorded is not None
    assert recorded.figures["not_assessed"] == {"not known": 2}
    assert recorded.figures["although_few"] == "a small hospital"
    assert "Approved all the same: a small hospital" in text
    assert "shadow -> active" in modes.set_mode(here.settings, "starter", "active", here.now)


def test_the_page_counts_apart_what_was_labelled_blind_and_what_was_not_trained_on(site: Callable[..., _Site]) -> None:
    """A label that a reader gave after a result, and a patient whom the training knew, prove less."""
    here = site(go_live={"min_labelled": 2})
    ill, well = here.add(6, score=0.9), here.add(6)
    here.label(ill, present=True)
    here.label(well, present=False)
    database, version = here.house.database, here.model.version
    here.house.execute(f"UPDATE labels SET result_visible = (1 = 1) WHERE study_instance_uid = '{ill[0]}'")  # noqa: S608
    salt = database.write(lambda tx: splits.mint(tx, "5a" * 32, here.now))
    knew = {splits.patient_of(salt, "", f"P{number}"): 1 for number in range(2, 6)}
    database.write(lambda tx: retrainings.request(tx, Request("starter", "x", "ada", "tiny", "scratch", 1), here.now))
    run = database.write(lambda tx: retrainings.claim(tx, here.now, 60.0, "w"))
    assert run is not None
    database.write(lambda tx: retrainings.learns_from(tx, run, knew, "d", None))
    database.write(lambda tx: retrainings.finish(tx, run, here.now, "b", version, "promoted"))
    page = here.house.folder / "validation.html"
    assert "approved by" in validate.validate(here.settings, "starter", page, "Dr. Doe", here.now, "not asked for")
    recorded = database.read(lambda tx: validations.latest(tx, "starter", version))
    assert recorded is not None
    assert "although_few" not in recorded.figures
    ((_, blind), (_, new)) = recorded.figures["classes"][0]["kinds"].items()
    assert (blind["flagged_present"], blind["passed"]) == (5, 6)
    assert (new["flagged_present"], new["passed"]) == (2, 6)
    assert "8 of patients whom it was not trained on" in page.read_text(encoding="utf-8")


def test_a_registry_gets_a_row_for_each_exam_and_no_identity(site: Callable[..., _Site], tmp_path: Path) -> None:
    """Patients, exams and senders by keyed hashes, dates by month, the label beside the flag."""
    here = site()
    (flagged,) = here.add(1, score=0.9)
    here.add(1, admitted=False, age="095Y")
    here.label([flagged], present=False)
    rows = export.exams(here.settings, "starter", "", None, here.now)
    export.write(rows, tmp_path / "exams.csv")
    (refused, said) = list(csv.DictReader((tmp_path / "exams.csv").open(encoding="utf-8")))
    assert (said["outcome"], said["flagged"], said["label"], said["agrees"]) == ("positive", "True", "False", "False")
    assert (refused["outcome"], refused["class"], refused["age_years"]) == ("not_assessed", "", "90")
    assert (said["month"], said["minutes_to_result"]) == ("2026-05", "2.0")
    salt = here.house.database.read(splits.salt_of)
    assert salt is not None
    assert said["patient"] == pseudonym(salt, "exported patient", "", "P1")[:16]
    export.write(rows, tmp_path / "exams.json")
    for text in ((tmp_path / "exams.csv").read_text(), (tmp_path / "exams.json").read_text()):
        assert not [word for word in ("Doe", "P1,", '"P1"', "1.2.1", "MODALITY", "2026-05-01") if word in text]
    assert json.loads((tmp_path / "exams.json").read_text())[0]["model"] == "starter"
    with pytest.raises(OperatorError, match=r"neither \.csv nor \.json"):
        export.write(rows, tmp_path / "exams.txt")


def test_what_is_old_is_forgotten_and_the_reference_is_not(
    site: Callable[..., _Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a version the newest readings are kept."""
    here = site()
    here.add(60)
    here.watch.look_at(here.model)
    here.add(15)
    monkeypatch.setattr(monitoring, "KEPT", 5)
    here.watch.look_at(here.model)
    kept = here.house.database.read(lambda tx: monitoring.latest(tx, "starter", here.model.version, 0, 1000))
    assert len(kept) == 65


def test_an_old_versions_alarm_ends_with_it_and_stops_no_newer_one(site: Callable[..., _Site]) -> None:
    """What nobody looks at any more does not stand in `check` for ever."""
    here = site(stop_on=["drift"])
    here.add(60)
    here.watch.look_at(here.model)
    here.add(20, shift=4.0)
    old = here.model
    here.house.database.write(lambda tx: registry.set_version(tx, "starter", "9"))
    here.watch.look_at(old)
    assert (here.model.mode, here.alarms()) == (Mode.ACTIVE, [("drift", "MODALITY")])
    here.watch.look()
    assert here.alarms() == []


def test_one_half_of_a_window_that_lies_apart_is_chance(site: Callable[..., _Site]) -> None:
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
