"""What waits for a peer is taken there together, whatever the peer does to what it is sent."""

import socket
import threading
from contextlib import closing
from typing import Any

import pytest

from node.config import DeliverSettings, PeerSettings
from node.network.peer import Timeouts
from node.pipeline.steps import DeliveryStep
from node.store.database import Database
from node.store.sending import outbox
from node.store.stopping import holds
from node.store.tables.choices import Commitment
from node.store.working import given_up
from tests.support.houses.house import House, radiograph
from tests.support.houses.killed_at import delivering_killed_at
from tests.support.houses.line import HASTY, PACS, Line
from tests.support.peers.pacs import Deed, Pacs

STUDIES = 3


def _peer(pacs: Pacs, **changes: Any) -> PeerSettings:
    return PACS.model_copy(update={"port": pacs.port, **changes})


def _reported(house: House, peer: PeerSettings, studies: int = 1) -> Line:
    line = Line(house, [peer])
    for number in range(studies):
        uid = f"1.2.3{number or ''}"
        house.receive(radiograph(study_instance_uid=uid, sop_instance_uid=f"{uid}.1.1", series_instance_uid=f"{uid}.1"))
    line.report()
    return line


def _states(house: House) -> list[str]:
    return [row[0] for row in house.rows("SELECT state FROM deliveries ORDER BY id")]


def _delivery(line: Line) -> dict[str, Any]:
    (delivery,) = line.deliveries()
    return delivery


def test_all_that_waits_leaves_on_one_association(house: House, pacs: Pacs) -> None:
    """Opened once, released once, and each settled as it is answered."""
    line = _reported(house, _peer(pacs), STUDIES)
    assert line.deliver() == STUDIES
    assert (pacs.associations, pacs.endings) == ([STUDIES], ["released"])
    assert len(pacs.held) == STUDIES
    assert _states(house) == ["done"] * STUDIES


@pytest.mark.database("any")
def test_an_association_is_kept_for_a_moment_and_then_released(house: House, pacs: Pacs) -> None:
    """What is composed meanwhile leaves on it; a second later it is gone."""
    line = _reported(house, _peer(pacs), 2)
    courier = line.courier(line.peers[0])
    for _ in range(2):
        delivery = courier.claim()
        assert delivery is not None
        courier.handle(delivery)
    assert courier.claim() is None
    due = courier.next_due()
    assert due is not None
    assert pacs.endings == []
    house.clock.now = due
    assert courier.claim() is None
    assert (pacs.associations, courier.next_due()) == ([2], None)


def test_a_peer_that_drops_after_storing_ends_up_with_one_report(house: House, pacs: Pacs) -> None:
    """The answer was lost: the same report goes again, and the peer says that it has it."""
    pacs.deeds, pacs.knows_duplicates = [Deed.DROP_AFTER_STORING], True
    line = _reported(house, _peer(pacs))
    line.deliver()
    assert "closed the connection before it answered" in _delivery(line)["last_error"]
    house.clock.forward(10)
    line.deliver()
    assert (_delivery(line)["state"], _delivery(line)["last_status"]) == ("done", 0x0111)
    assert len(pacs.came) == 2
    assert len(pacs.held) == 1


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        (Deed.DROP, "closed the connection before it answered"),
        (Deed.ABORT, "aborted the association before it answered"),
        (Deed.SILENCE, "did not answer within 0.3 s"),
    ],
)
def test_a_peer_that_fails_half_way_gets_the_report_later(house: House, pacs: Pacs, deed: Deed, sentence: str) -> None:
    """After a backoff, and once."""
    pacs.deeds = [deed]
    line = _reported(house, _peer(pacs))
    patient, line.timeouts = line.timeouts, HASTY if deed is Deed.SILENCE else line.timeouts
    line.deliver()
    line.timeouts = patient
    waiting = _delivery(line)
    assert (waiting["state"], waiting["failures"], len(pacs.held)) == ("waiting", 1, 0)
    assert sentence in waiting["last_error"]
    house.clock.forward(10)
    line.deliver()
    assert _delivery(line)["state"] == "done"
    assert len(pacs.held) == 1


@pytest.mark.database("any")
def test_a_peer_that_closes_after_each_instance_gets_all_without_a_failure(house: House, pacs: Pacs) -> None:
    """An association that carried something, and is gone, is opened anew."""
    pacs.deeds = [Deed.LEAVE_AFTERWARDS] * STUDIES
    line = _reported(house, _peer(pacs), STUDIES)
    assert line.deliver() == STUDIES
    assert pacs.associations == [1] * STUDIES
    assert len(pacs.came) == STUDIES
    assert [row[0] for row in house.rows("SELECT failures FROM deliveries")] == [0] * STUDIES


@pytest.mark.database("any")
def test_an_association_on_which_nothing_left_is_released_too(house: House, pacs: Pacs) -> None:
    """Whatever kept the report back."""
    line = _reported(house, _peer(pacs))
    line.settings = DeliverSettings(max_result_age_s=1)
    house.clock.forward(2)
    courier = line.courier(line.peers[0])
    delivery = courier.claim()
    assert delivery is not None
    courier.handle(delivery)
    assert courier.claim() is None
    house.clock.now = courier.next_due() or house.clock.now
    assert courier.claim() is None
    assert (pacs.associations, pacs.endings) == ([0], ["released"])


def test_a_late_answer_counts(house: House, pacs: Pacs) -> None:
    """As long as it comes in time."""
    pacs.deeds = [Deed.WAIT]
    line = _reported(house, _peer(pacs))
    threading.Timer(0.3, pacs.go_on.set).start()
    line.deliver()
    assert (_delivery(line)["state"], len(pacs.came)) == ("done", 1)


