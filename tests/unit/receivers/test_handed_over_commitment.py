"""What peers say of storage commitment, handed from one process to another."""

import pytest

from node.domain.errors import Refused
from node.network.commitment import CommitmentRequest, CommitmentResult, Heard
from node.receivers.handing import HandingOver
from node.receivers.message import asked, understood


@pytest.mark.parametrize(
    "said",
    [
        CommitmentRequest("CT 1", "::1", "2.25.1", (("1.2.840.10008.5.1.4.1.1.2", "1.2.3"), ("1.2", "1.2.4"))),
        CommitmentResult("PACS", "10.0.0.1", "2.25.1", ("1.2.3", "1.2.4"), (("1.2.5", 0x0112),)),
        CommitmentResult("PACS", "", "2.25.1", (), ()),
    ],
)
def test_what_is_heard_is_understood_as_it_was_said(said: Heard) -> None:
    """Every part of it, as the same kind of value."""
    assert understood(asked(said)) == said


def test_a_study_of_thousands_of_images_fits() -> None:
    """5 000 instances are handed over; what would not go through at once is refused before it is asked."""
    asking: list[bytes] = []

    class Line:
        def ask(self, question: bytes) -> bytes:
            asking.append(question)
            return b"[0,0]"

    ledger = HandingOver(Line(), None)  # type: ignore[arg-type]

    def request(count: int) -> CommitmentRequest:
        uids = (f"1.3.12.2.1107.5.1.4.{number * 7919 % 65537:05}.300000250210{number:010}" for number in range(count))
        return CommitmentRequest("CT", "", "2.25.1", tuple(("1.2.840.10008.5.1.4.1.1.2", uid) for uid in uids))

    assert ledger.heard(request(5_000)) == 0
    assert understood(asking[0]) == request(5_000)
    with pytest.raises(Refused, match="too many instances") as caught:
        ledger.heard(request(60_000))
    assert caught.value.status == 0x0213
