"""A challenger judged on locked sets: declared before, written down after, and put where the verdict says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.bundle.folder import read_manifest, write_bundle
from models.gate.protocol import Protocol
from models.gate.verdict import Outcome, State
from node.config import Settings
from node.config.gate import GateSettings
from node.domain.errors import Permanent, Transient
from node.pipeline.learning import challenger_judged
from node.pipeline.learning.challenger_judged import Challenge, Judged, declare, judge_challenger
from node.pipeline.learning.first_look import agreements, first_look
from node.pipeline.learning.locked import folders
from node.pipeline.learning.places import Places
from node.pipeline.learning.training_folder import Built
from node.pipeline.learning.verdict_in_child import Asked, SetFolder, verdict_of
from node.pipeline.registry import challengers, modes
from node.pipeline.registry.catalogue import bundle_path, seeded
from node.store.learning import gate_runs, locked_sets, model_versions
from node.store.registering import registry
from node.store.tables.choices import Mode
from node.store.tables.version_tables import VersionState
from tests.support.houses.house import House
from tests.support.learning.locked import freeze_drawn
from tests.support.learning.promoting import NOW, settings_for
from tests.support.learning.versions import another_version

ENOUGH = 64


def _settings(house: House, *, required: bool = False, **gate: Any) -> Settings:
    settings = settings_for(house, required=required, gate={"draws": 200, **gate})
    seeded(settings, house.database, lambda: NOW)
    return settings


def _blind(folder: Path) -> Path:
    """Let a bundle find everything unlikely."""
    manifest = read_manifest(folder)
    write_bundle(folder, replace(manifest, calibration=replace(manifest.calibration, intercept=-20.0)))
    return folder


def _judge(house: House, settings: Settings, bundle: Path, run: str = "7", **how: Any) -> Judged:
    challenge = Challenge("starter", bundle, run, {"site": "cd" * 32})
    return judge_challenger(house.database, settings, challenge, lambda: NOW, **how)


def test_the_declared_keys_are_those_of_the_protocol() -> None:
    """With the same defaults; what is beside them is no criterion."""
    protocol = {name: field.default for name, field in Protocol.__dataclass_fields__.items()}
    declared = {name: field.default for name, field in GateSettings.model_fields.items()}
    assert protocol.items() <= declared.items()
    assert declared.keys() - protocol.keys() == {"shadow", "keep_refused_days"}


@pytest.mark.database("any")
def test_a_challenger_is_judged_and_waits_for_approval(house: House, tmp_path: Path) -> None:
    """By what was declared before; with protocol, result and page, and read in shadow beside its champion."""
    settings = _settings(house)
    freeze_drawn(house.database, house.folder, ENOUGH, NOW)
    declare(house.database, settings, "starter", "7", NOW)
    later = _settings(house, auc_margin=0.5)
    judged = _judge(house, later, another_version(tmp_path / "2", "2"))
    assert (judged.outcome, judged.state) == ("promoted", VersionState.AWAITING)
    result = json.loads((judged.folder / "result.json").read_bytes())
    assert result["protocol"]["auc_margin"] == 0.01
    assert json.loads((judged.folder / "protocol.json").read_bytes())["digest"] == result["protocol_digest"]
    assert "AUC (patients drawn)" in (judged.folder / "page.html").read_text(encoding="utf-8")
    row = house.database.read(lambda tx: model_versions.get(tx, "starter", judged.version))
    assert row is not None
    assert row.data_digests.keys() == {"training", "site", "site-starter 1"}
    assert row.figures["gate"]["pneumonia"]["learning"] == 0.0
    assert list(row.parents) == [row.judged_against]
    run = house.database.read(lambda tx: gate_runs.get(tx, "7"))
    assert run is not None
    assert run.verdict is not None
    assert run.verdict["outcome"] == "promoted"
    (looked_at,) = house.database.read(locked_sets.newest)
    assert looked_at.uses == 1
    beside = house.database.read(lambda tx: registry.get(tx, challengers.name_of("starter")))
    assert beside is not None
    assert (beside.version, beside.mode) == (judged.version, Mode.SHADOW)


def _verdict(house: House, bundle: Path, **protocol: Any) -> Any:
    """Return a verdict without the child process that it is otherwise made in."""
    found = house.database.read(lambda tx: folders(tx, Places(house.folder)))
    sets = [
        SetFolder(one.row.name, str(one.row.version), one.row.digest, one.path, "test", target=True, uses=one.row.uses)
        for one in found
    ]
    asked = Asked(bundle_path("starter"), "1"), Asked(bundle, "2")
    return verdict_of({"draws": 200, **protocol}, *asked, sets)


@pytest.fixture
def settled(house: House, tmp_path: Path) -> Callable[..., Judged]:
    """Give a function that puts a version with some outcome where it belongs, as a verdict does."""

    def settle(settings: Settings, outcome: str, number: str, *, approval: bool = True, trusted: bool = True) -> Judged:
        bundle = another_version(tmp_path / number, number)
        champion, manifest = challenger_judged._parties(house.database, Challenge("starter", bundle, number))
        declare(house.database, settings, "starter", number, NOW)
        written = challenger_judged._Written(number, NOW, {}, tmp_path, outcome, champion.version, "because")
        version = challenger_judged.described(
            "starter", challenger_judged.version_of(manifest), str(bundle), manifest, NOW
        )
        state = challenger_judged._STATES[outcome]
        row = replace(version, state=state, outcome=outcome, judged_against=champion.version, run=number)
        return house.database.write(
            lambda tx: challenger_judged._settle(tx, settings, row, written, challenger_judged._How(approval, trusted))
        )

    return settle


def _serving(house: House) -> str:
    found = house.database.read(lambda tx: model_versions.serving(tx, "starter"))
    assert found is not None
    return found.version


def test_without_approval_what_passed_serves_at_once(house: House, settled: Callable[..., Judged]) -> None:
    """What did not pass never does, and reads in shadow only where nothing spoke against it."""
    settings = _settings(house)
    refused = settled(settings, "refused", "2", approval=False)
    assert refused.state is VersionState.REFUSED
    assert house.database.read(lambda tx: registry.get(tx, challengers.name_of("starter"))) is None
    assert settled(settings, "shadow", "3", approval=False).state is VersionState.SHADOW
    beside = house.database.read(lambda tx: registry.get(tx, challengers.name_of("starter")))
    assert beside is not None
    assert beside.version.startswith("3.")
    passed = settled(settings, "promoted", "4", approval=False)
    assert (passed.state, _serving(house)) == (VersionState.SERVING, passed.version)


def test_the_gate_silences_no_active_model(house: House, settled: Callable[..., Judged]) -> None:
    """Where its new version has no validation and one is required, it waits, whoever need not approve."""
    settings = _settings(house)
    modes.set_mode(settings, "starter", "active", NOW)
    first = _serving(house)
    asking = settings.model_copy(update={"go_live": settings.go_live.model_copy(update={"require_validation": True})})
    waiting = settled(asking, "promoted", "2", approval=False)
    assert (waiting.state, _serving(house)) == (VersionState.AWAITING, first)


@pytest.mark.database("any")
def test_a_bundle_that_must_be_signed_first_runs_nowhere(
    house: House, settled: Callable[..., Judged], tmp_path: Path
) -> None:
    """Neither beside its champion nor in its place; once a person has signed it, it can be promoted."""
    settings = _settings(house)
    first = _serving(house)
    assert settled(settings, "promoted", "2", approval=False, trusted=False).state is VersionState.AWAITING
    assert (_serving(house), house.database.read(lambda tx: registry.get(tx, challengers.name_of("starter")))) == (
        first,
        None,
    )
    key = house.folder / "key.pem"
    asking = settings.model_copy(update={"models": (settings.models[0].model_copy(update={"public_key": key}),)})
    row = house.database.read(lambda tx: model_versions.all(tx, "starter"))[0]
    assert (challenger_judged._trusted(settings, row), challenger_judged._trusted(asking, row)) == (True, False)


def test_a_verdict_against_a_champion_that_went_is_made_anew(house: House, settled: Callable[..., Judged]) -> None:
    """The work is tried again; nothing is kept of a verdict that compares with what serves no longer."""
    settings = _settings(house)
    first = _serving(house)
    settled(settings, "promoted", "2", approval=False)
    written = challenger_judged._Written("9", NOW, {}, Path(), "promoted", first, "")
    row = house.database.read(lambda tx: model_versions.serving(tx, "starter"))
    assert row is not None
    with pytest.raises(Transient, match="came to serve while"):
        house.database.write(
            lambda tx: challenger_judged._settle(
                tx, settings, row, written, challenger_judged._How(approval=True, trusted=True)
            )
        )


@pytest.mark.database("any")
def test_verdicts_come_from_the_bundles_themselves(house: House, tmp_path: Path) -> None:
    """One that finds nothing any more is refused; too few patients leave it in shadow; no set is no verdict."""
    freeze_drawn(house.database, house.folder, ENOUGH, NOW)
    wrong = _verdict(house, _blind(another_version(tmp_path / "2", "2")))
    assert wrong.outcome is Outcome.REFUSED
    missed = {one.name: one for one in wrong.criteria if one.state is State.MISSED}
    assert (missed["sensitivity"].challenger, "calibration error" in missed) == (0.0, True)
    (area,) = [one for one in wrong.criteria if one.name == "AUC (DeLong)"]
    assert area.champion == pytest.approx(1.0, abs=0.01)
    assert _verdict(house, another_version(tmp_path / "3", "3"), min_patients=65).outcome is Outcome.SHADOW
    with pytest.raises(Permanent, match="no locked set"):
        verdict_of({}, Asked(bundle_path("starter"), "1"), Asked(bundle_path("starter"), "1"), [])


@pytest.mark.database("any")
def test_what_cannot_be_judged_says_why(house: House, tmp_path: Path) -> None:
    """No model, no set, the same device, or a bundle that has changed."""
    settings = _settings(house)
    bundle = another_version(tmp_path / "2", "2")
    with pytest.raises(Permanent, match="there is no locked set with the labels of starter"):
        _judge(house, settings, bundle)
    with pytest.raises(Permanent, match="is the very version that serves"):
        _judge(house, settings, bundle_path("starter"))
    with pytest.raises(Permanent, match="no model 'other' is registered"):
        judge_challenger(house.database, settings, Challenge("other", bundle, "7"), lambda: NOW)
    (bundle / "classifier.npz").unlink()
    with pytest.raises(Permanent, match="cannot be used"):
        _judge(house, settings, bundle)


def test_a_data_set_that_lost_much_is_not_trained_on(house: House, tmp_path: Path) -> None:
    """Compared with what the champion learned from here; one that was trained elsewhere is compared with nothing."""
    settings = _settings(house)
    built = Built(tmp_path, "ab" * 32, {}, 79)
    first_look(house.database, settings, "starter", built, lambda: NOW)
    row = house.database.read(lambda tx: model_versions.serving(tx, "starter"))
    assert row is not None
    house.database.write(lambda tx: model_versions.describe(tx, replace(row, figures={"learned": 100})))
    with pytest.raises(Permanent, match="no training: 79 images to learn from where the champion had 100"):
        first_look(house.database, settings, "starter", built, lambda: NOW)
    ((event,),) = house.rows("SELECT event FROM audit WHERE event = 'training refused'")
    assert event == "training refused"


@pytest.mark.database("any")
def test_labels_are_compared_with_what_the_champion_says(house: House) -> None:
    """Of every patient of a data set and of the locked set; here both are labelled by the champion's own order."""
    _settings(house)
    freeze_drawn(house.database, house.folder, ENOUGH, NOW)
    (found,) = house.database.read(lambda tx: folders(tx, Places(house.folder)))
    locked = SetFolder("site-starter", "1", "", found.path, "test", target=True, uses=0)
    both = agreements(bundle_path("starter"), found.path, locked)
    assert both is not None
    assert both[0] == both[1]
    assert both[0].patients == ENOUGH
    assert 0 <= both[0].agreeing <= ENOUGH
