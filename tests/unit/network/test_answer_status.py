"""Statuses of a C-STORE response, sorted into what the sender does next."""

import pytest

from node.network.answer_status import Answer, sort_status, status_meaning


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007, 0xBFFF])
def test_success_and_warnings_are_sent(status: int) -> None:
    """A warning says that the instance is stored all the same (PS3.4 B.2.3)."""
    assert sort_status(status) is Answer.SENT


def test_a_duplicate_is_sent() -> None:
    """A peer that holds the UID already has what an earlier attempt brought."""
    assert sort_status(0x0111) is Answer.SENT


@pytest.mark.parametrize("status", [0xA700, 0xA702, 0xA7FF, 0x0110, 0x0210, 0x0213])
def test_a_passing_cause_is_tried_again(status: int) -> None:
    """Out of resources, a processing failure and a duplicate message ID may pass."""
    assert sort_status(status) is Answer.AGAIN


@pytest.mark.parametrize(
    "status", [0xA800, 0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0105, 0x0106, 0x0112, 0x0117, 0x0119, 0x0122, 0x0124, 0x0211]
)
def test_what_the_same_bytes_cannot_mend_is_buried(status: int) -> None:
    """The object, the peer or the configuration has to change before another attempt makes sense."""
    assert sort_status(status) is Answer.BURIED


@pytest.mark.parametrize("status", [0xFE00, 0xFF00, 0xFF01, 0x7777, 0xFFFF])
def test_a_status_that_nobody_knows_is_buried(status: int) -> None:
    """An unknown answer goes to the operator instead of being retried for ever."""
    assert sort_status(status) is Answer.BURIED
    assert "does not know" in status_meaning(status)


def test_every_status_has_an_answer_and_a_meaning() -> None:
    """No status of the 65 536 is left without words."""
    assert all(status_meaning(status) for status in range(0x10000))
    assert {sort_status(status) for status in range(0x10000)} == set(Answer)
