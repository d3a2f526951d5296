"""Peers whose answers have no end: every wait of the node as requestor has one, and so has what it gathers."""

import itertools
from collections.abc import Callable

import pytest

import node.network.query
from node.network.commitment import Question
from node.network.commitment_scu import ask
from node.network.peer import PeerUnreachable, Timeouts
from node.network.retrieve import move
from node.network.scu import OutgoingInstance, open_association
from tests.support.peers.asked import find
from tests.support.peers.hostile import Asked, hostile

SHORT = Timeouts(connect_s=5, association_s=5, answer_s=0.2, query_s=0.3, retrieve_s=0.3, cancel_s=0.2)
PATIENT = Timeouts(connect_s=5, association_s=5, answer_s=60, query_s=60, retrieve_s=60, cancel_s=0.2)
COMMAND, LAST_COMMAND, DATASET, LAST_DATASET = 1, 3, 0, 2
PENDING = 0xFF00
MATCH = b"\x10\x00\x20\x00LO\x02\x007 "
CT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2"


def command_without_end(asked: Asked) -> None:
    """Send pieces of a command set of which none is the last."""
    while True:
        asked.send(COMMAND, b"\0" * 8000)


def empty_fragments(asked: Asked) -> None:
    """Send pieces of a command set that hold nothing."""
    while True:
        asked.send(COMMAND, b"")


def datasets_nobody_asked_for(asked: Asked) -> None:
    """Send pieces of a dataset where a command is to come."""
    while True:
        asked.send(DATASET, b"\0")


def dataset_that_never_ends(asked: Asked) -> None:
    """Answer with a match that goes on with nothing."""
    asked.send(LAST_COMMAND, asked.response(PENDING, has_dataset=True))
    while True:
        asked.send(DATASET, b"")


def pending_without_end(asked: Asked) -> None:
    """Answer with one match after another."""
    while True:
        asked.send(LAST_COMMAND, asked.response(PENDING, has_dataset=True))
        asked.send(LAST_DATASET, MATCH)


def counting_without_end(asked: Asked) -> None:
    """Answer again and again that a study is on its way."""
    while True:
        asked.send(LAST_COMMAND, asked.response(PENDING, has_dataset=False))


HALF = [command_without_end, empty_fragments, datasets_nobody_asked_for]
Answer = Callable[[Asked], None]


@pytest.mark.parametrize("answer", HALF)
def test_an_answer_to_a_c_store_ends(answer: Answer) -> None:
    """What is longer than any command set, and what never becomes one."""
    with (
        hostile(answer) as peer,
        pytest.raises(PeerUnreachable, match=r"longer than any|did not answer within"),
        open_association(peer.address, "NODE", [(CT, IMPLICIT)], SHORT) as association,
    ):
        association.store(OutgoingInstance(CT, "1.2.3", IMPLICIT, b"\0" * 100))


@pytest.mark.parametrize("answer", [*HALF, dataset_that_never_ends, pending_without_end])
def test_a_query_ends(answer: Answer) -> None:
    """However the peer draws it out."""
    with hostile(answer) as peer, pytest.raises(PeerUnreachable, match="HOSTILE"):
        find(peer.address, "NODE", "STUDY", {"PatientID": ""}, SHORT)


def test_a_query_ends_where_the_peer_does_not_stop() -> None:
    """It was asked to, after the one match that was wanted."""
    with hostile(pending_without_end) as peer, pytest.raises(PeerUnreachable, match=r"within 0\.2 s"):
        find(peer.address, "NODE", "STUDY", {"PatientID": ""}, PATIENT, limit=1)


@pytest.mark.parametrize(("what", "most"), [("_MOST_MATCHES", 50), ("_MOST_BYTES", 500)])
def test_a_query_gathers_so_much_and_no_more(what: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by bytes, before the time is over."""
    monkeypatch.setattr(node.network.query, what, most)
    with hostile(pending_without_end) as peer, pytest.raises(PeerUnreachable, match="narrow the query"):
        find(peer.address, "NODE", "STUDY", {"PatientID": ""}, Timeouts(query_s=60))


@pytest.mark.parametrize("answer", [*HALF, dataset_that_never_ends, counting_without_end])
def test_a_retrieval_ends(answer: Answer) -> None:
    """However the peer draws it out, and whoever still wants the study."""
    with hostile(answer) as peer, pytest.raises(PeerUnreachable, match="HOSTILE"):
        move(peer.address, "NODE", "1.2.3", "NODE", lambda _: True, SHORT)


def test_a_retrieval_ends_where_the_peer_does_not_stop() -> None:
    """It was asked to, and goes on counting; the time may be over between two answers, or in the middle of one."""
    wanted = itertools.chain([True] * 3, itertools.repeat(False))
    over = r"did not stop sending|did not answer within 0\.2 s"
    with hostile(counting_without_end) as peer, pytest.raises(PeerUnreachable, match=over):
        move(peer.address, "NODE", "1.2.3", "NODE", lambda _: next(wanted), PATIENT)


@pytest.mark.parametrize("answer", HALF)
def test_asking_for_commitment_ends(answer: Answer) -> None:
    """Before the peer took the request."""
    with hostile(answer) as peer, pytest.raises(PeerUnreachable, match="HOSTILE"):
        ask(peer.address, "NODE", Question("1.2.3", [(CT, "1.2.4")]), lambda _: 0, timeouts=SHORT)


@pytest.mark.parametrize("answer", HALF)
def test_waiting_for_the_result_of_commitment_ends(answer: Answer) -> None:
    """After the peer took the request; it may tell the result on another association."""

    def takes(asked: Asked) -> None:
        asked.send(LAST_COMMAND, asked.response(0, has_dataset=False))
        answer(asked)

    question = Question("1.2.3", [(CT, "1.2.4")])
    with hostile(takes) as peer:
        assert not ask(peer.address, "NODE", question, lambda _: 0, wait_s=0.1, timeouts=PATIENT)
