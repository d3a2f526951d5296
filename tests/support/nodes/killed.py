"""A node that ends itself with SIGKILL at a step of an instance: ``python -m tests.support.nodes.killed STEP CONFIG``.

The first instance goes all the way, so that something is acknowledged that must not be lost; the second one meets its
end. Whichever of the node's processes takes the step is the one that dies.
"""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from node import config
from node.pipeline.steps import Step

_LET_THROUGH = 1


@dataclass(frozen=True)
class Fate:
    """Ends the process when a step is reached once more than it lets through, by all processes of a node together."""

    step: Step
    count: Path  #: a file that grows by a byte each time

    def __call__(self, reached: Step) -> None:
        """Note that a step was reached."""
        if reached is not self.step:
            return
        with self.count.open("ab") as file:
            file.write(b".")
        if self.count.stat().st_size > _LET_THROUGH:
            os.kill(os.getpid(), signal.SIGKILL)


def main(step: str, configuration: Path) -> None:
    """Run the node of a configuration until it has taken a step once more than it may."""
    from node.app import serve  # noqa: PLC0415 - a receiving process imports this file, and has no use for it

    count = configuration.with_name("steps")
    count.write_bytes(b"")
    serve(config.load(configuration), Fate(Step(step), count))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