def test_a_peer_that_rejects_is_tried_again(house: House, pacs: Pacs) -> None:
    """Whatever its reason: somebody changes it, and what waits then leaves."""
    pacs.rejects = 1
    line = _reported(house, _peer(pacs))
    line.deliver()
    assert "rejected the association" in _delivery(line)["last_error"]
    house.clock.forward(10)
    line.deliver()
    assert _delivery(line)["state"] == "done"


def test_what_a_peer_answers_decides_what_becomes_of_a_report(house: House, pacs: Pacs) -> None:
    """Tried again, or buried until an operator puts it back; the answer is kept either way."""
    line = _reported(house, _peer(pacs))
    answers = {0xA700: "waiting", 0x0110: "waiting", 0x0213: "waiting", 0xA900: "buried", 0xC123: "buried"}
    for status, state in (answers | {0x0122: "buried", 0x0124: "buried"}).items():
        pacs.status = status
        line.deliver()
        delivery = _delivery(line)
        assert (delivery["state"], delivery["last_status"]) == (state, status)
        house.clock.forward(60)
        house.database.write(lambda tx: given_up.retry(tx, "delivery", None, house.clock()))
    pacs.status = 0x0000
    line.deliver()
    assert _delivery(line)["state"] == "done"


def test_a_warning_is_kept(house: House, pacs: Pacs) -> None:
    """With what the peer did to the report."""
    pacs.status = 0xB007
    line = _reported(house, _peer(pacs, storage_commitment=True))
    line.deliver()
    delivery = _delivery(line)
    assert (delivery["state"], delivery["last_status"]) == ("done", 0xB007)
    assert delivery["sent_at"] == house.clock().isoformat()
    assert delivery["commitment"] == Commitment.ASKED
    sent = line.study()["timeline"][-1]
    assert (sent["event"], sent["detail"]["status"]) == ("report sent", "0xB007")
    assert sent["detail"]["meaning"].startswith("warning")


def test_a_hold_stops_a_report_that_is_on_its_way(house: House, pacs: Pacs) -> None:
    """The peer is slow; it is not waited for, and the delivery waits without a failure until it is let go."""
    pacs.deeds = [Deed.SILENCE]
    line = _reported(house, _peer(pacs))
    line.timeouts = Timeouts(10.0, 10.0, 60.0)

    def hold() -> None:
        assert pacs.arrived.wait(10)
        other = Database.open(house.url)
        other.write(lambda tx: holds.place(tx, holds.ALL_MODELS, "wrong monitor", "ada", house.clock()))
        other.close()

    operator = threading.Thread(target=hold)
    operator.start()
    line.deliver()
    operator.join()
    assert (_delivery(line)["state"], _delivery(line)["failures"]) == ("waiting", 0)
    house.clock.forward(3600)
    assert line.deliver() == 0
    assert house.database.read(lambda tx: outbox.next_due(tx, ["pacs"])) is None
    house.database.write(lambda tx: holds.lift(tx, holds.ALL_MODELS, "sent", "ada", house.clock()))
    assert line.deliver() == 1
    assert (len(pacs.came), len(pacs.held)) == (2, 1)


def test_a_hold_stops_a_report_whose_peer_keeps_silent_before_it_can_leave(house: House) -> None:
    """The peer takes the connection and no association; nothing left, so it waits as if nothing had been."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = _reported(house, PACS.model_copy(update={"port": silent.getsockname()[1]}))
        line.timeouts, accepted = Timeouts(10.0, 60.0, 60.0), list[Any]()

        def hold() -> None:
            accepted.append(silent.accept())
            with closing(Database.open(house.url)) as other:
                other.write(lambda tx: holds.place(tx, holds.ALL_MODELS, "wrong monitor", "ada", house.clock()))

        operator = threading.Thread(target=hold)
        operator.start()
        line.deliver()
        operator.join()
        accepted[0][0].close()
    delivery = _delivery(line)
    assert (delivery["state"], delivery["failures"], delivery["offered_at"]) == ("waiting", 0, None)


def test_a_hold_between_two_reports_lets_no_other_leave(house: House, pacs: Pacs) -> None:
    """It is asked before each C-STORE, not once for an association."""
    line = _reported(house, _peer(pacs), 2)
    courier = line.courier(line.peers[0])
    first, second = courier.claim(), courier.claim()
    assert first is not None
    assert second is not None
    courier.handle(first)
    house.database.write(lambda tx: holds.place(tx, "starter", "odd scores", "ada", house.clock()))
    courier.handle(second)
    courier.close()
    assert (_states(house), pacs.associations, pacs.endings) == (["done", "waiting"], [1], ["released"])


@pytest.mark.parametrize(
    ("step", "came"), [(DeliveryStep.CLAIMED, 1), (DeliveryStep.ANSWERED, 2), (DeliveryStep.SETTLED, 1)]
)
def test_a_kill_at_any_step_leaves_one_report_at_the_peer(
    house: House, pacs: Pacs, step: DeliveryStep, came: int
) -> None:
    """The next start takes the delivery back and goes on with the same bytes."""
    pacs.knows_duplicates = True
    line = _reported(house, _peer(pacs))
    delivering_killed_at(step, line)
    house.database.write(lambda tx: outbox.rescue(tx, house.clock(), everything=True))
    line.deliver()
    assert _delivery(line)["state"] == "done"
    assert (len(pacs.came), len(pacs.held)) == (came, 1)
