"""Compare what one image costs in Keras (`model.predict`, tf.function), LiteRT and ONNX Runtime.

Run with the project's Python: ``.venv/bin/python bench/inference.py``. The routes run the same weights of the shipped
bundle, take turns within each repetition, and are compared with Keras before a figure is printed. Start and memory are
measured in a process of its own for each route.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.runtimes.routes import NAMES, NETWORKS, Route, route, write_exports
from models import STARTER
from models.bundle.folder import open_bundle

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

BATCHES = (1, 32)
WARM_UP = 3
APART = 1e-4
"""How far a route's outputs may lie from those of Keras; beyond that, no figure is printed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one route did with the images once."""

    per_second: float  #: images a second
    cpu_ms: float  #: user and system time of the process for each image, in milliseconds


def main() -> int:
    """Run the comparison that the command line asks for, print it and return the exit status."""
    options = _options()
    if options.start:
        return _start(*options.start)
    print(f"{_machine()}, {options.threads} thread(s) a route, {options.repetitions} repetitions")
    print(f"load average of the last minute at the start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="bench-inference-") as folder:
        for network in NETWORKS:
            path = Path(folder) / f"{network}.onnx"
            write_exports(STARTER, network, path, options.threads)
            _compare_network(network, path, options)
        _print_starts(Path(folder) / "classifier.onnx", options.repetitions)
    print(f"load average of the last minute, this benchmark included: {os.getloadavg()[0]:.1f}")
    return 0


def _compare_network(network: str, onnx: Path, options: argparse.Namespace) -> None:
    routes = {name: route(name, STARTER, network, onnx, options.threads) for name in NAMES}
    size = _size(network)
    images = np.random.default_rng(0).random((max(BATCHES) * 2, size, size, 1)).astype(np.float32)
    distances = _distances(routes, images)
    if max(distances.values()) > APART:
        raise AssertionError(f"{network}: outputs differ from Keras: {distances}")
    print(
        f"\n{network}, {size} x {size} pixels; largest distance of an output from tf.function's: "
        + ", ".join(f"{name} {distance:.1e}" for name, distance in distances.items())
    )
    print(f"{'route':<14} {'batch':>5} {'images/s':>22} {'CPU ms/image':>22}")
    for batch in BATCHES:
        results = _repeat(routes, images[:batch], options)
        for name, measured in results.items():
            rates, costs = [it.per_second for it in measured], [it.cpu_ms for it in measured]
            print(f"{name:<14} {batch:>5} {_spread(rates, '.0f'):>22} {_spread(costs, '.2f'):>22}")


def _repeat(
    routes: dict[str, Route], images: NDArray[np.float32], options: argparse.Namespace
) -> dict[str, list[Measured]]:
    """Return the measurements of each route; who goes first changes from one repetition to the next."""
    names, calls = list(routes), max(options.images // len(images), 1)
    results: dict[str, list[Measured]] = {name: [] for name in names}
    for repetition in range(options.repetitions):
        turn = repetition % len(names)
        for name in names[turn:] + names[:turn]:
            results[name].append(_timed(routes[name], images, calls))
    return results


def _timed(run: Route, images: NDArray[np.float32], calls: int) -> Measured:
    for _ in range(WARM_UP):
        run(images)
    cpu_before, started = time.process_time(), time.perf_counter()
    for _ in range(calls):
        run(images)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu_before
    count = calls * len(images)
    return Measured(count / elapsed, cpu * 1000 / count)


def _distances(routes: dict[str, Route], images: NDArray[np.float32]) -> dict[str, float]:
    """Return how far each route's outputs lie from those of tf.function, at most."""
    expected = routes["tf.function"](images)
    answers = {name: run(images) for name, run in routes.items() if name != "tf.function"}
    return {
        name: max(float(np.abs(found[output] - expected[output]).max()) for output in expected)
        for name, found in answers.items()
    }


STARTS = """
a process of its own for each route, classifier: seconds from its import to its first answer, and the memory that the
process needed at most; none: Python, NumPy and the bundle's manifest"""


def _print_starts(onnx: Path, repetitions: int) -> None:
    print(STARTS)
    print(f"{'route':<14} {'s':>22} {'MB':>22}")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ("none", *NAMES)}
    for _ in range(repetitions):
        for name, values in found.items():
            command = [sys.executable, __file__, "--start", name, str(onnx)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, megabytes = map(float, done.stdout.split())
            values.append((seconds, megabytes))
    for name, values in found.items():
        seconds, megabytes = zip(*values, strict=True)
        print(f"{name:<14} {_spread(seconds, '.2f'):>22} {_spread(megabytes, '.0f'):>22}")


def _start(name: str, onnx: str) -> int:
    """Print the seconds that a route takes from its import to its first answer, and this process's largest memory."""
    started = time.perf_counter()
    if name in NAMES:
        size = _size("classifier")
        route(name, STARTER, "classifier", Path(onnx), 1)(np.zeros((1, size, size, 1), np.float32))
    print(time.perf_counter() - started, _largest_memory_mb())
    return 0


def _largest_memory_mb() -> float:
    """Return the largest resident memory of this process so far; the kernel counts it from the program's start."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def _size(network: str) -> int:
    manifest = open_bundle(STARTER).manifest
    if network == "classifier" or manifest.anomaly is None:
        return manifest.classifier.size
    return next(part.size for part in manifest.anomaly.parts if part.kind == "restoring")


def _spread(values: Sequence[float], form: str) -> str:
    """Write the median, with the range behind it."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def _machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    count = Path("/proc/cpuinfo").read_text().count("processor\t:")
    return f"{count} cores ({cpu.partition(': ')[2]}), Python {platform.python_version()}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=128, help="images of each measurement")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="32 images, 1 repetition: does it run at all")
    parser.add_argument("--start", nargs=2, metavar=("ROUTE", "ONNX"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.images, options.repetitions = 32, 1
    return options


if __name__ == "__main__":
    sys.exit(main())
