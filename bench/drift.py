"""How soon another hospital's images are told, and how often the first one's alarm by chance.

    python bench/drift.py [--bundle models/starter] [--data ../shared/data] [--rounds 20]

The reference and the held-out windows are validation images of the first hospital, split by patient anew in each round;
the second hospital's are the images that adaptation may use. Windows are drawn patient by patient. What is measured is
the very code that the node runs; no test split is looked at.

    python bench/drift.py --streams 8

counts alarms over long streams of made-up images that never change, looked at after every tenth one, and needs no data.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.running.places import DATA
from models import STARTER
from models.data.dataset import open_data
from models.data.labelled import LabelledImages
from models.inference.fingerprint import fingerprint
from models.inference.reader import Reader, load
from node.config import MonitorSettings
from node.pipeline.monitoring.windows import Bounds, Compared, Image, compare

_SIZES = (10, 25, 50, 100)
_STREAM, _STEP = 10_000, 10
_WIDTHS = (65, 9)  # classifier, anomaly: numbers of a fingerprint
_REFERENCE_SHARE = 0.6  # some 300 of 521 images


def main() -> None:
    """Print the table."""
    asked = _options()
    if asked.streams:
        _stationary(asked.streams)
        return
    cv2.setNumThreads(1)
    reader = load(asked.bundle)
    first = _seen(reader, open_data(asked.data / "chest_kermany").images("val"))
    second = _seen(reader, open_data(asked.data / "chest_nih_adult").images("adapt"))
    print(f"{len(first)} images of the first hospital, {len(second)} of the second, {asked.rounds} rounds, ")
    print(f"{asked.windows} windows of each size in each; seed {asked.seed}\n")
    print("| images in a window | false alarms | second hospital told |\n|---|---|---|")
    random = np.random.default_rng(asked.seed)
    found: dict[int, tuple[list[float], list[float]]] = {size: ([], []) for size in _SIZES}
    for _ in range(asked.rounds):
        reference, held_out = _split(first, random)
        for size, shares in found.items():
            for images, share in zip((held_out, second), shares, strict=True):
                windows = [_window(images, size, random) for _ in range(asked.windows)]
                share.append(_alarming(reference, windows, size))
    for size, (false, told) in found.items():
        print(f"| {size} | {_range(false)} | {_range(told)} |")


def _stationary(streams: int) -> None:
    """Say how often images of the reference's own kind alarm, window after window."""
    settings, looks, alarming = MonitorSettings(), 0, 0
    bounds = Bounds(settings.min_images, settings.false_alarms)
    for seed in range(streams):
        random = np.random.default_rng(seed)
        reference, stream = (_made_up(random, count) for count in (settings.reference_images, _STREAM))
        ends = range(settings.min_images, _STREAM + 1, _STEP)
        found = compare(reference, [stream[max(end - settings.window_images, 0) : end] for end in ends], bounds)
        looks, alarming = looks + len(found), alarming + sum(_alarms(one) for one in found)
    print(f"{alarming} of {looks} looks at {streams} streams of {_STREAM} images alarm; seeds 0 to {streams - 1}")


def _made_up(random: np.random.Generator, count: int) -> list[Image]:
    """Return images of a patient each, as wide as the starter's fingerprints."""
    seen = random.normal(size=(count, sum(_WIDTHS))).astype("<f2")
    return [Image(str(n), True, one[: _WIDTHS[0]].tobytes(), one[_WIDTHS[0] :].tobytes()) for n, one in enumerate(seen)]


def _alarms(found: Compared) -> bool:
    return any(seen is not None and seen[0] > seen[1] for seen in (found.classifier, found.anomaly))


def _alarming(reference: Sequence[Image], windows: Sequence[Sequence[Image]], size: int) -> float:
    compared = compare(reference, windows, Bounds(min(size, 10), 0.01))
    return float(np.mean([_alarms(one) for one in compared]))


def _seen(reader: Reader, images: LabelledImages) -> list[Image]:
    seen = [reader.prepare(values) for values in images.pixels]
    taken = [fingerprint(one, said) for one, said in zip(seen, reader.predict(seen), strict=True)]
    each = zip(images.groups, seen, taken, strict=True)
    return [Image(group, one.admitted, it.classifier.tobytes(), it.anomaly.tobytes()) for group, one, it in each]


def _split(images: Sequence[Image], random: np.random.Generator) -> tuple[list[Image], list[Image]]:
    patients = random.permutation(sorted({image.patient for image in images}))
    chosen = set(patients[: int(_REFERENCE_SHARE * len(patients))])
    return [one for one in images if one.patient in chosen], [one for one in images if one.patient not in chosen]


def _window(images: Sequence[Image], size: int, random: np.random.Generator) -> list[Image]:
    taken: list[Image] = []
    for patient in random.permutation(sorted({image.patient for image in images})):
        taken += [image for image in images if image.patient == patient]
        if len(taken) >= size:
            break
    return taken[:size]


def _range(shares: Sequence[float]) -> str:
    return f"{100 * np.mean(shares):.1f} % ({100 * min(shares):.0f} to {100 * max(shares):.0f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--windows", type=int, default=50)
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
