"""Storage commitment served: a request completes its study, and its result is told until it is taken."""

from collections.abc import Callable, Iterator

import pytest
from pydicom.dataset import Dataset

from node.network.commitment import CommitmentRequest
from node.network.peer import PeerAddress
from node.pipeline.delivery.commitment_heard import judge
from node.pipeline.delivery.committing import Teller
from node.store.sending.commitments_requested import HeldInstance
from tests.support.houses.commitment import Site
from tests.support.houses.house import House, radiograph
from tests.support.peers.committing import asker

DX = "1.2.840.10008.5.1.4.1.1.1.1"
REQUEST = CommitmentRequest("CR1", "127.0.0.1", "2.25.77", ((DX, "1.2.3.1.1"),))


def test_a_request_completes_the_study_whether_it_is_served_or_not(house: House) -> None:
    """Where all that it names is held, nothing more is waited for; where something is missing, it is."""
    site = Site(house, 1)
    house.receive(radiograph())
    assert site.hear(CommitmentRequest("CR1", "", "2.25.1", ((DX, "1.2.3.1.1"), (DX, "1.2.3.1.9")))) == 0x0124
    site.line.read()
    assert site.line.compose() == 0
    assert site.hear(REQUEST) == 0x0124
    assert site.line.compose() == 1
    (closed,) = [entry["detail"] for entry in site.line.study()["timeline"] if entry["event"] == "study complete"]
    assert closed["signal"] == "commitment requested"


def test_a_request_for_what_no_model_reads_completes_nothing(house: House) -> None:
    """Such as our own report, which a PACS sends back while images of the study still come."""
    site = Site(house, 1)
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2", body_part="HAND"))
    site.line.read()
    site.hear(CommitmentRequest("CR1", "", "2.25.2", ((DX, "1.2.3.1.2"),)))
    assert site.line.compose() == 0


@pytest.fixture
def told() -> list[Dataset]:
    """Return where results that a sender took are kept."""
    return []


@pytest.fixture
def tell(house: House, told: list[Dataset]) -> Iterator[Callable[..., bool]]:
    """Return a function that tells what is to be told now to the sender CR1; it says whether there was anything."""
    answers = [0x0000]

    def take(result: Dataset) -> int:
        told.append(result)
        return answers[0]

    with asker("CR1", take) as port:
        site = Site(house, 1, serves=True, callers=("CR1",))

        def work(*, keeps_for_ever: bool = True, answer: int = 0x0000) -> bool:
            answers[0] = answer
            callers = {"CR1": PeerAddress("CR1", "127.0.0.1", port)}
            teller = Teller(site.given, callers, house.files.path, "test", keeps_for_ever=keeps_for_ever)
            if (claimed := teller.claim()) is None:
                return False
            try:
                teller.handle(claimed)
            except Exception as error:  # noqa: BLE001 - as the work loop does
                teller.fail(claimed, error)
            return True

        yield work


def test_a_request_that_is_served_is_kept_and_told(
    house: House, tell: Callable[..., bool], told: list[Dataset]
) -> None:
    """What is held is committed to, once; the same request twice is one."""
    site = Site(house, 1, serves=True, callers=("CR1",))
    house.receive(radiograph())
    assert [site.hear(REQUEST), site.hear(REQUEST)] == [0x0000, 0x0000]
    assert tell()
    assert not tell()
    assert told[0].TransactionUID == "2.25.77"
    assert [item.ReferencedSOPInstanceUID for item in told[0].ReferencedSOPSequence] == ["1.2.3.1.1"]
    assert "FailedSOPSequence" not in told[0]
    assert site.events() == ["commitment requested", "commitment told"]


def test_never_a_yes_for_what_retention_will_remove(
    house: House, tell: Callable[..., bool], told: list[Dataset]
) -> None:
    """What is held only for a time is refused for want of room, what is not held as unknown."""
    site = Site(house, 1, serves=True, callers=("CR1",))
    house.receive(radiograph())
    site.hear(CommitmentRequest("CR1", "", "2.25.78", ((DX, "1.2.3.1.1"), (DX, "1.2.3.1.9"))))
    tell(keeps_for_ever=False)
    assert "ReferencedSOPSequence" not in told[0]
    assert [item.FailureReason for item in told[0].FailedSOPSequence] == [0x0213, 0x0112]


def test_never_a_yes_for_a_file_that_is_gone(house: House, tell: Callable[..., bool], told: list[Dataset]) -> None:
    """A row alone is nothing that could be given back."""
    site = Site(house, 1, serves=True, callers=("CR1",))
    house.receive(radiograph())
    site.hear(REQUEST)
    (only,) = (house.folder / "instances").rglob("*.dcm")
    only.unlink()
    tell()
    assert [item.FailureReason for item in told[0].FailedSOPSequence] == [0x0112]


def test_a_result_that_is_not_taken_is_told_until_it_is(
    house: House, tell: Callable[..., bool], told: list[Dataset]
) -> None:
    """After a backoff each time."""
    site = Site(house, 1, serves=True, callers=("CR1",))
    house.receive(radiograph())
    site.hear(REQUEST)
    for _ in range(3):
        assert tell(answer=0x0110)
        assert not tell()
        house.clock.forward(1000)
    assert tell()
    assert not tell()
    assert len(told) == 4


def test_who_cannot_be_told_is_not_served(house: House) -> None:
    """A caller whose address nobody configured gets a refusal, not a promise without an answer."""
    site = Site(house, 1, serves=True, callers=("CR2",))
    assert site.hear(REQUEST) == 0x0124


def test_a_class_that_is_another_is_a_conflict() -> None:
    """PS3.3 C.14.1.1: 0x0119."""
    judged = judge(
        [(DX, "1.2")], {"1.2": HeldInstance("1.2.840.10008.5.1.4.1.1.2", "1", "instances/1")}, keeps_for_ever=True
    )
    assert judged.failed == ((DX, "1.2", 0x0119),)
