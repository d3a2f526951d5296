"""A node's process that is killed with its training, while that writes its bundle.

``python -m tests.support.learning.killed_training DATA_DIR DATABASE_URL REPLAY``
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.bundle.place import appearing_at_once
from node.pipeline.learning.training_in_child import Task, train_task
from node.runtime.child import Child
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from tests.support.houses.house import House
from tests.support.learning.site import LearningSite


def train_killed_with_its_node(task: Task) -> None:
    """Write a part of a bundle as a training does, kill the node's process, and be killed."""
    with appearing_at_once(task.out) as folder:
        (folder / "classifier.npz").write_bytes(b"half")
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


class _DeadlyChild(Child):
    """A child process whose training ends its node."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the child; of a training only the end."""
        return super().call(train_killed_with_its_node if function is train_task else function, *arguments)


def main(data_dir: Path, url: str, replay: str) -> None:
    """Do the training that waits, as far as to its bundle."""
    database = Database.open(url)
    site = LearningSite(House(database, InstanceFiles(data_dir), data_dir, url), {"replay": [replay]})
    retrainer = site.retrainer(_DeadlyChild(300.0))
    run = retrainer.claim()
    assert run is not None
    retrainer.handle(run)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
