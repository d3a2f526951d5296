"""A data set of drawn chests in zips with a manifest, as the public data sets are handed around."""

import csv
import zipfile
from pathlib import Path

import cv2

from tests.support.learning.site import chest


def write_zip(folder: Path, splits: dict[str, list[tuple[int, int]]]) -> Path:
    """Write pictures by their number and label, each of a group of its own, and return the folder."""
    folder.mkdir(parents=True)
    rows = []
    for split, pictures in splits.items():
        with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive:
            for number, label in pictures:
                content = cv2.imencode(".png", chest(number, ill=bool(label)))[1].tobytes()
                archive.writestr(f"{number}.png", content)
                rows.append([f"{number}.png", label, f"g{number}", split])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["file", "label", "group", "split"], *rows])
    return folder
