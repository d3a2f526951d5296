"""What a peer may hold although its answer was never booked: taken back, listed and told like what it holds."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from node.network.peer import Timeouts
from node.pipeline.stopping import control, recall
from node.store.database import Database
from node.store.sending import outbox
from node.store.stopping import holds, releasing
from node.store.tables.result_tables import Delivery
from node.store.working import work
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import HASTY, Line
from tests.support.houses.rejecting import TAKING, count_as_sent, kinds, note
from tests.support.peers.pacs import Deed, Pacs

IMAGE = "1.2.3.1.1"
TAKEN_BACK = [("report", "cancelled"), ("rejection_note", "waiting")]


@pytest.fixture
def line(house: House, pacs: Pacs) -> Line:
    """Give a node with a report that waits for it."""
    line = Line(house, [TAKING.model_copy(update={"port": pacs.port})])
    house.receive(radiograph())
    line.report()
    return line


@pytest.fixture(autouse=True)
def _nothing_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer than a moment for a node that does not run."""
    monkeypatch.setattr(control, "STOPPED_WITHIN_S", 0.2)


def _kinds(line: Line) -> list[tuple[str, str]]:
    return sorted(kinds(line), reverse=True)


@pytest.mark.parametrize("deed", [Deed.DROP_AFTER_STORING, Deed.SILENCE])
def test_a_report_whose_answer_was_lost_is_taken_back(line: Line, pacs: Pacs, deed: Deed) -> None:
    """Whether the peer stored it nobody knows; its timeline says so, and the note is sent."""
    pacs.deeds, line.timeouts = [deed], HASTY
    line.deliver()
    note(line.house, "113037", [IMAGE])
    assert _kinds(line) == TAKEN_BACK
    (told,) = line.told("delivery cancelled")
    assert told["reason"].endswith("the peer may have got it")
    (untrue,) = line.study()["untrue_reports"]
    assert (untrue["peer"], untrue["rejection_note"]) == ("pacs", "waiting")


def test_a_report_is_taken_back_that_was_stopped_on_its_way_by_its_rejection(line: Line, pacs: Pacs) -> None:
    """The note comes while the peer keeps silent; the abort stands in the timeline."""
    pacs.deeds = [Deed.SILENCE]
    line.timeouts = Timeouts(10.0, 10.0, 60.0)
    courier = line.courier(line.peers[0])
    delivery = courier.claim()
    assert delivery is not None
    line.house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    note(line.house, "113037", [IMAGE])
    courier.handle(delivery)  # it was untrue before it left
    assert line.told("delivery stopped") == []
    assert _kinds(line) == [("report", "cancelled")]


def test_a_report_that_a_hold_stopped_on_its_way_may_be_there(line: Line, pacs: Pacs) -> None:
    """Discarded, it is recalled like one that was answered."""
    pacs.deeds, pacs.arrived = [Deed.SILENCE], _Holding(line.house)
    line.timeouts = Timeouts(10.0, 10.0, 60.0)
    line.deliver()
    (stopped,) = line.told("delivery stopped")
    assert stopped["reason"] == "it was stopped on its way; the peer may have got it"
    control.release(line.configuration, "", "bob", line.house.clock(), discard=True)
    (told,) = line.told("delivery cancelled")
    assert told["reason"].endswith("the peer may have got it")
    (row,) = recall.listed(line.configuration, "starter", line.deliveries()[0]["version"])
    assert (row["state"], row["offered_at"] is None) == ("cancelled", False)
    recall.send(line.configuration, "starter", row["version"], "ada", line.house.clock())
    assert _kinds(line) == TAKEN_BACK


class _Holding:
    """Stands for the event that a C-STORE has come, and has everything held then."""

    def __init__(self, house: House) -> None:
        self._house = house

    def set(self) -> None:
        """Hold everything, as an operator beside the node does."""
        with closing(Database.open(self._house.url)) as other:
            other.write(lambda tx: holds.place(tx, holds.ALL_MODELS, "wrong monitor", "ada", self._house.clock()))


