"""A peer that draws out its answers costs no other peer anything."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from pydicom.dataset import Dataset

from node.app.committing_loops import committing_loops
from node.app.counting_loops import counting_loops
from node.app.parts import Parts
from node.config import PeerSettings, Settings
from node.pipeline.senders import Sender
from node.runtime.keeping import Keeper
from node.runtime.loop import WorkLoop
from node.store.sending import commitments_requested
from tests.support.houses.house import House, radiograph
from tests.support.peers.committing import asker
from tests.support.peers.hostile import Asked, hostile
from tests.support.peers.storing_archive import archive

DX = "1.2.840.10008.5.1.4.1.1.1.1"


@pytest.fixture
def ending() -> Iterator[threading.Event]:
    """Yield what lets the slow peer go, at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


def parts(house: House, *peers: PeerSettings) -> Parts:
    """Return what the loops of a node with these peers are joined from."""
    settings = Settings(
        node={"ae_title": "PACSNODE", "data_dir": house.folder},
        database={"url": house.url},
        peers=peers,
        commitment={"serve": True},
    )
    nothing: Any = None
    return Parts(
        settings,
        house.database,
        house.files,
        nothing,
        house.clock,
        random.Random(1),
        house.wake,
        lambda _: None,
        Keeper(60.0),
    )


def peer(name: str, port: int, *, query: bool = False) -> PeerSettings:
    """Return a peer whose AE title is its name in capitals."""
    return PeerSettings(name=name, ae_title=name.upper(), host="127.0.0.1", port=port, may_send=True, query=query)


def _end(loops: list[WorkLoop[Any]]) -> None:
    for loop in loops:
        loop.finish()
    assert all(loop.ended(10) for loop in loops)


def test_a_result_is_told_while_another_peer_draws_out_its_answer(house: House, ending: threading.Event) -> None:
    """Each has a loop of its own, and the slow one is asked first."""
    told, slow = threading.Event(), threading.Event()

    def draw_out(asked: Asked) -> None:
        slow.set()
        while not ending.wait(0.05):
            asked.send(1, b"\0")
        asked.connection.shutdown(socket.SHUT_RDWR)

    def taken(_: Dataset) -> int:
        told.set()
        return 0

    with ExitStack() as stack:
        drips, takes = stack.enter_context(hostile(draw_out)), stack.enter_context(asker("FAST", taken))
        for number, title in enumerate(("SLOW", "FAST")):
            request = title, "127.0.0.1", f"2.25.{number}", [(DX, "1.2.3.1.1")], house.clock()
            house.database.write(lambda tx, request=request: commitments_requested.add(tx, *request))
        loops = list(committing_loops(parts(house, peer("slow", drips.address.port), peer("fast", takes))))
        assert [loop.name for loop in loops] == ["tell-commitment-slow", "tell-commitment-fast"]
        loops[0].start()
        assert slow.wait(10)
        loops[1].start()
        assert told.wait(10)
        ending.set()
        _end(loops)


def test_a_sender_is_asked_while_another_draws_out_its_answer(house: House, ending: threading.Event) -> None:
    """Also where the study of the slow one was due before."""
    slow, senders = threading.Event(), {"SLOW": Sender(60.0, query=True), "PACS": Sender(60.0, query=True)}
    house.policy = replace(house.policy, senders=senders)

    def draw_out(asked: Asked) -> None:
        slow.set()
        while not ending.wait(0.05):
            asked.send(1, b"\0")
        asked.connection.shutdown(socket.SHUT_RDWR)

    with hostile(draw_out) as drips, archive() as pacs:
        for number, title in enumerate(("SLOW", "PACS")):
            study = f"1.2.{number + 3}"
            came = radiograph(
                study_instance_uid=study, series_instance_uid=f"{study}.1", sop_instance_uid=f"{study}.1.1"
            )
            house.receive(replace(came, calling_ae_title=title))
            house.clock.forward(1)
        house.clock.forward(31)
        answered = threading.Event()
        pacs.meanwhile = answered.set
        senders = peer("slow", drips.address.port, query=True), peer("pacs", pacs.port, query=True)
        loops = list(counting_loops(parts(house, *senders)))
        loops[0].start()
        assert slow.wait(10)
        loops[1].start()
        assert answered.wait(10)
        ending.set()
        _end(loops)
        assert pacs.asked[0] == "1.2.4"
