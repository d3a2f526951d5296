"""How soon another hospital's images are told, and how often the first one's alarm by chance.

    python bench/drift.py [--bundle models/starter] [--data ../shared/data] [--rounds 20]

The reference and the held-out windows are validation images of the first hospital, split by patient anew in each round;
the second hospital's are the images that adaptation may use. Windows are drawn patient by patient. What is measured is
the very code that the node runs; no test split is looked at.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from models import STARTER
from models.data.dataset import open_data
from models.data.labelled import LabelledImages
from models.inference.fingerprint import fingerprint
from models.inference.reader import Reader, load
from node.pipeline.monitoring.windows import Bounds, Image, compare

_SIZES = (10, 25, 50, 100)
_REFERENCE_SHARE = 0.6  # some 300 of 521 images


def main() -> None:
    """Print the table."""
    asked = _options()
    cv2.setNumThreads(1)
    reader = load(asked.bundle)
    first = _seen(reader, open_data(asked.data / "chest_kermany").images("val"))
    second = _seen(reader, open_data(asked.data / "chest_nih_adult").images("adapt"))
    print(f"{len(first)} images of the first hospital, {len(second)} of the second, {asked.rounds} rounds, ")
    print(f"{asked.windows} windows of each size in each; seed {asked.seed}\n")
    print("| images in a window | false alarms | second hospital told |\n|---|---|---|")
    random = np.random.default_rng(asked.seed)
    found = {size: ([], []) for size in _SIZES}
    for _ in range(asked.rounds):
        reference, held_out = _split(first, random)
        for size, shares in found.items():
            for images, share in zip((held_out, second), shares, strict=True):
                windows = [_window(images, size, random) for _ in range(asked.windows)]
                share.append(_alarming(reference, windows, size))
    for size, (false, told) in found.items():
        print(f"| {size} | {_range(false)} | {_range(told)} |")


def _alarming(reference: Sequence[Image], windows: Sequence[Sequence[Image]], size: int) -> float:
    compared = compare(reference, windows, Bounds(min(size, 10), 0.01))
    streams = [(one.classifier, one.anomaly) for one in compared]
    return float(np.mean([any(seen is not None and seen[0] > seen[1] for seen in both) for both in streams]))


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
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--windows", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
