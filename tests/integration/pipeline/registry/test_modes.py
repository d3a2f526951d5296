"""Modes, validations, the configuration's word and agreement: what an operator changes beside a running node."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.bundle.folder import read_manifest, write_bundle
from node.config import Settings
from node.domain.errors import OperatorError, Transient
from node.domain.finding import Outcome
from node.domain.rule import Aggregation, Rule
from node.pipeline.checks import rule_checks
from node.pipeline.checks.all_checks import check
from node.pipeline.registry import modes
from node.pipeline.registry.catalogue import bundle_path, catalogue_of, registration_of, seeded
from node.pipeline.registry.modes import Verdict
from node.store.registering import registry, validations
from node.store.registering.agreement import Pair
from node.store.registering.validations import RecordedValidation
from node.store.tables.choices import Mode
from node.store.tables.version_tables import RegisteredModel
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line, negative, positive

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def _settings(house: House, *tables: dict[str, Any], required: bool = True) -> Settings:
    return house.settings(models=tables or [{"name": "starter"}], go_live={"require_validation": required})


def _registered(house: House, settings: Settings) -> None:
    """Bring the registry to where a start of the node brings it."""
    seeded(settings, house.database, lambda: NOW)


def _of(house: House, name: str = "starter") -> registry.Registration:
    found = house.database.read(lambda tx: registry.get(tx, name))
    assert found is not None
    return found


def _validate(house: House, version: str) -> None:
    recorded = RecordedValidation("starter", version, "Dr. Doe", NOW, "ab" * 32, {"sensitivity": 0.9})
    house.database.write(lambda tx: validations.record(tx, recorded))


def _another_version(folder: Path) -> Path:
    """Return a bundle like the starter's that is another device."""
    copy = Path(shutil.copytree(bundle_path("starter"), folder / "newer"))
    write_bundle(copy, replace(read_manifest(copy), version="9.0.0"))
    return copy


def test_active_is_refused_without_a_recorded_validation_of_this_version(house: House) -> None:
    """With the reason and the way out; that of another version is of another device."""
    settings = _settings(house)
    _registered(house, settings)
    with pytest.raises(
        OperatorError, match=r"no recorded local validation, and \[go_live\].*require_validation = false"
    ):
        modes.set_mode(settings, "starter", "active", NOW)
    _validate(house, "0.9")
    with pytest.raises(OperatorError, match=r"that of version 0\.9, recorded 2026-05-01 by Dr\. Doe, is of another"):
        modes.set_mode(settings, "starter", "active", NOW)
    _validate(house, _of(house).version)
    assert "shadow -> active" in modes.set_mode(settings, "starter", "active", NOW)
    assert _of(house).mode is Mode.ACTIVE


def test_a_site_that_asks_for_no_validation_lets_a_model_in(house: House) -> None:
    """On its own responsibility; once it asks, the next start puts the model into shadow, and check says so before."""
    _registered(house, _settings(house, required=False))
    modes.set_mode(_settings(house, required=False), "starter", "active", NOW)
    asking = _settings(house)
    said = [line.text for line in check(asking, Path("config.toml"), NOW) if line.subject == "model starter"]
    assert any("it is active, and it has no recorded local validation" in text for text in said)
    _registered(house, asking)
    assert _of(house).mode is Mode.SHADOW


def test_a_new_version_of_an_active_model_begins_in_shadow(house: House, tmp_path: Path) -> None:
    """Its validation was of another device; a running node follows without a restart."""
    settings = _settings(house)
    _registered(house, settings)
    _validate(house, _of(house).version)
    modes.set_mode(settings, "starter", "active", NOW)
    catalogue = catalogue_of(settings, house.database, [_of(house)])
    before = catalogue.served("starter")
    newer = _settings(house, {"name": "starter", "bundle": str(_another_version(tmp_path))})
    said = modes.configure(newer, "starter", NOW)
    assert "starter goes into shadow" in said
    assert _of(house).mode is Mode.SHADOW
    after = catalogue.served("starter")
    assert after.identity.version != before.identity.version
    assert after.identity.version.startswith("9.0.0+")


