"""The node as a query SCU: what it asks, and what it makes of a peer's answers."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from node.network.peer import PeerAddress
from node.network.query import ContextNotAccepted, PeerRefused, PeerUnreachable, open_search
from tests.support.peers.asked import find
from tests.support.peers.sending_archive import STUDY_ROOT_FIND
from tests.support.waiting import wait_until

UID = "1.2.826.0.1.3680043.8.498.1"
Answers = Callable[[Any], Iterator[tuple[int, Dataset | None]]]


def study(**values: str) -> Dataset:
    """Return an identifier of a match."""
    dataset = Dataset()
    for keyword, value in ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": UID} | values).items():
        setattr(dataset, keyword, value)
    return dataset


class Asked:
    """A query SCP of the library's, whose answers each test sets."""

    def __init__(self) -> None:
        self.answers: Answers = lambda _: iter(())

    def answer(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        """Answer as the test says."""
        yield from self.answers(event)


@pytest.fixture(scope="module", params=[ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Asked, PeerAddress]]:
    """Run a query SCP, once for each of the two encodings that a peer may prefer."""
    entity, asked = AE("ARCHIVE"), Asked()
    entity.add_supported_context(STUDY_ROOT_FIND, request.param)
    running = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, asked.answer)])
    yield asked, PeerAddress("ARCHIVE", "127.0.0.1", running.server_address[1])
    running.shutdown()


@pytest.fixture
def archive(server: tuple[Asked, PeerAddress]) -> Callable[[Answers], PeerAddress]:
    """Return a function that has the query SCP answer so."""

    def answering(answers: Answers) -> PeerAddress:
        server[0].answers = answers
        return server[1]

    return answering


def test_what_is_asked_arrives_and_what_matches_comes_back(archive: Any) -> None:
    """Level and keys are those that were given; values come back by keyword, as text."""
    asked: list[Dataset] = []

    def answers(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        yield 0xFF00, study(PatientID="7", NumberOfStudyRelatedInstances="12", ModalitiesInStudy="DX\\SR")
        yield 0xFF01, study(PatientID="8")

    keys = {"StudyDate": "20260101-20260131", "PatientID": "", "NumberOfStudyRelatedInstances": ""}
    found = find(archive(answers), "NODE", "STUDY", keys)
    assert (asked[0].QueryRetrieveLevel, asked[0].StudyDate, asked[0].PatientID) == ("STUDY", "20260101-20260131", "")
    assert [one["PatientID"] for one in found] == ["7", "8"]
    assert found[0]["NumberOfStudyRelatedInstances"] == "12"
    assert found[0]["ModalitiesInStudy"] == "DX\\SR"


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Müller^Jörg"),
        ("ISO_IR 100", "Müller^Jörg"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("", "Doe^John"),
    ],
)
def test_text_is_read_in_the_character_set_that_the_answer_names(character_set: Any, name: str, archive: Any) -> None:
    """A name of UTF-8, Latin-1 or Japanese with escape sequences is itself again."""

    def answers(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        match = study()
        match.SpecificCharacterSet = character_set
        match.PatientName = name
        yield 0xFF00, match

    assert find(archive(answers), "NODE", "STUDY", {"PatientName": ""})[0]["PatientName"] == name


def test_a_key_that_is_not_ascii_goes_in_utf_8(archive: Any) -> None:
    """The peer reads the name that was asked for, and in which character set."""
    asked: list[Dataset] = []

    def answers(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        yield from ()

    assert find(archive(answers), "NODE", "STUDY", {"PatientName": "Müller*"}) == []
    assert (asked[0].SpecificCharacterSet, str(asked[0].PatientName)) == ("ISO_IR 192", "Müller*")


_BEFORE_IT_HEARS = 100


def test_a_limit_stops_the_peer(archive: Any) -> None:
    """After so many answers the peer gets a C-CANCEL, and the rest is not waited for."""
    cancelled = threading.Event()

    def answers(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for number in range(_BEFORE_IT_HEARS):
            yield 0xFF00, study(PatientID=str(number))
        # a peer that queued a hundred thousand answers would have sent them before it looks
        wait_until(lambda: event.is_cancelled, 20, "the C-CANCEL")
        cancelled.set()
        yield 0xFE00, None

    found = find(archive(answers), "NODE", "STUDY", {"PatientID": ""}, limit=3)
    assert [one["PatientID"] for one in found] == ["0", "1", "2"]
    assert cancelled.is_set()


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC001, 0xFE00, 0x0122])
def test_a_failure_is_told_with_its_status(status: int, archive: Any) -> None:
    """Also answers that were cut short without being asked to are no complete answer."""

    def answers(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, study()
        yield status, None

    with pytest.raises(PeerRefused, match=f"answered C-FIND with status 0x{status:04X}") as caught:
        find(archive(answers), "NODE", "STUDY", {"PatientID": ""})
    assert caught.value.status == status


def test_one_association_serves_several_questions(archive: Any) -> None:
    """The second answer is that to the second question."""

    def answers(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, study(PatientID=event.identifier.PatientID)

    with open_search(archive(answers), "NODE") as search:
        assert [search.find("STUDY", {"PatientID": each})[0]["PatientID"] for each in "123"] == ["1", "2", "3"]


def test_a_value_that_is_none_of_its_kind_costs_itself_alone(archive: Any) -> None:
    """A count that is no number comes back as it is, beside the others."""

    def answers(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        match = study(PatientID="7")
        match.add_new(0x00201208, "LO", "many")
        yield 0xFF00, match

    match = find(archive(answers), "NODE", "STUDY", {"NumberOfStudyRelatedInstances": ""})[0]
    assert (match["NumberOfStudyRelatedInstances"], match["PatientID"]) == ("many", "7")


def test_a_peer_that_is_away_is_one_clear_sentence() -> None:
    """Nothing listens at that port."""
    with pytest.raises(PeerUnreachable, match="refused the connection"):
        find(PeerAddress("ARCHIVE", "127.0.0.1", 1), "NODE", "STUDY", {})


def test_a_question_that_cannot_be_put_is_the_callers_fault(archive: Any) -> None:
    """A UID that is missing, and a keyword that there is not."""

    def answers(_: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield from ()

    peer = archive(answers)
    with pytest.raises(ValueError, match="a query for IMAGE needs SeriesInstanceUID"):
        find(peer, "NODE", "IMAGE", {"StudyInstanceUID": UID})
    with pytest.raises(ValueError, match="'StudyDay' is no keyword"):
        find(peer, "NODE", "STUDY", {"StudyDay": ""})


def test_a_peer_without_queries_is_told_from_one_that_is_away(listen: Any) -> None:
    """A storage SCP takes the association and not the context."""
    peer = PeerAddress("PACSNODE", "127.0.0.1", listen().port)
    with pytest.raises(ContextNotAccepted, match="does not accept Study Root"):
        find(peer, "MODALITY", "STUDY", {})
