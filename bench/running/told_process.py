"""A process of its own that is told when to begin, so that what it does before is not in the time."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

_LONGEST_S = 300


class ToldProcess:
    """A module of the benchmarks as a process that is told things line by line, and says things line by line.

    Parameters
    ----------
    module, arguments
        What is run, as by ``python -m``.
    environment
        What is added to that of this process.
    """

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict(environment or {}),
        )

    def tell(self, line: str) -> None:
        """Say a line to it."""
        print(line, file=self._process.stdin, flush=True)

    def hear(self, start: str = "") -> str:
        """Return the next line that it says.

        Raises
        ------
        ConnectionError
            Where it ended, or said what does not begin so.
        """
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line or not line.startswith(start):
            raise ConnectionError(f"{self._module} ended with {self._process.wait(10)}; what it met is above")
        return line

    def end(self) -> None:
        """Wait until it has ended well."""
        if self._process.wait(_LONGEST_S):
            raise ConnectionError(f"{self._module} ended with {self._process.returncode}")

    def kill(self) -> None:
        """End it as it is."""
        self._process.kill()
