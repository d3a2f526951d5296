"""Delivery: what a peer's answer does to a report on its way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from node.config import PeerSettings
from node.domain.errors import Refused
from node.network.scp import IncomingInstance, ScpSettings, StorageSCP
from node.store import registry
from node.store.tables import Mode
from tests.support.house import House, radiograph
from tests.support.line import PACS, Line


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
    scp = StorageSCP(settings, receiver.store, lambda _: None)
    try:
        yield PACS.model_copy(update={"port": scp.start()})
    finally:
        scp.stop()


def _reported(house: House, peer: PeerSettings) -> Line:
    line = Line(house, [peer])
    house.receiver.receive(radiograph())
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


def test_the_timeline_tells_what_was_sent_and_what_was_answered(house: House) -> None:
    """Without a log file."""
    with _pacs(Receiver()) as peer:
        line = _reported(house, peer)
        line.deliver()
    events = [entry["event"] for entry in line.study()["timeline"]]
    assert events == ["instance stored", "instance read", "report composed", "report sent"]
    assert line.study()["timeline"][-1]["detail"]["status"] == "0x0000"
