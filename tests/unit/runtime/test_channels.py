"""Questions to another process: answered by whoever hears them, and never left without an end."""

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.runtime import line
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

    def ask(self, question: bytes, within_s: float = _PATIENCE_S) -> bytes:
        """Ask from the one side."""
        return self.asking.ask(question, within_s)

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
    assert [house.ask(question) for question in (b"a", b"b")] == [b"A", b"B"]


def test_what_is_asked_meanwhile_is_heard_together(house: _House) -> None:
    """The thread that answers finds all that came while it was busy."""
    house.goes_on.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(house.ask, b"first")
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
        house.ask(b"cut")
    house.channels.stop()
    with pytest.raises(NotAsked):
        house.ask(b"a")


def test_a_defect_costs_those_who_asked_then(house: _House) -> None:
    """They hear that no answer comes, and what is asked next is answered."""
    with pytest.raises(NotAnswered):
        house.ask(b"defect")
    assert house.ask(b"a") == b"A"


def test_an_asker_that_is_gone_leaves_no_channel_behind(house: _House) -> None:
    """However often processes come and go."""
    house.ask(b"a")
    assert len(house.channels._open) == 1
    house.asking.close()
    assert house.ask(b"b") == b"B"
    assert len(house.channels._open) == 1


def test_an_answer_that_does_not_come_in_time_is_not_waited_for(house: _House) -> None:
    """Whoever answers may be stopped, and is then not gone; what it answers later disturbs no later question."""
    house.goes_on.clear()
    with pytest.raises(NotAnswered, match="in time"):
        house.ask(b"a", 0.01)
    house.goes_on.set()
    assert house.ask(b"b") == b"B"


def test_a_channel_that_is_not_greeted_in_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads the line, however many ask for one."""
    monkeypatch.setattr(line, "_GREETED_WITHIN_S", 0.001)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asking = Asking(Line(theirs).channel)
        for _ in range(500):
            with pytest.raises(NotAsked):
                asking.ask(b"a", _PATIENCE_S)


def test_channels_that_a_peak_opened_are_closed(house: _House) -> None:
    """Those that nobody has used for a while; one that was used since stays."""
    house.goes_on.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(house.ask, b"a") for _ in range(4)]
        wait_until(lambda: len(house.channels._open) == 4, _PATIENCE_S, "the peak")
        house.goes_on.set()
        assert [one.result(_PATIENCE_S) for one in asked] == [b"A"] * 4
    house.asking.close_idle(_PATIENCE_S)
    assert len(house.asking._idle) == 4
    house.asking.close_idle(0)
    assert house.ask(b"b") == b"B"
    wait_until(lambda: len(house.channels._open) == 1, _PATIENCE_S, "the end of the others")


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
