"""Off at once, by command: hold, release and recall on the database of a node."""

import re
from typing import Any

import pytest
from sqlalchemy import update

from node.domain.errors import OperatorError
from node.domain.lifecycle import HeldFor, State
from node.pipeline.checks import all_checks
from node.pipeline.stopping import control, recall
from node.store.listing import views
from node.store.sending import outbox
from node.store.stopping import holds
from node.store.tables.choices import DeliveryKind
from node.store.tables.result_tables import Delivery
from node.store.working import work
from tests.support.houses.house import House, incoming, radiograph
from tests.support.houses.line import Line
from tests.support.houses.rejecting import TAKING, count_as_sent, kinds
from tests.support.objects.notes import rejection_file
from tests.test_docs import documented_json_keys

STUDIES = ("1.2.3", "1.2.4")


@pytest.fixture
def line(house: House) -> Line:
    """Give a node with a report on each of two studies that waits for a peer which takes rejection notes."""
    line = Line(house, [TAKING])
    for study in STUDIES:
        house.receive(radiograph(study_instance_uid=study, sop_instance_uid=f"{study}.1.1"))
    line.report()
    return line


@pytest.fixture(autouse=True)
def _nothing_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer than a moment for a node that does not run."""
    monkeypatch.setattr(control, "STOPPED_WITHIN_S", 0.2)


def _hold(line: Line, model: str = "", reason: str = "odd scores") -> str:
    return control.hold(line.configuration, model, reason, "ada", line.house.clock())


def _release(line: Line, model: str = "", *, discard: bool = False) -> str:
    return control.release(line.configuration, model, "bob", line.house.clock(), discard=discard)


def _recall(line: Line) -> str:
    return recall.send(line.configuration, "starter", _version(line), "ada", line.house.clock())


def _all(line: Line) -> list[dict[str, Any]]:
    """Return the deliveries of all studies."""
    return line.house.database.read(lambda tx: views.deliveries(tx, tuple(State)))


def _version(line: Line) -> str:
    return line.study()["analyses"][0]["version"]


@pytest.mark.parametrize("model", ["", "starter"])
def test_a_hold_keeps_back_what_waits_until_it_is_released(line: Line, model: str) -> None:
    """Who, why and what became of it stands in the timeline; the listings name it while it lasts."""
    assert "2 deliveries wait, nothing is under way" in _hold(line, model)
    assert line.claim_delivery() is None
    (hold,) = control.kept_back(line.configuration)
    assert f"hold: {line.deliveries()[0]['hold']}" == f"hold: {line.study()['hold']}" == hold
    assert "2 deliveries let go" in _release(line, model)
    count_as_sent(line.house, line)
    assert kinds(line) == [("report", "done")]
    assert line.study()["hold"] is None
    (back,), (gone,) = line.told("delivery held back"), line.told("delivery released")
    assert (back["by"], back["reason"]) == ("ada", "odd scores")
    assert (gone["by"], gone["held_for"]) == ("bob", "odd scores")


def test_check_says_that_a_hold_is_in_force_and_how_it_ends(line: Line) -> None:
    """A line for each."""
    _hold(line, "starter")
    lines = all_checks.check(line.configuration, line.house.folder, line.house.clock())
    (said,) = (found for found in lines if found.subject == "hold")
    assert "model starter is held since" in said.text
    assert said.text.endswith("odd scores; `pacs-node release --model starter` ends that")


def test_what_gathered_can_be_discarded(line: Line) -> None:
    """Reports are; what takes one back is not."""
    count_as_sent(line.house, line)
    line.house.receive(radiograph(study_instance_uid="1.2.3", sop_instance_uid="1.2.3.1.9", patient_name="Roe^Jane"))
    line.report()
    _hold(line)
    database = line.house.database
    number = line.deliveries()[0]["id"]
    note = update(Delivery).where(Delivery.id == number).values(kind=DeliveryKind.REJECTION_NOTE)
    database.write(lambda tx: tx.execute(note))
    database.write(lambda tx: work.put_back(tx, Delivery, Delivery.id == number, line.house.clock()))
    assert "1 deliveries discarded" in _release(line, discard=True)
    assert kinds(line) == [("rejection_note", "waiting"), ("report", "cancelled")]
    (told,) = line.told("delivery cancelled")
    assert (told["by"], told["held_for"]) == ("bob", "odd scores")


def test_what_was_under_way_when_the_node_was_killed_is_discarded_too(line: Line) -> None:
    """Its timeline says that the peer may have it."""
    assert line.claim_delivery() is not None
    assert line.claim_delivery() is not None
    assert "2 of them still count as under way, to pacs: a running node" in _hold(line)
    _release(line, discard=True)
    assert kinds(line) == [("report", "cancelled")]
    assert "the peer may have got it" in str(line.told("delivery cancelled")[0]["reason"])


def test_a_release_names_what_is_held_where_that_is_something_else(line: Line) -> None:
    """Nothing is let go by a mistake."""
    with pytest.raises(OperatorError, match="no hold on everything is in force: nothing is held"):
        _release(line)
    _hold(line, "starter")
    with pytest.raises(OperatorError, match=r"model starter is held .*`pacs-node release --model starter`"):
        _release(line)
    assert len(control.kept_back(line.configuration)) == 1


@pytest.mark.database("any")
@pytest.mark.parametrize(
    ("model", "reason", "says"), [("x", "why", "no model 'x'; registered: starter"), ("", " ", "needs a reason")]
)
def test_a_hold_that_means_nothing_is_refused(line: Line, model: str, reason: str, says: str) -> None:
    """As a fault of the command line."""
    with pytest.raises(OperatorError, match=says) as caught:
        _hold(line, model, reason)
    assert caught.value.exit_code == 2
    assert line.house.database.read(holds.in_force) == []


@pytest.mark.parametrize("discard", [True, False])
def test_single_deliveries_that_are_held_are_let_go_or_discarded(line: Line, *, discard: bool) -> None:
    """Others are not touched, and one that is not held is refused."""
    claimed, house = line.claim_delivery(), line.house
    assert claimed is not None
    house.database.write(lambda tx: outbox.hold(tx, claimed, house.clock(), "too late", HeldFor.AGE))
    settings, now = line.configuration, house.clock()
    with pytest.raises(OperatorError, match="not held: 999"):
        control.release_deliveries(settings, [claimed.id, 999], "bob", now, discard=discard)
    control.release_deliveries(settings, [claimed.id], "bob", now, discard=discard)
    (one,) = (row for row in _all(line) if row["id"] == claimed.id)
    assert one["state"] == ("cancelled" if discard else "waiting")
    assert (one["released_at"] is None) == discard


def test_a_recall_takes_back_what_was_sent_and_stops_what_was_not(line: Line) -> None:
    """A second one orders nothing more."""
    claimed = line.claim_delivery()
    assert claimed is not None
    line.house.database.write(lambda tx: outbox.finish(tx, claimed, line.house.clock(), 0x0000))
    (sent,) = (row for row in recall.listed(line.configuration, "starter", _version(line)) if row["state"] == "done")
    assert (sent["study_instance_uid"], sent["peer"], sent["takes_rejection_notes"]) == (
        claimed.study_instance_uid,
        "pacs",
        True,
    )
    assert "1 deliveries stopped, 1 rejection notes ordered for 1 reports" in _recall(line)
    assert "0 deliveries stopped, 0 rejection notes ordered for 1 reports" in _recall(line)
    states = {(row["kind"], row["state"]) for row in _all(line)}
    assert states == {("report", "done"), ("report", "cancelled"), ("rejection_note", "waiting")}


def test_a_recalled_version_that_still_serves_is_told(line: Line) -> None:
    """It goes on reporting until it is held or switched off."""
    assert "`pacs-node models mode starter off`" in _recall(line)


def test_under_a_hold_the_notes_of_a_recall_leave_and_nothing_else(line: Line) -> None:
    """Taking results back must not need letting results go."""
    count_as_sent(line.house, line)
    line.house.receive(radiograph(study_instance_uid="1.2.5", sop_instance_uid="1.2.5.1.1"))
    line.report()
    _hold(line)
    line.house.clock.forward(1)
    _recall(line)
    left = [line.claim_delivery(), line.claim_delivery(), line.claim_delivery()]
    assert [one.kind if one else None for one in left] == [DeliveryKind.REJECTION_NOTE] * 2 + [None]


def test_the_listings_have_the_documented_keys(line: Line) -> None:
    """Of what was recalled, and of rejection notes; some of the manual's are those of parts."""
    (row, *_) = recall.listed(line.configuration, "starter", _version(line))
    assert set(row) == set(documented_json_keys("recall"))
    line.house.receive(incoming(rejection_file("113038", ["1.2.3.1.1"]), "PACS"))
    (note,) = control.rejections(line.configuration)
    assert set(note) == set(documented_json_keys("rejections"))


@pytest.mark.database("any")
def test_a_version_that_made_nothing_is_refused(line: Line) -> None:
    """With the versions that did."""
    with pytest.raises(OperatorError, match=re.escape(f"its versions with results are {_version(line)}")):
        recall.listed(line.configuration, "starter", "0.0.0")
