"""Storage commitment on the wire: asked, heard and told, with a peer of the library's on the other side."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE

from node.domain.errors import Refused
from node.network.commitment import CommitmentRequest, CommitmentResult, Heard, Question
from node.network.commitment_scu import ask, tell
from node.network.peer import ContextNotAccepted, PeerAddress, PeerRefused
from node.network.scp import ScpSettings, StorageSCP
from tests.support.peers.committing import INSTANCE, PUSH_MODEL, Committing, asker, called_back, committing, request

CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.33"
TRANSACTION = "2.25.42"
QUESTION = Question(TRANSACTION, [(SR, "1.2.3"), (SR, "1.2.4")])
NOBODY_ELSE = frozenset({"MODALITY"})


@pytest.fixture(scope="module")
def archives() -> Iterator[Committing]:
    """Run an archive that commits."""
    with committing() as running:
        yield running


@pytest.fixture
def archive(archives: Committing) -> Committing:
    """Return the archive as it is after its start, with both instances held."""
    archives.held[:], archives.requests[:], archives.statuses[:] = ["1.2.3", "1.2.4"], [], []
    archives.calls_back, archives.action_status, archives.reason = None, 0x0000, None
    archives.says_nothing = False
    archives.told.clear()
    return archives


@pytest.fixture
def heard() -> list[Heard]:
    """Return where what is heard is kept."""
    return []


@pytest.fixture(params=["fast", "pynetdicom"])
def listening(request: pytest.FixtureRequest, heard: list[Heard]) -> Iterator[Callable[..., int]]:
    """Return a function that starts an SCP which hears of commitment; it gives the port."""
    running: list[StorageSCP] = []

    def start(status: int = 0, **settings: Any) -> int:
        def hear(said: Heard) -> int:
            heard.append(said)
            if status:
                raise Refused(status, "not today")
            return 0x0000

        chosen = {"calling_ae_titles": NOBODY_ELSE, "reader": request.param} | settings
        scp_settings = ScpSettings("PACSNODE", bind="127.0.0.1", port=0, **chosen)
        running.append(StorageSCP(scp_settings, _no_instance, lambda _: None, hear=hear))
        return running[-1].start()

    yield start
    for scp in running:
        scp.stop()


def _no_instance(_: Any) -> Any:
    raise AssertionError("no instance is to come")


def at(archive: Committing) -> PeerAddress:
    """Return where an archive listens."""
    return PeerAddress(archive.ae_title, "127.0.0.1", archive.port)


def keep_in(heard: list[Heard]) -> Callable[[Heard], int]:
    """Return what keeps a value and calls it done."""
    return lambda said: heard.append(said) or 0


def test_a_result_on_the_same_association_is_heard_and_answered(archive: Committing, heard: list[Heard]) -> None:
    """The association is kept open for it; what is held is committed to, and the peer gets a success."""
    archive.held.remove("1.2.4")
    assert ask(at(archive), "PACSNODE", QUESTION, keep_in(heard), wait_s=10)
    assert heard == [CommitmentResult("ARCHIVE", "", TRANSACTION, ("1.2.3",), (("1.2.4", 0x0112),))]
    assert archive.told.wait(10)
    assert archive.statuses == [0x0000]
    assert [item.ReferencedSOPInstanceUID for item in archive.requests[0].ReferencedSOPSequence] == ["1.2.3", "1.2.4"]


def test_a_result_that_could_not_be_kept_is_not_called_taken(archive: Committing) -> None:
    """The peer is told to come again, and it counts as not answered."""

    def away(_: Heard) -> int:
        raise Refused(0xA700, "the database is away")

    assert not ask(at(archive), "PACSNODE", QUESTION, away, wait_s=10)
    assert archive.told.wait(10)
    assert archive.statuses == [0x0110]


def test_a_result_on_a_new_association_is_heard(
    archive: Committing, heard: list[Heard], listening: Callable[..., int]
) -> None:
    """The peer proposes the role of the SCP, is let in for that alone, and gets a success."""
    port = listening(committing_ae_titles=frozenset({"ARCHIVE"}))
    archive.calls_back = ("PACSNODE", port)
    assert not ask(at(archive), "PACSNODE", QUESTION, _no_instance)
    assert archive.told.wait(10)
    assert archive.statuses == [0x0000]
    assert heard == [CommitmentResult("ARCHIVE", "127.0.0.1", TRANSACTION, ("1.2.3", "1.2.4"), ())]


def test_who_may_only_tell_results_stores_nothing(listening: Callable[..., int]) -> None:
    """Of an archive that is let in for its results no storage context is accepted."""
    port = listening(committing_ae_titles=frozenset({"ARCHIVE"}))
    entity = AE("ARCHIVE")
    entity.add_requested_context(PUSH_MODEL)
    entity.add_requested_context(CT)
    association = entity.associate("127.0.0.1", port, ae_title="PACSNODE")
    assert [context.abstract_syntax for context in association.accepted_contexts] == [PUSH_MODEL]
    association.release()


def test_without_anybody_who_hears_no_commitment_is_offered(listen: Any) -> None:
    """A node that neither asks nor serves does not accept the context."""
    entity = AE("MODALITY")
    entity.add_requested_context(PUSH_MODEL)
    entity.add_requested_context(CT)
    association = entity.associate("127.0.0.1", listen(reader="fast").port, ae_title="PACSNODE")
    assert [context.abstract_syntax for context in association.accepted_contexts] == [CT]
    association.release()


def asked(port: int, information: Dataset | None, action: int = 1, instance: str = INSTANCE) -> int:
    """Send an N-ACTION as a modality, and return its status."""
    entity = AE("MODALITY")
    entity.add_requested_context(PUSH_MODEL)
    association = entity.associate("127.0.0.1", port, ae_title="PACSNODE")
    answer, _ = association.send_n_action(information, action, PUSH_MODEL, instance)
    association.release()
    return int(answer.Status)


def test_a_request_is_heard_and_answered(heard: list[Heard], listening: Callable[..., int]) -> None:
    """Who asks, under which transaction, for which instances, each once."""
    assert asked(listening(), request(TRANSACTION, "1.2.3", "1.2.4", "1.2.3")) == 0x0000
    assert heard == [CommitmentRequest("MODALITY", "127.0.0.1", TRANSACTION, ((CT, "1.2.3"), (CT, "1.2.4")))]


def test_what_keeps_it_says_what_is_answered(listening: Callable[..., int]) -> None:
    """A refusal goes to the peer with its status."""
    assert asked(listening(0x0124), request(TRANSACTION, "1.2.3")) == 0x0124


def test_requests_that_are_none_are_refused(heard: list[Heard], listening: Callable[..., int]) -> None:
    """Another action, another instance, no transaction, no instances: each with the status that says so."""
    port = listening()
    assert asked(port, request(TRANSACTION, "1.2.3"), action=2) == 0x0123
    assert asked(port, request(TRANSACTION, "1.2.3"), instance="1.2.3") == 0x0112
    assert asked(port, request("", "1.2.3")) == 0x0115
    assert asked(port, request(TRANSACTION)) == 0x0115
    assert asked(port, None) == 0x0115
    assert heard == []


def test_an_event_that_there_is_not_is_refused(heard: list[Heard], listening: Callable[..., int]) -> None:
    """Only the two events of the Standard say anything."""
    association = called_back("MODALITY", "PACSNODE", listening())
    answer, _ = association.send_n_event_report(request(TRANSACTION, "1.2.3"), 3, PUSH_MODEL, INSTANCE)
    association.release()
    assert answer.Status == 0x0113
    assert heard == []


def test_a_peer_that_refuses_the_request_is_told_with_its_status(archive: Committing) -> None:
    """The status is the peer's own."""
    archive.action_status = 0x0213
    with pytest.raises(PeerRefused, match="answered N-ACTION with status 0x0213, resource limitation"):
        ask(at(archive), "PACSNODE", QUESTION, _no_instance)


