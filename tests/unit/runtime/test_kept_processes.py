"""Processes that are kept up: ready together, started again one by one, drained together."""

import itertools
import multiprocessing
import os
import signal
import socket
import sys
import threading

import pytest

from node.domain.errors import OperatorError
from node.runtime.kept_process import Told, pause_s
from node.runtime.kept_processes import KeptProcesses
from node.runtime.line import Line
from tests.support.houses.receivers import PATIENCE_S, ReceiversHouse, drained, never_ready, parent_of, until_told
from tests.support.waiting import wait_until

_ENOUGH = 10


def test_start_returns_when_every_process_is_ready(house: ReceiversHouse) -> None:
    """Each is a process of its own."""
    receivers = house.of(2, until_told)
    receivers.start(PATIENCE_S)
    assert len({os.getpid(), *receivers.pids}) == 3
    assert drained(receivers, PATIENCE_S)
    assert receivers.pids == []


def test_a_killed_process_is_started_again_and_the_others_live_on(house: ReceiversHouse) -> None:
    """What the dead one left can be swept before the next one starts."""
    receivers = house.of(2, until_told)
    receivers.start(PATIENCE_S)
    first, second = receivers.pids
    os.kill(first, signal.SIGKILL)
    house.deaths.get(timeout=PATIENCE_S)
    wait_until(lambda: len(receivers.pids) == 2, PATIENCE_S, "the next one")
    assert first not in receivers.pids
    assert second in receivers.pids
    assert drained(receivers, PATIENCE_S)


def test_a_wake_is_heard_at_once(house: ReceiversHouse) -> None:
    """No clock is involved: a byte on the line."""
    receivers = house.of(1, _wakes_when_ready)
    receivers.start(PATIENCE_S)
    house.wakes.get(timeout=PATIENCE_S)


def test_more_wakes_than_a_line_holds_keep_nobody_waiting() -> None:
    """A burst of instances while the first process is busy."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = Line(theirs)
        for _ in range(100_000):
            line.wake()
        assert not line.is_cut()
    line.wake()


def test_a_process_that_dies_at_each_start_is_given_up_with_its_reason(house: ReceiversHouse) -> None:
    """Or the node would never say that it cannot start."""
    with pytest.raises(OperatorError, match=r"receiving process 1 does not start \(exit code 7\)"):
        house.of(1, _dies_at_start).start(PATIENCE_S)


def test_a_process_that_never_gets_ready_is_given_up(house: ReceiversHouse) -> None:
    """And it is not left behind."""
    receivers = house.of(1, never_ready)
    with pytest.raises(OperatorError, match=r"not ready after 0\.1 s"):
        receivers.start(0.1)
    assert not any(thread.name == "receiver-1" and not _joined(thread) for thread in threading.enumerate())


def test_a_process_that_does_not_drain_in_time_is_killed(house: ReceiversHouse) -> None:
    """The bound holds whatever a process does."""
    receivers = house.of(1, _deaf)
    receivers.start(PATIENCE_S)
    (pid,) = receivers.pids
    assert not drained(receivers, 0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_learns_that_its_starter_was_killed(house: ReceiversHouse) -> None:
    """The line is cut by the system, whatever the starter did not get to do."""
    starter = multiprocessing.get_context("spawn").Process(target=_starts_one, args=(house.told_by,))
    starter.start()
    assert house.heard() == "ready"
    starter.kill()
    starter.join()
    assert house.heard() == "told to drain: False"


def test_a_signal_to_the_whole_group_ends_no_process(house: ReceiversHouse) -> None:
    """As a service manager or a terminal sends it: the first process decides."""
    receivers = house.of(1, until_told)
    receivers.start(PATIENCE_S)
    (pid,) = receivers.pids
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    assert drained(receivers, PATIENCE_S)
    assert house.heard() == "told to drain: True"
    assert house.deaths.empty()


def test_processes_outlive_the_server_that_forked_them_and_another_forks_the_next(house: ReceiversHouse) -> None:
    """Whatever is killed alone: what lives is told to end as ever, and what dies is started again."""
    receivers = house.of(2, until_told)
    receivers.start(PATIENCE_S)
    first, second = receivers.pids
    os.kill(parent_of(first), signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(receivers.pids) == 2 and first not in receivers.pids, PATIENCE_S, "the next one")
    assert second in receivers.pids
    assert drained(receivers, PATIENCE_S)
    assert {house.heard(), house.heard()} == {"told to drain: True"}


def test_what_all_need_is_imported_once(house: ReceiversHouse) -> None:
    """Before they are forked, so that it lies in memory once."""
    receivers = KeptProcesses(1, _tells_modules, (house.told_by,), _NOBODY, ["colorsys"])
    house.receivers.append(receivers)
    receivers.start(PATIENCE_S)
    assert house.heard() == "there"


def test_a_process_that_stands_still_is_ended_and_replaced(house: ReceiversHouse) -> None:
    """Stopped, and not dead: its line is not cut, and it answers nothing; the other one is left alone."""
    receivers = house.of(2, until_told, ask_every_s=0.15)
    receivers.start(PATIENCE_S)
    first, second = receivers.pids
    os.kill(first, signal.SIGSTOP)
    house.deaths.get(timeout=PATIENCE_S)
    wait_until(lambda: len(receivers.pids) == 2, PATIENCE_S, "the next one")
    assert first not in receivers.pids
    assert second in receivers.pids
    assert drained(receivers, PATIENCE_S)


def test_a_process_that_is_not_well_is_ended_and_replaced_whatever_else_it_says(house: ReceiversHouse) -> None:
    """One of its threads goes on and says that there is work, and what it is there for stands still."""
    receivers = house.of(1, _unwell, ask_every_s=0.05)
    receivers.start(PATIENCE_S)
    house.wakes.get(timeout=PATIENCE_S)
    house.deaths.get(timeout=PATIENCE_S)


def test_a_process_that_is_well_is_left_alone_however_often_it_is_asked(house: ReceiversHouse) -> None:
    """Well beyond the number of questions that may go without an answer."""
    receivers = house.of(1, _counts_questions, ask_every_s=0.1)
    receivers.start(PATIENCE_S)
    (pid,) = receivers.pids
    assert house.heard() == "asked ten times"
    assert receivers.pids == [pid]
    assert drained(receivers, PATIENCE_S)


def test_a_process_that_is_no_longer_kept_up_is_told_of(house: ReceiversHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that keeps it up ends of an error that nobody foresaw: the node must not live on without it."""
    ended = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: ended.set())
    house.deaths = None  # type: ignore[assignment] - what is called after a death raises
    receivers = house.of(1, until_told)
    receivers.start(PATIENCE_S)
    os.kill(receivers.pids[0], signal.SIGKILL)
    house.losses.get(timeout=PATIENCE_S)
    assert ended.wait(PATIENCE_S)


