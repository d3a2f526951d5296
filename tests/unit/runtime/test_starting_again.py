"""Processes that are kept up where the system fails them: a server that forks stands still, no descriptors are left."""

import errno
import os
import signal
import socket
import sys
import threading
from types import FrameType

import pytest

from node.runtime import kept_process
from node.runtime.forking import forking_in_time
from tests.support.houses.receivers import PATIENCE_S, ReceiversHouse, drained, never_ready, parent_of, until_told
from tests.support.waiting import wait_until


def test_a_server_that_forks_and_stands_still_is_replaced(
    house: ReceiversHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped, and what it forked dies: the next one is forked by another."""
    monkeypatch.setattr(kept_process, "_REAP_S", 0.1)
    receivers = house.of(1, until_told)
    receivers.start(PATIENCE_S)
    (first,) = receivers.pids
    # the server that is stopped says nothing however long it is given; the next one may take its time
    limits = iter([0.2])
    monkeypatch.setattr(kept_process, "forking_in_time", lambda _: forking_in_time(next(limits, PATIENCE_S)))
    os.kill(parent_of(first), signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: receivers.pids not in ([], [first]), PATIENCE_S, "the next one")
    assert drained(receivers, PATIENCE_S)


def test_a_start_that_hangs_keeps_nobody_from_ending(house: ReceiversHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the drain nor the end at once waits for the server that forks."""
    monkeypatch.setattr(kept_process, "_REAP_S", 0.1)
    monkeypatch.setattr(kept_process, "_KILLED_S", 0.1)
    receivers = house.of(1, until_told)
    receivers.start(PATIENCE_S)
    (first,) = receivers.pids
    server = parent_of(first)
    os.kill(server, signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    house.deaths.get(timeout=PATIENCE_S)
    wait_until(_is_forking, PATIENCE_S, "the next start")
    receivers.finish()
    receivers.kill()
    os.kill(server, signal.SIGCONT)
    assert not receivers.ended(PATIENCE_S)  # it was killed
    assert receivers.pids == []
    assert "receiver-1" not in [thread.name for thread in threading.enumerate()]


def test_without_descriptors_the_next_start_is_tried_again(
    house: ReceiversHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line cannot be made for a moment: that is no defect, and ends nothing."""
    receivers = house.of(1, until_told)
    receivers.start(PATIENCE_S)
    (first,) = receivers.pids
    tried = threading.Event()

    def none_left(*_: object) -> tuple[socket.socket, socket.socket]:
        tried.set()
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as limited:
        limited.setattr(socket, "socketpair", none_left)
        os.kill(first, signal.SIGKILL)
        assert tried.wait(PATIENCE_S)
    wait_until(lambda: receivers.pids not in ([], [first]), PATIENCE_S, "the next one")
    assert house.losses.empty()


def test_without_threads_a_start_fails_as_for_anything_that_the_system_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, then."""

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", none_left)
    with pytest.raises(OSError, match="no thread can be started"), forking_in_time(1.0):
        raise AssertionError("it began")


def test_processes_serve_while_one_is_ready_and_all_are_kept_up(
    house: ReceiversHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs them ends where that is over: it looks alive to all, and hears nobody."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    never, receivers = house.of(1, never_ready), house.of(2, until_told)
    receivers.start(PATIENCE_S)
    assert receivers.serve(PATIENCE_S)
    assert not never.serve(0.01)
    house.deaths = None  # type: ignore[assignment] - what is called after a death raises
    os.kill(receivers.pids[0], signal.SIGKILL)
    house.losses.get(timeout=PATIENCE_S)
    wait_until(lambda: not receivers.serve(0.01), PATIENCE_S, "the end of the thread that keeps it up")


def _is_forking() -> bool:
    """Return whether the thread that keeps the process up waits for the server that forks."""
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "receiver-1")
    frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
    while frame is not None and frame.f_code.co_name != "read_signed":
        frame = frame.f_back
    return frame is not None
