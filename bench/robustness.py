"""What the shipped model makes of images that are not as they should be: how many it reads, and what it then says.

    python bench/robustness.py [--bundle models/starter] [--data ../shared/data]

Every change is made to all images of the public test split of children's chests; adults' chests come from another set.
Printed as the table in docs/models.md.
"""

import argparse
import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import cv2
import numpy as np
from numpy.typing import NDArray

from models import STARTER
from models.data import dataset
from models.data.dataset import LabelledImages
from models.evaluation import metrics
from models.inference.reader import Reader, load

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """What came out for one change."""

    name: str
    admitted: float  #: share
    auc: tuple[float, float, float] | None  #: of those admitted, with its 95 % interval; None without both classes
    sensitivity: float  #: share of the ill among those admitted that is called positive
    false_alarms: float  #: likewise of the healthy
    positive: float  #: share of all that are admitted

    def __str__(self) -> str:
        """Return the line of the table."""
        shares = (self.admitted, self.positive, self.sensitivity, self.false_alarms)
        admitted, *said = ("-" if np.isnan(share) else f"{100 * share:.1f} %" for share in shares)
        area = "{:.3f} [{:.3f}, {:.3f}]".format(*self.auc) if self.auc else "-"
        return f"| {self.name} | {admitted} | {area} | {' | '.join(said)} |"


def turned(degrees: float) -> Change:
    """Return a rotation about the middle; black comes in at the corners."""

    def change(pixels: Pixels) -> NDArray[Any]:
        rows, columns = pixels.shape
        matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
        return np.asarray(cv2.warpAffine(pixels, matrix, (columns, rows)))

    return change


def centre(share: float) -> Change:
    """Return a crop to the middle of both axes."""

    def change(pixels: Pixels) -> NDArray[Any]:
        kept = [round(length * share) for length in pixels.shape]
        top, left = ((length - part) // 2 for length, part in zip(pixels.shape, kept, strict=True))
        return pixels[top : top + kept[0], left : left + kept[1]]

    return change


def framed(pixels: Pixels) -> NDArray[Any]:
    """Put a black border of a fifth of each side around the image."""
    rows, columns = (length // 5 for length in pixels.shape)
    return np.pad(pixels, ((rows, rows), (columns, columns)))


CHANGES: dict[str, Change] = {
    "as they are": lambda pixels: pixels,
    "mirrored left to right": lambda pixels: pixels[:, ::-1],
    "rotated by 10 degrees": turned(10),
    "rotated by 20 degrees": turned(20),
    "rotated by 90 degrees": np.rot90,
    "upside down": lambda pixels: pixels[::-1],
    "polarity inverted, and the header does not say so": lambda pixels: 255 - pixels,
    "middle three quarters of each side": centre(0.75),
    "upper half only": lambda pixels: pixels[: len(pixels) // 2],
    "lower half only": lambda pixels: pixels[len(pixels) // 2 :],
    "one lung only": lambda pixels: pixels[:, : pixels.shape[1] // 2],
    "black border of a fifth of each side": framed,
}


def measured(reader: Reader, images: LabelledImages, name: str, change: Change) -> Row:
    """Read changed images as the node reads them, and count."""
    known = reader.manifest.classes[0]
    predictions = [reader.read(np.ascontiguousarray(change(pixels))) for pixels in images.pixels]
    admitted = np.array([prediction.admitted for prediction in predictions])
    said = np.array([prediction.probabilities[known.name] for prediction in predictions if prediction.admitted])
    labels = images.labels[admitted]
    groups = [group for group, read in zip(images.groups, admitted, strict=True) if read]
    called = said >= known.threshold
    return Row(
        name,
        float(admitted.mean()),
        area_with_interval(labels, said, groups) if len(set(labels.tolist())) == 2 else None,
        share(called[labels == 1]),
        share(called[labels == 0]),
        share(called),
    )


def area_with_interval(labels: metrics.Labels, said: metrics.Scores, groups: list[str]) -> tuple[float, float, float]:
    """Return the AUC and its 95 % interval, bootstrapped by patient."""
    return (metrics.auc(labels, said), *metrics.auc_interval(labels, said, groups))


def share(called: NDArray[np.bool_]) -> float:
    """Return the share that is called positive; not a number where there is nobody."""
    return float(called.mean()) if len(called) else float("nan")


def adults(folder: Path) -> LabelledImages:
    """Return the test split of the adults' chests; its manifest has patients where the other has groups."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as lines:
        rows = [
            dataset.Row(number, line["file"], line["label"], "", line["patient"], line["split"], line["sha256"])
            for number, line in enumerate(csv.DictReader(lines), start=2)
        ]
    return dataset.read_images(folder, "test", rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    asked = parser.parse_args()
    reader, folder = load(asked.bundle), asked.data / "chest_kermany"
    children = dataset.read_images(folder, "test", dataset.read_rows(folder))
    print(f"{len(children)} children's and {len(grown := adults(asked.data / 'chest_nih_adult'))} adults' chests\n")
    print("| images | admitted | AUC | called positive | of the ill | of the healthy |\n|---|---|---|---|---|---|")
    for name, change in CHANGES.items():
        print(measured(reader, children, name, change), flush=True)
    print(measured(reader, grown, "adults' chests", CHANGES["as they are"]))


if __name__ == "__main__":
    main()
