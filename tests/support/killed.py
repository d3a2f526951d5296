"""A node that ends itself with SIGKILL at a step of an instance: ``python -m tests.support.killed STEP CONFIG``.

The first instance goes all the way, so that something is acknowledged that must not be lost; the second one meets its
end.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from node import config
from node.app import serve
from node.pipeline.steps import Step

_LET_THROUGH = 1


class Fate:
    """Ends the process when a step is reached once more than it lets through."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._left = _LET_THROUGH
        self._lock = threading.Lock()

    def __call__(self, reached: Step) -> None:
        """Note that a step was reached."""
        with self._lock:
            if reached is not self._step:
                return
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1


if __name__ == "__main__":
    serve(config.load(Path(sys.argv[2])), Fate(Step(sys.argv[1])))
