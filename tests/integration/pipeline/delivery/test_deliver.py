"""Delivery: what a peer's answer does to a report on its way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from node.config import DeliverSettings, PeerSettings
from node.dicom.instance.header import inspect
from node.domain.errors import Refused, Transient
from node.network.incoming import IncomingInstance, gathered
from node.network.scp import ScpSettings, StorageSCP
from node.store.registering import registry
from node.store.tables.choices import Mode
from node.store.working import given_up
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line, negative


class Receiver:
    """A PACS that answers what it is told to."""

    def __init__(self) -> None:
        """Answer success, until told otherwise."""
        self.status = 0x0000
        self.got: list[IncomingInstance] = []
        self.came = threading.Event()

    def store(self, incoming: IncomingInstance) -> int:
        """Keep what comes and answer."""
        self.got.append(incoming)
        if self.status not in (0x0000, 0x0111, 0xB000):
            raise Refused(self.status, "as told")
        return self.status


@contextmanager
def _pacs(receiver: Receiver, port: int = 0) -> Iterator[PeerSettings]:
    settings = ScpSettings("PACS", "127.0.0.1", port, accept_any_calling_ae=True)
    scp = StorageSCP(settings, gathered(receiver.store), lambda _: None)
    try:
        yield PACS.model_copy(update={"port": scp.start()})
    finally:
        scp.stop()


def _reported(house: House, peer: PeerSettings) -> Line:
    line = Line(house, [peer])
    house.receive(radiograph())
    line.report()
    return line


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0x0111])
def test_success_warnings_and_duplicates_count_as_sent(house: House, status: int) -> None:
    """0x0111: the peer holds it already."""
    receiver = Receiver()
    receiver.status = status
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        assert line.deliver() == 1
    (delivery,) = line.deliveries()
    assert (delivery["state"], delivery["last_status"]) == ("done", status)
    assert [incoming.sop_instance_uid for incoming in receiver.got] == [delivery["sop_instance_uid"]]
    assert receiver.got[0].calling_ae_title == "PACSNODE"


def test_the_peer_gets_the_stored_bytes(house: House) -> None:
    """The rendition is pinned: nothing is encoded again on the way."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        line.deliver()
    assert [receiver.got[0].dataset] == house.database.read(line._renditions)


def test_out_of_resources_is_tried_again_with_the_same_report(house: House) -> None:
    """After a backoff."""
    receiver = Receiver()
    receiver.status = 0xA700
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        line.deliver()
        (waiting,) = line.deliveries()
        assert (waiting["state"], waiting["last_status"]) == ("waiting", 0xA700)
        receiver.status = 0x0000
        assert line.deliver() == 0
        house.clock.forward(10)
        assert line.deliver() == 1
    assert len({incoming.sop_instance_uid for incoming in receiver.got}) == 1
    assert line.deliveries()[0]["state"] == "done"


def test_a_permanent_refusal_is_buried_with_the_answer(house: House) -> None:
    """Where the operator sees it and can put it back."""
    receiver = Receiver()
    receiver.status = 0xA900
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        line.deliver()
    (delivery,) = line.deliveries()
    assert delivery["state"] == "buried"
    assert "0xA900" in delivery["last_error"]


def test_a_peer_that_is_down_is_waited_for_without_a_limit(house: House) -> None:
    """Forty attempts over a night, and then it comes up."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        pass
    line = _reported(house, peer)
    line.settings = DeliverSettings(max_result_age_s=86400)
    for _ in range(40):
        line.deliver()
        house.clock.forward(1200)
    (waiting,) = line.deliveries()
    assert waiting["state"] == "waiting"
    assert waiting["failures"] == 40
    with _pacs(receiver, peer.port):
        assert line.deliver() == 1
    assert line.deliveries()[0]["state"] == "done"


def test_a_model_put_back_into_shadow_sends_nothing_that_waited(house: House) -> None:
    """The mode counts when the report leaves, not when it was made."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        house.database.write(lambda tx: registry.set_mode(tx, "starter", Mode.SHADOW))
        line.deliver()
    assert receiver.got == []
    (delivery,) = line.deliveries()
    assert delivery["state"] == "buried"
    assert "shadow" in delivery["last_error"]


