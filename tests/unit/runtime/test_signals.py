"""Signals that are waited for, in a process of their own."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

_PROGRAM = """
import os, threading
from node.runtime.signals import StopSignals

def again():
    print("again", flush=True)
    os._exit(7)

signals = StopSignals(again)
signals.watch()
print("watching", flush=True)
signals.wait()
print("first", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def program() -> Iterator["subprocess.Popen[str]"]:
    """Start a program that waits for a signal, and give it once it does."""
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_waited_for_and_the_second_told_at_once(
    program: "subprocess.Popen[str]", number: signal.Signals
) -> None:
    """The second is told although the main thread waits for something else, without end."""
    assert program.stdout is not None
    program.send_signal(number)
    assert program.stdout.readline() == "first\n"
    program.send_signal(signal.SIGTERM)
    assert program.stdout.readline() == "again\n"
    assert program.wait(10) == 7
