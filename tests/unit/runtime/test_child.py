"""The disposable child process: values in, values out, and its death is one failed call."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from node.domain.errors import Permanent
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


def test_an_unexpected_error_ends_the_child(child: Child) -> None:
    """It is not swallowed: the call fails and names the exit."""
    with pytest.raises(ChildFailed, match="exit code 1"):
        child.call(int, "not a number")


def test_a_call_past_its_deadline_is_killed() -> None:
    """A decoder that hangs holds the queue for no longer than the deadline."""
    child = Child(deadline_s=0.5)
    with pytest.raises(ChildFailed, match=r"longer than 0\.5 s"):
        child.call(time.sleep, 60)
    child.stop()


def _refuse(reason: str) -> None:
    raise Permanent(reason)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
