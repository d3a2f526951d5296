"""The node as a retrieve SCU: what a peer is asked to send, and what is made of its answers."""

from collections.abc import Iterator
from typing import Any

import pytest

from node.network.peer import ContextNotAccepted, PeerAddress, PeerUnreachable, Timeouts
from node.network.retrieve import CANCELLED, SOME_FAILED, SUCCESS, Moved, move
from tests.support.peers.sending_archive import Archive, archive, small_image

STUDY = "1.2.826.0.1.3680043.8.498.7"
SHORT = Timeouts(connect_s=5, association_s=5, answer_s=0.1)


@pytest.fixture
def reader() -> str:
    """Return one reader: what arrives is the other tests' business."""
    return "fast"


@pytest.fixture(scope="module")
def running() -> Iterator[Archive]:
    """Run an archive with a study of three images."""
    with archive([small_image(STUDY, number) for number in (1, 2, 3)]) as started:
        yield started


@pytest.fixture
def pacs(running: Archive) -> Iterator[Archive]:
    """Return the archive, as it is after its start."""
    yield running
    running.gate.set()
    running.withholds.clear()
    running.destinations.clear()


@pytest.fixture
def node(listen: Any, pacs: Archive) -> Any:
    """Return an SCP of ours to which the archive may send."""
    listening = listen(accept_any_calling_ae=True)
    pacs.destinations["PACSNODE"] = listening.port
    return listening


def at(pacs: Archive) -> PeerAddress:
    """Return where an archive listens."""
    return PeerAddress(pacs.ae_title, "127.0.0.1", pacs.port)


def test_a_study_comes_and_the_peer_counts_it(pacs: Archive, node: Any) -> None:
    """Every image arrives before the last answer, which counts them; the answers before tell how far it is."""
    told: list[Moved] = []
    moved = move(at(pacs), "PACSNODE", STUDY, "PACSNODE", lambda answer: answer is None or not told.append(answer))
    assert (moved.status, moved.completed, moved.failed) == (SUCCESS, 3, 0)
    assert sorted(one.sop_instance_uid for one in node.received) == [f"{STUDY}.1.{number}" for number in (1, 2, 3)]
    assert [answer.completed for answer in told] == [1, 2, 3]


def test_instances_that_fail_are_counted(pacs: Archive, node: Any) -> None:
    """Two come, one does not: the status says that some failed, and the count how many."""
    pacs.withholds.add(f"{STUDY}.1.2")
    moved = move(at(pacs), "PACSNODE", STUDY, "PACSNODE", lambda _: True)
    assert (moved.status, moved.completed, moved.failed) == (SOME_FAILED, 2, 1)


def test_an_unknown_destination_is_told_with_its_status(pacs: Archive) -> None:
    """0xA801 is an answer, not a broken association."""
    assert move(at(pacs), "PACSNODE", STUDY, "PACSNODE", lambda _: True).status == 0xA801


def test_what_is_no_longer_wanted_is_cancelled(pacs: Archive, node: Any) -> None:
    """The peer is asked to stop, although it says nothing meanwhile, and what it says of it is returned."""
    pacs.gate.clear()
    moved = move(at(pacs), "PACSNODE", STUDY, "PACSNODE", lambda _: False)
    assert moved.status == CANCELLED
    assert node.received == []


def test_a_peer_that_says_nothing_is_given_up(pacs: Archive, node: Any) -> None:
    """After the time that it may be silent, in words."""
    pacs.gate.clear()
    with pytest.raises(PeerUnreachable, match=r"said nothing for 0\.1 s while it was to send a study"):
        move(at(pacs), "PACSNODE", STUDY, "PACSNODE", lambda _: True, SHORT)


def test_a_peer_that_does_not_move_is_told_from_one_that_is_away(listen: Any) -> None:
    """A storage SCP takes the association and not the context."""
    with pytest.raises(ContextNotAccepted, match="does not accept Study Root"):
        move(PeerAddress("PACSNODE", "127.0.0.1", listen().port), "MODALITY", STUDY, "PACSNODE", lambda _: True)
