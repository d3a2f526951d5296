"""Compare what one image costs in Keras (`model.predict`, tf.function), LiteRT and ONNX Runtime.

Run with the project's Python: ``.venv/bin/python bench/inference.py``. The routes run the same weights of the shipped
bundle, take turns within each repetition, and are compared with Keras before a figure is printed. Start and memory are
measured in a process of its own for each route.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.measuring.printed import load_at_start, load_included, machine, spread
from bench.runtimes.routes import NAMES, NETWORKS, input_size, route, write_exports
from bench.runtimes.timed_routes import distances, repeated
from models import STARTER

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

BATCHES = (1, 32)
APART = 1e-4
"""How far a route's outputs may lie from those of Keras; beyond that, no figure is printed."""


def main() -> int:
    """Run the comparison that the command line asks for, print it and return the exit status."""
    options = _options()
    print(f"{machine()}, {options.threads} thread(s) a route, {options.repetitions} repetitions")
    print(load_at_start())
    with tempfile.TemporaryDirectory(prefix="bench-inference-") as folder:
        for network in NETWORKS:
            path = Path(folder) / f"{network}.onnx"
            write_exports(STARTER, network, path, options.threads)
            _compare_network(network, path, options)
        _print_starts(Path(folder) / "classifier.onnx", options.repetitions)
    print(load_included())
    return 0


def _compare_network(network: str, onnx: Path, options: argparse.Namespace) -> None:
    routes = {name: route(name, STARTER, network, onnx, options.threads) for name in NAMES}
    size = input_size(network)
    images = np.random.default_rng(0).random((max(BATCHES) * 2, size, size, 1)).astype(np.float32)
    apart = distances(routes, images)
    if max(apart.values()) > APART:
        raise AssertionError(f"{network}: outputs differ from Keras: {apart}")
    print(
        f"\n{network}, {size} x {size} pixels; largest distance of an output from tf.function's: "
        + ", ".join(f"{name} {distance:.1e}" for name, distance in apart.items())
    )
    print(f"{'route':<14} {'batch':>5} {'images/s':>22} {'CPU ms/image':>22}")
    for batch in BATCHES:
        results = repeated(routes, images[:batch], options.repetitions, options.images)
        for name, measured in results.items():
            rates, costs = [it.per_second for it in measured], [it.cpu_ms for it in measured]
            print(f"{name:<14} {batch:>5} {spread(rates, '.0f'):>22} {spread(costs, '.2f'):>22}")


STARTS = """
a process of its own for each route, classifier: seconds from its import to its first answer, and the memory that the
process needed at most; none: Python, NumPy and the bundle's manifest"""


def _print_starts(onnx: Path, repetitions: int) -> None:
    print(STARTS)
    print(f"{'route':<14} {'s':>22} {'MB':>22}")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ("none", *NAMES)}
    for _ in range(repetitions):
        for name, values in found.items():
            command = [sys.executable, "-m", "bench.runtimes.first_answer", name, str(onnx)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            took, held = map(float, done.stdout.split())
            values.append((took, held))
    for name, values in found.items():
        seconds, megabytes = zip(*values, strict=True)
        print(f"{name:<14} {spread(seconds, '.2f'):>22} {spread(megabytes, '.0f'):>22}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=128, help="images of each measurement")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="32 images, 1 repetition: does it run at all")
    options = parser.parse_args()
    if options.quick:
        options.images, options.repetitions = 32, 1
    return options


if __name__ == "__main__":
    sys.exit(main())