def _correct(house: House) -> None:
    assert house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2")) == 0x0000


def _patients(receiver: Receiver) -> list[str]:
    return [inspect(came.dataset, came.transfer_syntax_uid).patient_id for came in receiver.got]


def test_a_report_does_not_leave_once_its_patient_was_corrected(house: House) -> None:
    """It waits for the corrected one, which takes its place."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        _correct(house)
        line.deliver()
        assert receiver.got == []
        line.report()
        house.clock.forward(30)
        line.deliver()
    assert _patients(receiver) == ["ID2"]
    assert sorted(delivery["state"] for delivery in line.deliveries()) == ["cancelled", "done"]


def test_a_delivery_that_was_under_way_when_it_was_superseded_is_not_tried_again(house: House) -> None:
    """Or the old patient's report would be the last that the PACS gets."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        under_way = line.claim_delivery()
        assert under_way is not None
        _correct(house)
        line.report()
        line.fail_delivery(under_way, Transient("no answer"))
        house.clock.forward(60)
        line.deliver()
    assert _patients(receiver) == ["ID2"]


def test_retry_does_not_bring_back_a_superseded_report(house: House) -> None:
    """However often an operator asks."""
    receiver = Receiver()
    receiver.status = 0xA900
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        line.deliver()
        receiver.got.clear()
        receiver.status = 0x0000
        _correct(house)
        line.report()
        house.database.write(lambda tx: given_up.retry(tx, "delivery", None, house.clock()))
        house.clock.forward(60)
        line.deliver()
    assert _patients(receiver) == ["ID2"]


def test_a_patient_corrected_back_gets_a_third_report(house: House) -> None:
    """A merge that was undone: what the PACS holds last is the truth, under a UID of its own."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        line.deliver()
        for name, patient in (("Roe^Jane", "ID2"), ("Doe^Jane", "ID1")):
            house.receive(radiograph(patient_name=name, patient_id=patient))
            line.report()
            line.deliver()
    assert _patients(receiver) == ["ID1", "ID2", "ID1"]
    assert len({came.sop_instance_uid for came in receiver.got}) == 3


def test_a_study_composed_in_shadow_is_told_once_the_model_is_active(house: House) -> None:
    """What nobody was told is news, though it was composed before."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        line = Line(house, [peer], mode=Mode.SHADOW)
        house.receive(radiograph())
        line.report()
        house.database.write(lambda tx: registry.set_mode(tx, "starter", Mode.ACTIVE))
        house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
        line.report()
        line.deliver()
    assert len(receiver.got) == 1


def test_an_outcome_that_a_peer_does_not_want_still_takes_back_what_it_makes_untrue(house: House) -> None:
    """A positive report that waits does not leave after a negative one took its place."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        positives = peer.model_copy(update={"outcomes": ("positive",)})
        line = Line(house, [positives])
        house.receive(radiograph())
        line.report()
        line.says = negative
        house.execute("UPDATE jobs SET state = 'waiting'")
        line.report()
        line.deliver()
    assert receiver.got == []


def test_an_image_moved_to_another_study_takes_its_report_there(house: House) -> None:
    """A corrected Study Instance UID is a corrected identity."""
    receiver = Receiver()
    with _pacs(receiver) as peer:
        line = _reported(house, peer)
        line.deliver()
        house.receive(radiograph(study_instance_uid="1.2.4"))
        line.report()
        line.deliver()
    studies = [inspect(came.dataset, came.transfer_syntax_uid).study_instance_uid for came in receiver.got]
    assert studies == ["1.2.3", "1.2.4"]


def test_the_timeline_tells_what_was_sent_and_what_was_answered(house: House) -> None:
    """Without a log file."""
    with _pacs(Receiver()) as peer:
        line = _reported(house, peer)
        line.deliver()
    events = [entry["event"] for entry in line.study()["timeline"]]
    assert events == ["instance stored", "instance read", "study complete", "report composed", "report sent"]
    assert line.study()["timeline"][-1]["detail"]["status"] == "0x0000"
