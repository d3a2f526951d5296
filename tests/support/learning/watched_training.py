"""A training whose opened files are written down, and one that is killed while it writes its bundle."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from models.bundle.place import appearing_at_once
from node.pipeline.learning.training_in_child import Task, Trained, train_task
from node.runtime.child import Child

OPENED = "opened.txt"
"""File in the data folder: the path of every file that the training opened, a line each."""


def train_watched(task: Task) -> Trained:
    """Train as the node does, and write down every file that is opened meanwhile."""
    opened: set[str] = set()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            opened.add(arguments[0])

    sys.addaudithook(note)
    trained = train_task(task)
    (task.run.parents[2] / OPENED).write_text("\n".join(sorted(opened)), encoding="utf-8")
    return trained


def train_killed(task: Task) -> None:
    """Write a part of a bundle as a training does, and be killed."""
    with appearing_at_once(task.out) as folder:
        (folder / "classifier.npz").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)


class WatchedChild(Child):
    """A child process that watches trainings."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the child; a training watched."""
        return super().call(train_watched if function is train_task else function, *arguments)


class KilledChild(Child):
    """A child process that is killed while it writes a bundle."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the child; a training killed."""
        return super().call(train_killed if function is train_task else function, *arguments)
