"""Measure what it costs to say where on an image something was seen: reading without regions, with, and with heat maps.

Run with the project's Python: ``.venv/bin/python bench/regions.py``. Images are those of the shipped generator, painted
as ill, in the size of a small detector; each is read as the reading process reads it, from a file. The three ways take
turns within each repetition. What is counted is the processor time of the process for each image.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from bench.measuring.printed import load_at_start
from models import STARTER
from models.inference.generator import GENERATOR, load_generator
from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.analysis import read_in_child
from node.pipeline.analysis.read_in_child import StoredImage, read_images

_SEED = 7


def main() -> None:
    """Measure, and print a line for each way."""
    options = _options()
    print(load_at_start())
    with tempfile.TemporaryDirectory(prefix="bench-regions-") as folder:
        images = _images(Path(folder), options.images, options.size)
        readings = read_images(images, STARTER, heat=True)
        _print_counts(readings)
        measured: dict[str, list[float]] = {name: [] for name in _WAYS}
        for _ in range(options.repetitions):
            for name, way in _WAYS.items():
                measured[name].append(_cpu_ms(partial(way, images)) / len(images))
    for name, spent in measured.items():
        print(f"{name:24} {statistics.median(spent):6.2f} ({min(spent):.2f} to {max(spent):.2f}) CPU ms/image")


def _without(images: list[StoredImage]) -> None:
    with patch.object(
        read_in_child, "where", lambda _manifest, _seen, _said, findings, anomaly, **_: (findings, anomaly)
    ):
        read_images(images, STARTER)


_WAYS: dict[str, Callable[[list[StoredImage]], object]] = {
    "without regions": _without,
    "with regions": lambda images: read_images(images, STARTER),
    "with regions and grids": lambda images: read_images(images, STARTER, heat=True),
}


def _images(folder: Path, count: int, size: int) -> list[StoredImage]:
    return [
        StoredImage(_written(folder / f"{number}.dcm", painted, size), SOPInstanceUID(f"1.2.{number}"))
        for number, painted in enumerate(load_generator(GENERATOR).images("pneumonia", count, _SEED), start=1)
    ]


def _written(path: Path, painted: np.ndarray, size: int) -> Path:
    pixels = np.round(cv2.resize(painted, (size, size)) * 4095).astype(np.uint16)
    path.write_bytes(wrap_as_dx(pixels, Subject("1", "Bench", "1.2", "1.2.0", f"1.2.0.{path.stem}")))
    return path


def _print_counts(readings: list[Reading]) -> None:
    flagged = [finding for one in readings for finding in one.findings if finding.present]
    unusual = [one.anomaly for one in readings if one.anomaly is not None and one.anomaly.unusual]
    print(
        f"{len(readings)} images, {sum(one.admission.admitted for one in readings)} admitted; "
        f"{len(flagged)} flagged, {sum(bool(one.region) for one in flagged)} with a region; "
        f"{len(unusual)} unusual, {sum(bool(one.region) for one in unusual)} with a region"
    )


def _cpu_ms(run: Callable[[], object]) -> float:
    before = time.process_time()
    run()
    return (time.process_time() - before) * 1000


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--size", type=int, default=1024, help="rows and columns of an image")
    parser.add_argument("--repetitions", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
