"""Routes timed by turns on the same images, and how far their outputs lie apart."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.runtimes.routes import Route

_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """What one route did with the images once."""

    per_second: float  #: images a second
    cpu_ms: float  #: user and system time of the process for each image, in milliseconds


def repeated(
    routes: Mapping[str, Route], images: NDArray[np.float32], repetitions: int, count: int
) -> dict[str, list[Measured]]:
    """Return the measurements of each route; who goes first changes from one repetition to the next.

    Parameters
    ----------
    routes, images
        What runs, and one batch of images.
    repetitions, count
        How often each route is measured, and on how many images at least where a batch is smaller.
    """
    names, calls = list(routes), max(count // len(images), 1)
    results: dict[str, list[Measured]] = {name: [] for name in names}
    for repetition in range(repetitions):
        turn = repetition % len(names)
        for name in names[turn:] + names[:turn]:
            results[name].append(_timed(routes[name], images, calls))
    return results


def _timed(run: Route, images: NDArray[np.float32], calls: int) -> Measured:
    for _ in range(_WARM_UP):
        run(images)
    cpu_before, started = time.process_time(), time.perf_counter()
    for _ in range(calls):
        run(images)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu_before
    count = calls * len(images)
    return Measured(count / elapsed, cpu * 1000 / count)


def distances(routes: Mapping[str, Route], images: NDArray[np.float32]) -> dict[str, float]:
    """Return how far each route's outputs lie from those of tf.function, at most."""
    expected = routes["tf.function"](images)
    answers = {name: run(images) for name, run in routes.items() if name != "tf.function"}
    return {
        name: max(float(np.abs(found[output] - expected[output]).max()) for output in expected)
        for name, found in answers.items()
    }
