"""Processes on one listening socket: a connection goes to the one that has fewer."""

import contextlib
import socket
import threading
from types import SimpleNamespace

import pytest

from node.receiving import turns
from node.receiving.turns import BeforeOthers, BesideOthers, SharedListener

_PATIENCE_S = 10.0


class _Time:
    """Time that stands still while anybody is awake, and then goes on to whoever sleeps least."""

    def __init__(self, awake: int) -> None:
        self._awake, self._now = awake, 0.0
        self._asleep: list[tuple[float, int]] = []
        self._changed = threading.Condition()  # its lock may be taken twice

    def sleep(self, seconds: float) -> None:
        with self._changed:
            until = self._now + seconds, threading.get_ident()
            self._asleep.append(until)
            self.leave()
            assert self._changed.wait_for(lambda: not self._awake and min(self._asleep) == until, _PATIENCE_S)
            self._asleep.remove(until)
            self._now, self._awake = until[0], 1

    def leave(self) -> None:
        with self._changed:
            self._awake -= 1
            self._changed.notify_all()


def test_of_two_processes_each_comes_by_as_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """One has two of eight already, and would take most of the others; here two threads stand for the processes."""
    passing = _Time(awake=2)
    taken: dict[int, list[socket.socket]] = {1: [], 2: []}
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as peers:
        shared = {number: SharedListener(listener.dup(), BesideOthers()) for number in taken}
        threads = [threading.Thread(target=_accept, args=(shared[one], taken[one], passing)) for one in taken]
        for _ in range(8):
            peers.enter_context(socket.create_connection(listener.getsockname(), _PATIENCE_S))
        taken[1] += [shared[1].accept()[0] for _ in range(2)]
        monkeypatch.setattr(turns, "time", passing)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_PATIENCE_S)
        for one in (*shared.values(), *taken[1], *taken[2]):
            one.close()
    assert [len(connections) for connections in taken.values()] == [4, 4]


def test_the_first_process_takes_one_connection_before_all_others(waits: list[float]) -> None:
    """And no further one before a process that has many: it is the one that writes."""
    first, other = BeforeOthers(_Clock()), BesideOthers()
    for count in range(100):
        other.wait(lambda count=count: count)
    beside = list(waits)
    first.wait(lambda: 0)
    assert waits == beside
    first.wait(lambda: 1)
    assert waits[-1] > max(beside)


def test_after_several_at_once_the_first_process_leaves_even_a_lone_connection_to_the_others(
    waits: list[float],
) -> None:
    """Whoever sends over several associations does so again, and the one it took would be the last to end."""
    clock = _Clock()
    first = BeforeOthers(clock)
    first.wait(lambda: 1)
    first.wait(lambda: 0)
    assert len(waits) == 2
    clock.now += 3600.0
    first.wait(lambda: 0)
    assert len(waits) == 2


def test_a_connection_that_ends_as_the_next_one_of_its_sender_comes_is_no_crowd(waits: list[float]) -> None:
    """A scanner that opens one association after the other sends alone."""
    first = BeforeOthers(_Clock())
    open_here = iter([1, 0, 0])
    first.wait(lambda: next(open_here))
    first.wait(lambda: next(open_here))
    assert len(waits) == 1


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the times that were waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(turns, "time", SimpleNamespace(sleep=waited.append))  # no other thread waits less by it
    return waited


def _accept(listener: SharedListener, taken: list[socket.socket], passing: _Time) -> None:
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            taken.append(listener.accept()[0])
    passing.leave()