def test_a_model_that_is_added_is_served_without_a_restart(house: House) -> None:
    """Receiving asks its rule with the next image, reading opens its bundle with the first job."""
    settings = _settings(house)
    _registered(house, settings)
    catalogue = catalogue_of(settings, house.database, [_of(house)])
    both = _settings(house, {"name": "starter"}, {"name": "second", "modalities": ["CT"], "mode": "off"})
    assert "registered with version" in modes.configure(both, "second", NOW)
    assert house.database.read(catalogue.served_models.rules).keys() == {"starter", "second"}
    assert catalogue.served("second").identity.name == "second"
    with pytest.raises(OperatorError, match=r"no \[\[models\]\] table named 'third'; it has: starter, second"):
        modes.configure(both, "third", NOW)


def test_a_changed_rule_counts_with_the_next_image(house: House) -> None:
    """And what has not changed is not said to have."""
    settings = _settings(house)
    _registered(house, settings)
    assert modes.configure(settings, "starter", NOW) == "model starter: the registry says the same already"
    wider = _settings(house, {"name": "starter", "modalities": ["CT"], "aggregation": "top-k", "top_k": 2})
    assert "its rule is that of the table" in modes.configure(wider, "starter", NOW)
    assert _of(house).rule == Rule(modalities=("CT",), aggregation=Aggregation.TOP_K, top_k=2)
    (listed,) = modes.models(wider)
    assert listed["reads"] == {"modalities": ["CT"], "body_parts": ["CHEST"], "aggregation": "top-k", "top_k": 2}


def test_check_notes_what_a_rule_says_in_vain(house: House) -> None:
    """Senders that nobody lets in, and a top_k that nothing takes; where anybody may send, a sender may be anybody."""
    odd = _settings(house, {"name": "starter", "senders": ["NOSUCH"], "top_k": 5})
    said = [line.text for line in rule_checks.lines(odd)]
    assert [line.text for line in check(odd, Path("config.toml"), NOW) if line.text in said] == said
    assert ["NOSUCH" in said[0], "top_k = 5 has no effect" in said[1]] == [True, True]
    anybody = odd.receive.model_copy(update={"accept_any_calling_ae": True})
    assert len(list(rule_checks.lines(odd.model_copy(update={"receive": anybody})))) == 1
    assert list(rule_checks.lines(_settings(house, {"name": "starter", "aggregation": "top-k", "top_k": 5}))) == []


def test_a_version_that_is_changed_in_its_folder_is_refused_while_the_node_may_run(
    house: House, tmp_path: Path
) -> None:
    """Child processes have the old networks loaded: readings would be said to be of the new version."""
    folder = Path(shutil.copytree(bundle_path("starter"), tmp_path / "mine"))
    settings = _settings(house, {"name": "starter", "bundle": str(folder)})
    _registered(house, settings)
    catalogue = catalogue_of(settings, house.database, [_of(house)])
    write_bundle(folder, replace(read_manifest(folder), version="9.0.0"))
    with pytest.raises(OperatorError, match="put a new version into a folder of its own"):
        modes.configure(settings, "starter", NOW)
    assert not catalogue.served("starter").identity.version.startswith("9")


def test_a_bundle_that_is_gone_again_is_waited_for(house: House, tmp_path: Path) -> None:
    """The job is tried again; nothing is called not assessed."""
    settings = _settings(house)
    _registered(house, settings)
    catalogue = catalogue_of(settings, house.database, [_of(house)])
    folder = _another_version(tmp_path)
    modes.configure(_settings(house, {"name": "starter", "bundle": str(folder)}), "starter", NOW)
    shutil.rmtree(folder)
    with pytest.raises(Transient, match="cannot be used"):
        catalogue.served("starter")


def test_a_model_that_is_switched_on_says_what_it_has_missed(house: House) -> None:
    """What came while it was off stays unread, and is listed."""
    settings = _settings(house)
    _registered(house, settings)
    modes.set_mode(settings, "starter", "off", NOW)
    house.rules["starter"] = None
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    said = modes.set_mode(settings, "starter", "shadow", NOW)
    assert "1 studies came while it was off and stay unread by it" in said