def test_a_report_is_taken_back_whose_node_was_killed_after_the_answer(line: Line) -> None:
    """The next start knows only that it was under way."""
    assert line.claim_delivery() is not None
    line.house.database.write(lambda tx: outbox.rescue(tx, line.house.clock(), everything=True))
    note(line.house, "113037", [IMAGE])
    assert _kinds(line) == TAKEN_BACK


def test_what_never_left_is_not_taken_back(line: Line, pacs: Pacs) -> None:
    """The peer rejected the association, or refused the report."""
    pacs.rejects = 1
    line.deliver()
    line.house.clock.forward(60)
    pacs.status = 0xA700
    line.deliver()
    assert (line.deliveries()[0]["last_status"], line.deliveries()[0]["offered_at"]) == (0xA700, None)
    note(line.house, "113037", [IMAGE])
    assert (_kinds(line), line.study()["untrue_reports"]) == ([("report", "cancelled")], [])


def test_what_may_have_left_twice_and_is_refused_may_be_there(line: Line, pacs: Pacs) -> None:
    """It was offered on an association that broke, and at once again."""
    line.house.receive(radiograph(study_instance_uid="1.2.4", sop_instance_uid="1.2.4.1.1"))
    line.report()
    pacs.deeds = [Deed.ANSWER, Deed.DROP_AFTER_STORING]
    pacs.status = 0x0000
    courier = line.courier(line.peers[0])
    _handle_next(courier)
    pacs.status = 0xC000
    second = _handle_next(courier)
    courier.close()
    rows = line.house.rows("SELECT id, state, offered_at FROM deliveries")
    assert [(state, at is None) for number, state, at in rows if number == second] == [("buried", False)]


def _handle_next(courier: Any) -> int:
    delivery = courier.claim()
    assert delivery is not None
    courier.handle(delivery)
    number: int = delivery.id
    return number


def test_a_report_follows_one_that_ended_and_may_be_there(line: Line, pacs: Pacs) -> None:
    """Although it says what an earlier one said that the peer has: the one between may be what a reader sees."""
    line.deliver()
    pacs.deeds = [Deed.DROP_AFTER_STORING]
    for name in ("Roe^Jane", "Doe^Jane"):
        line.house.clock.forward(10)
        line.house.receive(radiograph(patient_name=name))
        line.report()
        line.deliver()
        line.house.execute("UPDATE deliveries SET state = 'cancelled' WHERE state = 'waiting'")
    assert [state for _, state in kinds(line)].count("done") == 2


def test_what_was_sent_keeps_no_error_of_before(line: Line, pacs: Pacs) -> None:
    """Done is done."""
    pacs.deeds = [Deed.DROP]
    line.deliver()
    assert line.deliveries()[0]["last_error"]
    line.house.clock.forward(60)
    line.deliver()
    assert (line.deliveries()[0]["state"], line.deliveries()[0]["last_error"]) == ("done", "")


Meanwhile = Callable[[Line, releasing.Gathered], None]


def _comes_back(line: Line, one: releasing.Gathered) -> None:
    which = Delivery.id == one.id
    line.house.database.write(lambda tx: work.put_back(tx, Delivery, which, line.house.clock()))


def _is_answered(line: Line, one: releasing.Gathered) -> None:
    _comes_back(line, one)
    count_as_sent(line.house, line)


@pytest.mark.parametrize(("meanwhile", "state", "entries"), [(_comes_back, "cancelled", 1), (_is_answered, "done", 0)])
def test_a_discard_goes_by_what_became_of_it_meanwhile(
    line: Line, meanwhile: Meanwhile, state: str, entries: int
) -> None:
    """It was under way when the operator looked: what waits again is cancelled, what was answered is told as it is."""
    database, now = line.house.database, line.house.clock()
    assert line.claim_delivery() is not None
    (seen,) = database.read(lambda tx: releasing.of_model(tx, ""))
    meanwhile(line, seen)
    ended = database.write(lambda tx: releasing.discard(tx, [seen], now, "discarded"))
    assert (len(ended), kinds(line)) == (entries, [("report", state)])
    assert len(line.told("delivery cancelled")) == entries
