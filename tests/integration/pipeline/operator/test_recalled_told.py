"""A recalled version that still serves is told wherever an operator looks, and nothing promises that it sends."""

from pathlib import Path

import pytest

from node.app.serve import opened_node
from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.checks.all_checks import check
from node.pipeline.learning.promotion import promote, rollback
from node.pipeline.learning.version_listing import versions
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from node.pipeline.registry import modes
from node.pipeline.registry.catalogue import seeded
from node.pipeline.stopping import control, recall
from node.store.registering import registry
from node.store.tables.choices import Mode
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line
from tests.support.learning.versions import another_version, challenger
from tests.test_docs import documented_json_keys


@pytest.fixture
def settings(house: House) -> Settings:
    """Give a site that asks for no validation."""
    return house.settings(peers=[PACS], models=[{"name": "starter"}], go_live={"require_validation": False})


@pytest.fixture
def line(house: House, monkeypatch: pytest.MonkeyPatch) -> Line:
    """Give a node with a report that waits."""
    monkeypatch.setattr(control, "STOPPED_WITHIN_S", 0.2)
    line = Line(house)
    house.receive(radiograph())
    line.report()
    return line


def _recall(line: Line, settings: Settings) -> str:
    version = str(line.study()["analyses"][0]["version"])
    recall.send(settings, "starter", version, "ada", line.house.clock(), "odd scores")
    return version


def _lines(line: Line, settings: Settings) -> list[tuple[str, str]]:
    found = check(settings, line.house.folder, line.house.clock())
    return [(one.verdict, one.text) for one in found if "was recalled" in one.text]


@pytest.mark.database("any")
def test_check_and_the_start_call_it_a_fault_until_the_model_is_off(line: Line, settings: Settings) -> None:
    """With the way out; what the operator typed is in listings, and not in the log."""
    version = _recall(line, settings)
    ((verdict, text),) = _lines(line, settings)
    assert verdict == "fault"
    assert f"model starter still serves version {version}, which was recalled on" in text
    assert "`pacs-node models mode starter off` ends that" in text
    assert control.kept_back(settings) == [text]
    control.hold(settings, "", "Doe^Jane complained", "ada", line.house.clock())
    with opened_node(settings) as node:
        assert node.kept_back == ["everything that leaves is held since 2026-01-02 12:01:01 UTC by ada", text]
    modes.set_mode(settings, "starter", "off", line.house.clock())
    assert _lines(line, settings) == []


def test_the_listings_of_models_versions_and_holds_name_the_recall(line: Line, settings: Settings) -> None:
    """By whom and why; of a model that is off, too."""
    seeded(settings, line.house.database, line.house.clock)
    version = _recall(line, settings)
    said = f"version {version} of model starter was recalled by ada: odd scores"
    (model,), (listed,), (row,) = modes.models(settings), versions(settings), control.holds_placed(settings)
    assert (model["recalled"], listed["recalled"]) == (said, said)
    assert (row["model"], row["version"], row["reason"], row["held_by"]) == ("starter", version, "odd scores", "ada")
    assert row["released_at"] is None
    for verb, found in (("models", model), ("models versions", listed), ("holds", row)):
        assert set(found) == set(documented_json_keys(verb))


@pytest.mark.database("any")
def test_a_study_that_it_reads_says_why_nothing_is_sent(line: Line, settings: Settings) -> None:
    """In its timeline, as under a hold."""
    version = _recall(line, settings)
    line.house.receive(radiograph(sop_instance_uid="1.2.3.1.9"))
    line.report()
    told = [entry for entry in line.study()["timeline"] if entry["event"] == "result not sent: version recalled"]
    assert [entry["detail"]["reason"] for entry in told] == [
        f"version {version} of model starter was recalled by ada: odd scores"
    ]
    said = explain(operate.study(settings, "1.2.3", line.house.clock()))
    assert said.count(f" by starter {version} (version recalled): ") == 2


@pytest.mark.database("any")
def test_it_becomes_active_no_more(line: Line, settings: Settings) -> None:
    """Refused with the reason; into shadow it goes, and is told that it sends nothing there either."""
    version, now = _recall(line, settings), line.house.clock()
    assert "none of its results leave" in modes.set_mode(settings, "starter", "shadow", now)
    with pytest.raises(
        OperatorError, match=r"was recalled by ada: odd scores: none of its results leave, now or later"
    ):
        modes.set_mode(settings, "starter", "active", now)
    row = line.house.database.read(lambda tx: registry.get(tx, "starter"))
    assert row is not None
    assert (row.mode, row.version) == (Mode.SHADOW, version)


@pytest.mark.database("any")
def test_a_recalled_version_is_neither_promoted_nor_gone_back_to(
    line: Line, settings: Settings, tmp_path: Path
) -> None:
    """The way out leads away from it alone."""
    house, now = line.house, line.house.clock()
    seeded(settings, house.database, house.clock)
    first = _recall(line, settings)
    second = challenger(house.database, another_version(tmp_path / "2", "2"), first)
    promote(settings, "starter", second, "Dr. Doe", now)
    with pytest.raises(OperatorError, match="was recalled by ada"):
        rollback(settings, "starter", "Dr. Roe", now)
    assert _lines(line, settings) == []


@pytest.mark.database("any")
def test_a_study_is_not_reported_anew_by_it(line: Line, settings: Settings) -> None:
    """Nothing would come of it."""
    _recall(line, settings)
    with pytest.raises(OperatorError, match=r"nothing would leave: version .* was recalled by ada: odd scores"):
        operate.recompose(settings, "1.2.3", "ada", line.house.clock())