def test_rows_of_older_versions_load(house: House) -> None:
    """With the defaults of what they did not ask."""
    old = {"modalities": ["DX"], "body_parts": [], "senders": ["CR1"], "age_years": [1, 5]}
    values = ("starter", "1", "starter", "shadow", json.dumps(old))
    house.execute(
        f"INSERT INTO {RegisteredModel.__tablename__} (name, version, bundle, mode, rule) VALUES "  # noqa: S608
        f"('{values[0]}', '{values[1]}', '{values[2]}', '{values[3]}', '{values[4]}')"
    )
    expected = Rule(modalities=("DX",), body_parts=(), senders=("CR1",), age_years=(1, 5))
    assert _of(house).rule == expected
    assert [row.rule for row in house.database.read(registry.all)] == [expected]


def test_models_are_compared_on_the_same_images(house: House) -> None:
    """Champion and challenger: the study on which they disagree is named; other images are no comparison."""
    house.rules = {"starter": Rule(), "challenger": Rule()}
    tables = {"name": "starter"}, {"name": "challenger"}
    settings = _settings(house, *tables, required=False)
    rows = [registration_of(model, require_validation=False) for model in settings.models]
    for row in rows:
        house.database.write(lambda tx, row=row: registry.seed(tx, row))
    line = Line(house)
    line.catalogue = catalogue_of(settings, house.database, rows)
    for number, says in enumerate((positive, negative), start=1):
        line.says = says
        study = f"1.2.{number}"
        house.receive(radiograph(study_instance_uid=study, sop_instance_uid=f"{study}.1"))
        line.report()
    (same,) = modes.agreements(settings)
    assert (same["agree"], same["both_positive"], same["both_negative"], same["disagree"]) == (2, 1, 1, 0)
    found = "(SELECT findings FROM analyses WHERE model = 'starter' AND study_instance_uid = '1.2.1')"
    house.execute(f"UPDATE analyses SET outcome = 'positive', findings = {found} WHERE model = 'challenger'")  # noqa: S608
    (compared,) = modes.agreements(settings)
    assert (compared["one"], compared["other"]) == ("challenger", "starter")
    assert (compared["studies"], compared["agree"], compared["disagree"]) == (2, 1, 1)
    (apart,) = compared["disagreeing"]
    assert apart == {
        "study_instance_uid": "1.2.2",
        "outcomes": {"challenger": "positive", "starter": "negative"},
    }
    house.execute("UPDATE analyses SET inputs_digest = 'other' WHERE model = 'challenger'")
    assert modes.agreements(settings) == []


POSITIVE, NEGATIVE, NOT_ASSESSED = Outcome.POSITIVE, Outcome.NEGATIVE, Outcome.NOT_ASSESSED


@pytest.mark.parametrize(
    ("outcomes", "present", "expected"),
    [
        ((NOT_ASSESSED, NOT_ASSESSED), ({}, {}), Verdict.BOTH_NOT_ASSESSED),
        ((NOT_ASSESSED, POSITIVE), ({}, {"pneumonia": True}), Verdict.DISAGREE),
        ((POSITIVE, POSITIVE), ({"pneumonia": True}, {"fracture": True}), Verdict.NOT_COMPARABLE),
        ((POSITIVE, POSITIVE), ({"a": True, "b": False}, {"a": False, "b": True}), Verdict.DISAGREE),
        ((POSITIVE, NEGATIVE), ({"a": False, "b": True}, {"a": False}), Verdict.BOTH_NEGATIVE),
        ((POSITIVE, POSITIVE), ({"a": True, "b": True}, {"a": True}), Verdict.BOTH_POSITIVE),
    ],
)
def test_only_what_both_models_know_is_agreement(
    outcomes: tuple[Outcome, Outcome], present: tuple[dict[str, bool], dict[str, bool]], expected: Verdict
) -> None:
    """Two refusals are none, and neither are two flags of different things."""
    assert modes.verdict(Pair("1.2.3", ("one", "other"), outcomes, present)) is expected
