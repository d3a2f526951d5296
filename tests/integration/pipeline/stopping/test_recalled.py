"""A recall is kept: nothing of that version leaves afterwards, and each study says that it was recalled."""

import random
from typing import Any

import pytest

from node.domain.lifecycle import State
from node.pipeline.operator import operate
from node.pipeline.stopping import control, recall
from node.store.listing import views
from node.store.sending import commitments, outbox, outgoing
from node.store.sending.commitments import Named
from node.store.stopping import recalls
from node.store.tables.choices import Commitment
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line, positive
from tests.support.houses.rejecting import TAKING, count_as_sent, kinds, note


@pytest.fixture
def line(house: House) -> Line:
    """Give a node with a report that waits for a peer which takes rejection notes."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    return line


@pytest.fixture(autouse=True)
def _nothing_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer than a moment for a node that does not run."""
    monkeypatch.setattr(control, "STOPPED_WITHIN_S", 0.2)


def _recall(line: Line) -> str:
    version = line.study()["analyses"][0]["version"]
    return recall.send(line.configuration, "starter", version, "ada", line.house.clock(), "odd scores")


def _reports(line: Line) -> list[str]:
    return [state for kind, state in kinds(line) if kind == "report"]


def test_every_study_of_a_recalled_version_says_so_once(line: Line) -> None:
    """Who and why, also where the peer takes no notes; so does each note that was ordered."""
    count_as_sent(line.house, line)
    for _ in range(2):
        _recall(line)
    (told,) = line.told("result recalled")
    assert (told["by"], told["reason"], told["model"]) == ("ada", "odd scores", "starter")
    (ordered,) = line.told("rejection note ordered")
    assert (ordered["by"], ordered["reason"]) == ("ada", "The version of the model that made this result was recalled.")


def test_what_is_under_way_during_a_recall_is_stopped_wherever_it_comes_back(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails while the command waits, and would be tried again; the peer may have it, so a note is ordered."""
    delivery = line.claim_delivery()
    assert delivery is not None
    real = control.stopped

    def fails_meanwhile(*arguments: Any) -> Any:
        line.fail_delivery(delivery, ConnectionResetError())
        return real(*arguments)

    monkeypatch.setattr(recall, "stopped", fails_meanwhile)
    assert "1 deliveries stopped, 1 rejection notes ordered for 1 reports" in _recall(line)
    assert sorted(kinds(line)) == [("rejection_note", "waiting"), ("report", "cancelled")]


def test_what_is_being_sent_stops_once_its_version_is_recalled(line: Line) -> None:
    """Its worker asks every second or so."""
    delivery, database = line.claim_delivery(), line.house.database
    assert delivery is not None
    assert database.read(lambda tx: outgoing.is_wanted(tx, delivery))
    version = line.deliveries()[0]["version"]
    assert database.write(lambda tx: recalls.add(tx, "starter", version, "", "ada", line.house.clock()))
    assert not database.read(lambda tx: outgoing.is_wanted(tx, delivery))


def test_what_was_buried_does_not_leave_by_a_retry(line: Line) -> None:
    """The recall ends it, and one that is buried later is not put back."""
    delivery = line.claim_delivery()
    assert delivery is not None
    line.house.execute("UPDATE deliveries SET state = 'buried'")
    _recall(line)
    assert "cancelled" in _reports(line)
    line.house.execute("UPDATE deliveries SET state = 'buried' WHERE kind = 'report'")
    operate.retry(line.configuration, [], [], line.house.clock(), everything=True)
    assert _reports(line) == ["buried"]


def test_what_is_restored_after_a_recall_does_not_wait_again(line: Line) -> None:
    """Its report was cancelled because the image was removed for its age."""
    note(line.house, "113039", ["1.2.3.1.1"])
    assert _reports(line) == ["cancelled"]
    _recall(line)
    line.house.clock.forward(10)
    line.house.receive(radiograph())
    assert _reports(line) == ["cancelled"]


def test_what_was_recalled_is_not_sent_again_because_the_peer_did_not_keep_it(line: Line) -> None:
    """That it does not keep it is what is wanted."""
    house, uid = line.house, line.deliveries()[0]["sop_instance_uid"]
    delivery = line.claim_delivery()
    assert delivery is not None
    finished = {"commitment": Commitment.ASKED}
    house.database.write(lambda tx: outbox.finish(tx, delivery, house.clock(), 0, **finished))
    house.database.write(lambda tx: commitments.gather(tx, "pacs", house.clock(), 0, lambda: "2.25.1"))
    _recall(line)
    named = Named(frozenset(), {uid: "no such object instance"}, frozenset())
    given = house.clock(), random.Random(1), lambda: "2.25.2"
    house.database.write(lambda tx: commitments.answer(tx, "2.25.1", named, *given))
    (report,) = (row for row in line.deliveries() if row["kind"] == "report")
    assert (report["state"], report["commitment"]) == ("done", "failed")


def test_a_version_that_was_recalled_makes_results_that_go_nowhere(line: Line) -> None:
    """It may still serve; what it says of the next study is kept and not sent."""
    count_as_sent(line.house, line)
    assert "none of its results leave" in _recall(line)
    line.says = positive
    line.house.receive(radiograph(study_instance_uid="1.2.9", sop_instance_uid="1.2.9.1.1"))
    line.report()
    rows = line.house.database.read(lambda tx: views.deliveries(tx, tuple(State)))
    assert [row["study_instance_uid"] for row in rows if row["study_instance_uid"] != "1.2.3"] == []