def test_a_peer_that_says_nothing_is_not_waited_for(archive: Committing, heard: list[Heard]) -> None:
    """It may still answer on an association of its own."""
    archive.says_nothing = True
    assert not ask(at(archive), "PACSNODE", QUESTION, keep_in(heard), wait_s=0.05)
    assert heard == []


def test_a_result_is_told_to_who_asked(heard: list[Heard]) -> None:
    """Both sequences arrive, with the reasons; the event says that some failed."""
    told: list[Dataset] = []
    with asker("MODALITY", lambda result: told.append(result) or 0) as port:
        peer = PeerAddress("MODALITY", "127.0.0.1", port)
        tell(peer, "PACSNODE", TRANSACTION, [(CT, "1.2.3")], [(CT, "1.2.4", 0x0112)])
    assert told[0].TransactionUID == TRANSACTION
    assert told[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert told[0].FailedSOPSequence[0].FailureReason == 0x0112


def test_a_result_that_is_not_taken_is_an_error(listen: Any) -> None:
    """A refusal, and a peer that has no such service."""
    with asker("MODALITY", lambda _: 0x0110) as port, pytest.raises(PeerRefused, match="processing failure"):
        tell(PeerAddress("MODALITY", "127.0.0.1", port), "PACSNODE", TRANSACTION, [(CT, "1.2.3")], [])
    with pytest.raises(ContextNotAccepted, match="does not accept Storage Commitment"):
        tell(PeerAddress("PACSNODE", "127.0.0.1", listen().port), "MODALITY", TRANSACTION, [(CT, "1.2.3")], [])
