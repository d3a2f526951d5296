"""What a process that writes no database hands over, and what it does where no answer comes."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from node.network.released import ReleasedAssociation
from node.receiving import handing
from node.receiving.handing import HandingOver
from node.receiving.message import understood
from node.runtime.channels import Asking, Channels, Question, greeted
from node.store.disk.files import InstanceFiles
from node.store.unavailable import CommitUncertain

_LONGEST_UID = "1.2.826.0.1.3680043.8.498.{:038}"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give a channel that is greeted already."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def test_an_association_of_thousands_of_studies_is_told_of_in_parts(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    """A channel takes a message whole or not at all, and all of them at once are too long for it."""
    ours, theirs = pair
    studies = tuple(_LONGEST_UID.format(number) for number in range(4_000))
    told: list[object] = []

    def note(asked: Sequence[Question]) -> None:
        for channel, question in asked:
            told.append(understood(question))
            channel.answer(b"[0,0]")

    first = Channels(note, lambda: None)
    first.start()
    first.add(theirs.dup())
    HandingOver(Asking(lambda: greeted(ours)), InstanceFiles(tmp_path)).released(ReleasedAssociation("CT", studies))
    first.stop()
    assert told == [ReleasedAssociation("CT", studies[start : start + 1_000]) for start in range(0, 4_000, 1_000)]


def test_a_first_process_that_is_stopped_is_not_waited_for(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what it will have written when it goes on: that is told from a row that was not written."""
    monkeypatch.setattr(handing, "_PING_WITHIN_S", 0.01)
    with pytest.raises(CommitUncertain, match="in time"):
        HandingOver(Asking(lambda: pair[0]), InstanceFiles(tmp_path)).ping()
