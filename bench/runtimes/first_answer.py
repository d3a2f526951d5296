"""A process that runs one route once: what its start costs.

``python -m bench.runtimes.first_answer ROUTE ONNX`` prints the seconds from the route's import to its first answer, and
the largest memory of the process in millions of bytes; ``none`` in place of a route is what all of them begin with.
"""

import sys
import time
from pathlib import Path

import numpy as np

from bench.runtimes.routes import NAMES, input_size, route
from models import STARTER


def main(name: str, onnx: str) -> None:
    """Run the route, and print both."""
    began = time.perf_counter()
    if name in NAMES:
        size = input_size("classifier")
        route(name, STARTER, "classifier", Path(onnx), 1)(np.zeros((1, size, size, 1), np.float32))
    print(time.perf_counter() - began, _largest_memory_mb())


def _largest_memory_mb() -> float:
    """Return the largest resident memory of this process so far; the kernel counts it from the program's start."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


if __name__ == "__main__":
    main(*sys.argv[1:])
