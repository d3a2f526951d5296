"""The starter's exported networks alone: arrays that lie in memory through every network, in processes of one thread.

``python -m bench.reporting.bare_networks SECONDS BATCH`` prints the images a second of one process. All together are
what a node could reach that had nothing else to do.
"""

import argparse
import sys
import time

from bench.running.told_process import ToldProcess

_MODULE = "bench.reporting.bare_networks"
_WARM_UP = 3


def bare_rate(processes: int, seconds: float) -> float:
    """Return images a second of so many processes together, with the batch that is faster: one image, or eight."""
    return max(_rate(processes, seconds / 2, batch) for batch in (1, 8))


def _rate(processes: int, seconds: float, batch: int) -> float:
    arguments = [str(seconds), str(batch)]
    started = [ToldProcess(_MODULE, arguments, {"OMP_NUM_THREADS": "1"}) for _ in range(processes)]
    for one in started:
        one.hear("ready")
    for one in started:
        one.tell("go")
    rates = [float(one.hear()) for one in started]
    for one in started:
        one.end()
    return sum(rates)


def main() -> int:
    """Run the networks for so long, and print images a second."""
    import numpy as np  # noqa: PLC0415 - bare_rate needs none of it

    from models import STARTER  # noqa: PLC0415
    from models.bundle.folder import open_bundle  # noqa: PLC0415
    from models.inference.runtimes import load_network  # noqa: PLC0415

    options = _options()
    bundle = open_bundle(STARTER)
    manifest = bundle.manifest
    sizes = {manifest.classifier.file: manifest.classifier.size}
    sizes |= {part.file: part.size for part in (manifest.anomaly.parts if manifest.anomaly else ())}
    networks = [
        (load_network(file, bundle.networks[file], 1), sizes[file]) for file in sizes if file in bundle.networks
    ]
    arrays = [
        (run, np.random.default_rng(0).random((options.batch, side, side, 1)).astype("f4")) for run, side in networks
    ]
    for _ in range(_WARM_UP):
        for run, array in arrays:
            run(array)
    print("ready", flush=True)
    sys.stdin.readline()
    images, began = 0, time.perf_counter()
    while time.perf_counter() - began < options.seconds:
        for run, array in arrays:
            run(array)
        images += options.batch
    print(images / (time.perf_counter() - began))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("batch", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
