"""Labelled images from a folder of zips with a manifest.csv, checked before a network sees one of them.

It knows zips, CSV and JPEG or PNG; it refuses what training must not start from, and names the rows.
"""

import csv
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.split import torn_groups

NAMED_ROWS = 10
"""How many faulty rows a refusal spells out; the rest it counts."""


class DataError(ValueError):
    """A data set that must not be trained on or judged by; the message names the rows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the manifest."""

    number: int  #: line in manifest.csv, the header being line 1
    file: str
    label: str
    subtype: str
    group: str
    split: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """The images of one split, in the manifest's order."""

    pixels: tuple[NDArray[np.uint8], ...]  #: each of shape (rows, columns), grey
    labels: NDArray[np.float32]  #: shape (images,), 1 where the class is present
    subtypes: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pixels)


def read_rows(folder: Path) -> tuple[Row, ...]:
    """Return the manifest of a data set, refused where a group or an image stands in more than one split.

    Raises
    ------
    DataError
        Where the manifest is missing, no CSV in UTF-8, lacks a column or value, is empty, or tears a group apart or
        repeats an image across splits.
    """
    path = folder / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = tuple(_row(number, line) for number, line in enumerate(csv.DictReader(lines), start=2))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV in UTF-8: {error}") from error
    except KeyError as error:
        raise DataError(f"{path} has no column {error}") from error
    if not rows:
        raise DataError(f"{path} lists no image")
    _refuse_torn_groups(rows)
    _refuse_repeated_images(rows)
    return rows


def read_images(folder: Path, split: str, rows: Sequence[Row]) -> LabelledImages:
    """Return the images of one split, each compared with its digest.

    Raises
    ------
    DataError
        Where the split is empty, its zip is missing, or images are missing, changed or unreadable.
    """
    chosen = [row for row in rows if row.split == split]
    if not chosen:
        raise DataError(f"{folder / 'manifest.csv'} has no image of the split {split!r}")
    path = folder / f"{split}.zip"
    try:
        with zipfile.ZipFile(path) as archive:
            found = [_decoded(archive, row) for row in chosen]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    refuse_rows("cannot be read, or are not what their digest says", _without_pixels(chosen, found))
    return LabelledImages(
        tuple(pixels for pixels in found if pixels is not None),
        np.array([row.label == "1" for row in chosen], np.float32),
        tuple(row.subtype for row in chosen),
        tuple(row.group for row in chosen),
    )


def decode(content: bytes) -> NDArray[np.uint8] | None:
    """Return a JPEG's or PNG's grey pixels, shape (rows, columns), or None where they cannot be had."""
    if not content:
        return None
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def refuse_single_class(images: LabelledImages, split: str) -> None:
    """Refuse a split without both labels: nothing can be learned from it or measured on it."""
    present = set(images.labels.tolist())
    if len(present) < 2:
        raise DataError(f"all {len(images)} images of the split {split!r} have one label: both are needed")


def refuse_rows(fault: str, rows: Sequence[Row]) -> None:
    """Refuse where there are faulty rows, naming the first of them."""
    if rows:
        named = ", ".join(f"line {row.number} ({row.file})" for row in rows[:NAMED_ROWS])
        more = f" and {len(rows) - NAMED_ROWS} more" if len(rows) > NAMED_ROWS else ""
        raise DataError(f"{len(rows)} images {fault}: {named}{more}")


def dataset_digest(rows: Iterable[Row], splits: Iterable[str]) -> str:
    """Return the SHA-256 over names, labels, groups and contents of the images of `splits`, hexadecimal."""
    chosen, digest = frozenset(splits), hashlib.sha256()
    for row in sorted(rows, key=lambda row: (row.split, row.file)):
        if row.split in chosen:
            digest.update(f"{row.split}\t{row.file}\t{row.label}\t{row.group}\t{row.sha256}\n".encode())
    return digest.hexdigest()


def _row(number: int, line: dict[str, str]) -> Row:
    if None in line.values() or None in line:
        raise DataError(f"manifest.csv line {number}: it has more or fewer values than the header has columns")
    label = line["label"]
    if label not in {"0", "1"}:
        raise DataError(f"manifest.csv line {number}: the label is 0 or 1, not {label!r}")
    subtype, digest = line.get("subtype", ""), line.get("sha256", "")
    return Row(number, line["file"], label, subtype, line["group"], line["split"], digest)


def _refuse_torn_groups(rows: Sequence[Row]) -> None:
    torn = torn_groups((row.group, row.split) for row in rows)
    refuse_rows("belong to groups that stand in more than one split", [row for row in rows if row.group in torn])


def _refuse_repeated_images(rows: Sequence[Row]) -> None:
    """Refuse images that one split was fitted on and another is measured by, whatever their groups say."""
    torn = torn_groups((row.sha256.lower(), row.split) for row in rows if row.sha256)
    refuse_rows("stand in more than one split", [row for row in rows if row.sha256.lower() in torn])


def _decoded(archive: zipfile.ZipFile, row: Row) -> NDArray[np.uint8] | None:
    try:
        content = archive.read(row.file)
    except (KeyError, zipfile.BadZipFile):
        return None
    if row.sha256 and hashlib.sha256(content).hexdigest() != row.sha256.lower():
        return None
    return decode(content)


def _without_pixels(rows: Sequence[Row], found: Sequence[NDArray[np.uint8] | None]) -> list[Row]:
    return [row for row, pixels in zip(rows, found, strict=True) if pixels is None]
