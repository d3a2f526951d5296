"""The disposable child process: values in, values out, and its death is one failed call."""

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import SpawnProcess

import pytest

from node.domain.errors import Permanent, WorkStopped
from node.runtime.child import Child, ChildFailed


@pytest.fixture
def child() -> Iterator[Child]:
    """Give a child with a deadline that no test here reaches."""
    process = Child(deadline_s=20)
    yield process
    process.stop()


def test_a_call_returns_the_functions_value_from_another_process(child: Child) -> None:
    """It is a process of its own, and the same one for the next call."""
    first = child.call(os.getpid)
    assert first != os.getpid()
    assert child.call(os.getpid) == first


def test_a_permanent_error_travels_to_the_caller(child: Child) -> None:
    """As raised, and the child lives on."""
    with pytest.raises(Permanent, match="no such bundle"):
        child.call(_refuse, "no such bundle")
    assert child.call(abs, -3) == 3


def test_a_killed_child_fails_its_call_and_the_next_gets_a_fresh_one(child: Child) -> None:
    """What a decoder that crashes does to the node: one failed attempt."""
    with pytest.raises(ChildFailed, match="SIGKILL"):
        child.call(_die)
    assert child.call(abs, -3) == 3


def test_an_unexpected_error_tells_its_type_and_place_and_not_its_words(child: Child) -> None:
    """They may quote a dataset; nothing of it reaches stderr either."""
    with pytest.raises(ChildFailed, match=r"unexpected ValueError at .*:\d+ in the child") as caught:
        child.call(int, "Doe^Jane")
    assert "Doe" not in str(caught.value)


def test_a_missing_file_is_an_error_of_the_call_and_not_the_end_of_the_child(child: Child) -> None:
    """The pipe's own errors and those of the work are told apart."""
    pid = child.call(os.getpid)
    with pytest.raises(ChildFailed, match="FileNotFoundError"):
        child.call(os.stat, "/nowhere")
    assert child.call(os.getpid) == pid


def test_a_stopped_child_is_not_started_again(child: Child) -> None:
    """Or a node that drains would wait for it for ever."""
    child.stop()
    with pytest.raises(WorkStopped, match="stopping"):
        child.call(abs, -3)


def test_a_child_that_is_stopped_while_it_is_started_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a signal that comes while the node warms up its first bundle; until it has started, it cannot be killed."""
    child, before = Child(deadline_s=20), set(multiprocessing.active_children())
    starting, start = threading.Event(), SpawnProcess._Popen
    monkeypatch.setattr(SpawnProcess, "_Popen", staticmethod(lambda process: (starting.set(), start(process))[1]))
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(child.call, time.sleep, 60)
        assert starting.wait(10)
        child.stop()
        assert isinstance(answer.exception(), WorkStopped)
    assert set(multiprocessing.active_children()) <= before


def test_a_call_past_its_deadline_is_killed() -> None:
    """A decoder that hangs holds the queue for no longer than the deadline."""
    child = Child(deadline_s=0.5)
    with pytest.raises(ChildFailed, match=r"longer than 0\.5 s"):
        child.call(time.sleep, 60)
    child.stop()


def test_a_call_that_takes_too_much_memory_fails_with_a_reason_and_the_child_lives_on() -> None:
    """The limit is the child's: its parent may still allocate as much."""
    child, limits = Child(deadline_s=20, memory_mb=1024), resource.getrlimit(resource.RLIMIT_AS)
    pid = child.call(os.getpid)
    with pytest.raises(ChildFailed, match="more than the 1024 MiB of memory"):
        child.call(bytearray, 2 << 30)
    assert child.call(os.getpid) == pid
    assert len(child.call(bytes, 1 << 20)) == 1 << 20
    child.stop()
    assert resource.getrlimit(resource.RLIMIT_AS) == limits


def test_a_child_that_has_grown_is_replaced_between_two_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is lost by it, and one that has not grown stays."""
    monkeypatch.setattr("node.runtime.child.GROWN_MB", 64)
    monkeypatch.setattr("node.runtime.child._FIRST_CALLS", 1)
    child = Child(deadline_s=20)
    pid = child.call(os.getpid)
    assert child.call(os.getpid) == pid
    assert child.call(_keep, 128 << 20) == pid
    assert child.call(os.getpid) != pid
    child.stop()


_KEPT: list[bytes] = []


def _keep(count: int) -> int:
    _KEPT.append(b"1" * count)
    return os.getpid()


def _refuse(reason: str) -> None:
    raise Permanent(reason)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