def test_each_death_in_a_row_doubles_the_pause_up_to_five_seconds() -> None:
    """The first start again is nearly at once: its port is open, and others wait."""
    assert [pause_s(deaths) for deaths in (1, 2, 3, 6, 7, 1000)] == [0.1, 0.2, 0.4, 3.2, 5.0, 5.0]


def _wakes_when_ready(line: Line, _: socket.socket) -> None:
    line.ready()
    line.wake()
    line.told_to_drain()


def _unwell(line: Line, _: socket.socket) -> None:
    line.ready()
    threading.Thread(target=_wakes_for_ever, args=(line,), daemon=True).start()
    line.told_to_drain(lambda: False)


def _wakes_for_ever(line: Line) -> None:
    pause = threading.Event()
    while not pause.wait(0.01):
        line.wake()


def _counts_questions(line: Line, told: socket.socket) -> None:
    questions = itertools.count(1)

    def count() -> bool:
        if next(questions) == _ENOUGH:
            told.send(b"asked ten times")
        return True

    line.ready()
    line.told_to_drain(count)


def _dies_at_start(_line: Line, _: socket.socket) -> None:
    os._exit(7)


def _tells_modules(line: Line, told: socket.socket) -> None:
    line.ready()
    told.send(b"there" if "colorsys" in sys.modules else b"not there")
    line.told_to_drain()


def _deaf(line: Line, _: socket.socket) -> None:
    line.ready()
    while True:
        signal.pause()


def _starts_one(told: socket.socket) -> None:
    KeptProcesses(1, until_told, (told,), _NOBODY).start(PATIENCE_S)
    told.send(b"ready")
    signal.pause()


def _nothing() -> None:
    pass


_NOBODY = Told(_nothing, socket.socket.close, _nothing, _nothing)


def _joined(thread: threading.Thread) -> bool:
    thread.join(PATIENCE_S)
    return not thread.is_alive()
