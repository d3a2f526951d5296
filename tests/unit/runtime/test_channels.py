"""Questions to another process: answered by whoever hears them, and never left without an end."""

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.runtime.channels import Asking, Channels, NotAnswered, NotAsked, Question, greeted
from node.runtime.line import Line, heard
from tests.support.waiting import wait_until

_PATIENCE_S = 10.0


class _House:
    """Both sides, joined by a line as between two processes."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.lost = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()
        ours, theirs = socket.socketpair()
        self.first, self._theirs, self.line = ours, theirs, Line(theirs)
        self.channels = Channels(self._serve, self.lost.set)
        self.channels.start()
        self.asking = Asking(self.line.channel)
        self._hearing = threading.Thread(target=self._hear)
        self._hearing.start()

    def end(self) -> None:
        """Let go of all."""
        self.goes_on.set()
        self.asking.close()
        self._theirs.close()
        self._hearing.join(_PATIENCE_S)
        self.channels.stop()
        self.first.close()

    def _hear(self) -> None:
        while (said := heard(self.first))[0]:
            for channel in said[1]:
                self.channels.add(channel)

    def _serve(self, asked: Sequence[Question]) -> None:
        self.groups.append(len(asked))
        assert self.goes_on.wait(_PATIENCE_S)
        for channel, question in asked:
            if question == b"defect":
                raise ValueError
            if question == b"cut":
                channel.cut()
            else:
                channel.answer(question.upper())


@pytest.fixture
def house() -> Iterator[_House]:
    """Give both sides."""
    made = _House()
    yield made
    made.end()


def test_a_question_is_answered(house: _House) -> None:
    """On the same channel as the one before it."""
    assert [house.asking.ask(question) for question in (b"a", b"b")] == [b"A", b"B"]


def test_what_is_asked_meanwhile_is_heard_together(house: _House) -> None:
    """The thread that answers finds all that came while it was busy."""
    house.goes_on.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(house.asking.ask, b"first")
        wait_until(lambda: bool(house.groups), _PATIENCE_S, "the first question")
        waiting = [_asked(house) for _ in range(8)]
        house.goes_on.set()
        assert first.result(_PATIENCE_S) == b"FIRST"
        assert [channel.recv(100) for channel in waiting] == [b"MORE"] * 8
    assert house.groups == [1, 8]
    for channel in waiting:
        channel.close()


def test_whoever_had_the_question_and_went_away_is_told_from_nobody_there(house: _House) -> None:
    """Of the first nobody knows what was done; of the second, that nothing was."""
    with pytest.raises(NotAnswered):
        house.asking.ask(b"cut")
    house.channels.stop()
    with pytest.raises(NotAsked):
        house.asking.ask(b"a")


def test_a_defect_costs_those_who_asked_then(house: _House) -> None:
    """They hear that no answer comes, and what is asked next is answered."""
    with pytest.raises(NotAnswered):
        house.asking.ask(b"defect")
    assert house.asking.ask(b"a") == b"A"


def test_an_asker_that_is_gone_leaves_no_channel_behind(house: _House) -> None:
    """However often processes come and go."""
    house.asking.ask(b"a")
    assert len(house.channels._open) == 1
    house.asking.close()
    assert house.asking.ask(b"b") == b"B"
    assert len(house.channels._open) == 1


def test_a_channel_that_nobody_hears_is_told_at_once() -> None:
    """The other side had no room for it, or was ending: nothing is asked on it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    with ours, pytest.raises(OSError, match="gone"):
        greeted(ours)


def _asked(house: _House) -> socket.socket:
    """Return a channel on which a question waits."""
    channel = house.line.channel()
    channel.send(b"more")
    return channel
