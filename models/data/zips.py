"""Labelled images from a folder of zips with a manifest.csv, one zip for each split.

It knows zips, CSV and JPEG or PNG; what must not be learned from, it refuses with the rows.
"""

import csv
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.column_names import refuse_odd_columns
from models.data.labelled import DataError, LabelledImages, digest_of, refuse_images
from models.data.torn_groups import torn_groups

OWN_COLUMNS = frozenset({"file", "label", "group", "split", "sha256", "patient"})
"""Columns with a meaning of their own, or that name a patient; every other one tells subgroups apart."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the manifest."""

    number: int  #: line in manifest.csv, the header being line 1
    file: str
    label: int
    group: str
    split: str
    sha256: str  #: of the file; where the manifest does not give it, of what the zip holds; empty where that is missing
    attributes: dict[str, str]  #: the other columns

    @property
    def name(self) -> str:
        """How a message names the row."""
        return f"line {self.number} ({self.file})"


class ZipFolder:
    """A data set in a folder: manifest.csv and a zip for each split.

    Parameters
    ----------
    folder
        The folder; its manifest has the columns file, label (0 to n - 1), group (or else patient) and split, and where
        they are known sha256 and any others. Files without a sha256 are read once to make it.

    Raises
    ------
    DataError
        Where the manifest is missing, no CSV in UTF-8, lacks a column or value, has a column whose name is almost a
        known one, is empty, or tears a group apart or repeats an image across splits.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._rows = folder, read_rows(folder)
        self._shown: dict[str, dict[str, str]] = {}  # by split, the names of the images by the digest of their pixels

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the manifest names, in its order."""
        return tuple(dict.fromkeys(row.split for row in self._rows))

    def images(self, split: str) -> LabelledImages:
        """Return the images of one split, each compared with its digest.

        Raises
        ------
        DataError
            Where the split is empty, its zip is missing, images are missing, changed or unreadable, or one shows the
            pixels of an image of a split that was read before, as when it was compressed anew without loss.
        """
        images = read_images(self._folder, split, self._rows)
        self._shown[split] = dict(zip(images.image_digests(), images.names, strict=True))
        self._refuse_repeated_pixels()
        return images

    def digest(self, splits: Iterable[str]) -> str:
        """Return the SHA-256 over names, labels, groups and contents of the images of some splits, hexadecimal."""
        chosen = frozenset(splits)
        return digest_of(
            f"{row.split}\t{row.file}\t{row.label}\t{row.group}\t{row.sha256}"
            for row in self._rows
            if row.split in chosen
        )

    def _refuse_repeated_pixels(self) -> None:
        torn = torn_groups((digest, split) for split, shown in self._shown.items() for digest in shown)
        named = [name for shown in self._shown.values() for digest, name in shown.items() if digest in torn]
        refuse_images("show the same pixels in more than one split", named)


def read_rows(folder: Path) -> tuple[Row, ...]:
    """Return the manifest of a data set, refused where a group or an image stands in more than one split.

    Raises
    ------
    DataError
        As `ZipFolder`.
    """
    path = folder / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            table = csv.DictReader(lines)
            refuse_odd_columns(path, table.fieldnames or (), OWN_COLUMNS | {"subtype"})
            rows = tuple(_row(number, line) for number, line in enumerate(table, start=2))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV in UTF-8: {error}") from error
    except KeyError as error:
        raise DataError(f"{path} has no column {error}") from error
    if not rows:
        raise DataError(f"{path} lists no image")
    _refuse_torn_groups(rows)
    rows = _with_digests(folder, rows)
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
    lost = [row.name for row, pixels in zip(chosen, found, strict=True) if pixels is None]
    refuse_images("cannot be read, or did not match the digest in the manifest", lost)
    attributes = {name: tuple(row.attributes[name] for row in chosen) for name in chosen[0].attributes}
    return LabelledImages(
        pixels=tuple(pixels for pixels in found if pixels is not None),
        labels=np.array([row.label for row in chosen], np.int64),
        groups=tuple(row.group for row in chosen),
        names=tuple(row.name for row in chosen),
        subtypes=attributes.get("subtype", ()),
        attributes=attributes,
    )


def decode(content: bytes) -> NDArray[np.uint8] | None:
    """Return a JPEG's or PNG's grey pixels, shape (rows, columns), or None where they cannot be had."""
    if not content:
        return None
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _row(number: int, line: dict[str, str]) -> Row:
    if None in line.values() or None in line:
        raise DataError(f"manifest.csv line {number}: it has more or fewer values than the header has columns")
    label = line["label"]
    if not (label.isascii() and label.isdigit() and len(label) <= 4):
        raise DataError(f"manifest.csv line {number}: the label is the number of a class from 0, not {label!r}")
    attributes = {name: value for name, value in line.items() if name not in OWN_COLUMNS}
    group = line["patient"] if "group" not in line and "patient" in line else line["group"]
    return Row(number, line["file"], int(label), group, line["split"], line.get("sha256", ""), attributes)


def _refuse_torn_groups(rows: Sequence[Row]) -> None:
    torn = torn_groups((row.group, row.split) for row in rows)
    refuse_images("belong to groups that stand in more than one split", [row.name for row in rows if row.group in torn])


def _refuse_repeated_images(rows: Sequence[Row]) -> None:
    """Refuse images that one split was fitted on and another is measured by, whatever their groups say."""
    torn = torn_groups((row.sha256.lower(), row.split) for row in rows if row.sha256)
    refuse_images("stand in more than one split", [row.name for row in rows if row.sha256.lower() in torn])


def _with_digests(folder: Path, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows, each without a digest given that of its file: other pixels are another data set."""
    lacking = [row for row in rows if not row.sha256]
    found: dict[int, str] = {}
    for split in dict.fromkeys(row.split for row in lacking):
        found |= _digests(folder / f"{split}.zip", [row for row in lacking if row.split == split])
    return tuple(replace(row, sha256=found.get(row.number, row.sha256)) for row in rows)


def _digests(path: Path, rows: Sequence[Row]) -> dict[int, str]:
    """Return digests by line of the manifest; what cannot be read has none, and is refused when it is asked for."""
    digests = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for row in rows:
                if content := _content(archive, row):
                    digests[row.number] = hashlib.sha256(content).hexdigest()
    except (OSError, zipfile.BadZipFile):
        return {}
    return digests


def _content(archive: zipfile.ZipFile, row: Row) -> bytes | None:
    try:
        return archive.read(row.file)
    except (KeyError, zipfile.BadZipFile):
        return None


def _decoded(archive: zipfile.ZipFile, row: Row) -> NDArray[np.uint8] | None:
    content = _content(archive, row)
    if content is None or (row.sha256 and hashlib.sha256(content).hexdigest() != row.sha256.lower()):
        return None
    return decode(content)
