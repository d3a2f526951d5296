"""Storage commitment and peers that it does not concern: they settle and complete nothing of others."""

from dataclasses import replace
from typing import Any

import pytest

from node.network.commitment import CommitmentRequest, CommitmentResult
from node.pipeline.delivery.committing import GATHER_S
from node.store.sending import commitments
from tests.support.houses.commitment import Site
from tests.support.houses.house import House, radiograph

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def image(number: int, sender: str = "CR1") -> Any:
    """Return an image of the one study, of this sender."""
    return replace(radiograph(sop_instance_uid=f"1.2.3.1.{number}"), calling_ae_title=sender)


def request(caller: str, *numbers: int) -> CommitmentRequest:
    """Return a request for these images of the one study."""
    return CommitmentRequest(caller, "127.0.0.1", "2.25.77", tuple((DX, f"1.2.3.1.{number}") for number in numbers))


@pytest.fixture
def sent(house: House) -> tuple[Site, str, str]:
    """Return a site whose report was sent and asked about, the transaction, and the report."""
    site = Site(house, 1)
    archive: list[str] = []
    house.receive(radiograph())
    site.line.report()
    house.execute("UPDATE deliveries SET state = 'done', commitment = 'asked', sent_at = created_at")
    house.clock.forward(GATHER_S)
    claimed = site.asker.claim()
    assert claimed is not None
    house.database.write(lambda tx: commitments.note_asking(tx, claimed, house.clock()))
    archive.extend(uid for _, uid in claimed.instances)
    return site, claimed.transaction_uid, archive[0]


def test_a_result_is_taken_from_the_peer_that_was_asked_alone(sent: tuple[Site, str, str]) -> None:
    """Another gets the answer to a transaction that nobody knows, and the timeline says so."""
    site, transaction, report = sent
    assert site.hear(CommitmentResult("OTHER", "127.0.0.1", transaction, (), ((report, 0x0112),))) == 0x0115
    assert site.hear(CommitmentResult("OTHER", "127.0.0.1", transaction, (report,), ())) == 0x0115
    assert (site.delivery()["state"], site.delivery()["commitment"]) == ("done", "asked")
    assert site.events() == ["commitment of another peer refused"] * 2
    assert site.hear(CommitmentResult("PACS", "127.0.0.1", transaction, (report,), ())) == 0x0000
    assert site.delivery()["commitment"] == "committed"


@pytest.mark.parametrize("caller", ["OTHER", "CR1"])
@pytest.mark.parametrize("serves", [True, False])
def test_only_who_sent_a_study_completes_it(house: House, caller: str, *, serves: bool) -> None:
    """Whether the request is served or not; what the caller did not send says nothing of the sender's study."""
    site = Site(house, 1, serves=serves, callers=("OTHER", "CR1"))
    house.receive(image(1))
    site.line.read()
    site.hear(request(caller, 1))
    assert site.line.compose() == (1 if caller == "CR1" else 0)


def test_a_request_that_names_a_part_of_a_study_completes_nothing(house: House) -> None:
    """Until all is named that the caller has sent of it; what another has sent it need not know."""
    site = Site(house, 1)
    for came in (image(1), image(2), image(3, "OTHER")):
        house.receive(came)
    site.line.read()
    site.hear(request("CR1", 1))
    assert site.line.compose() == 0
    site.hear(request("CR1", 1, 2))
    assert site.line.compose() == 1
