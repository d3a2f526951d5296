"""Labelled images that a site keeps to learn from: one file of pixels for each, and a table of what they are.

::

    folder/examples.csv      name, label, group, split, sha256, and columns to tell subgroups by
    folder/pixels/NAME.npz   values, window and polarity, as serving sees them

Names and groups are pseudonyms. A file is compared with its digest before it is opened, and nothing is unpickled.
"""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import DataError, LabelledImages, Window, digest_of, refuse_images, shrunk
from models.data.torn_groups import torn_groups
from models.images.preprocess import Values

EXAMPLES, PIXELS = "examples.csv", "pixels"
COLUMNS = ("name", "label", "group", "split", "sha256")
_WHOLE = (np.uint8, np.int8, np.uint16, np.int16)


@dataclass(frozen=True, slots=True)
class Example:
    """One row: an image, what it shows, and on which side it stands."""

    name: str  #: pseudonym; its pixels are in `pixels/NAME.npz`
    label: int  #: index of the class; of a single class, 1 where it is present
    group: str  #: pseudonym of what must not be torn apart
    split: str
    sha256: str  #: of the file of pixels, hexadecimal
    attributes: dict[str, str] = field(default_factory=dict)  #: to tell subgroups by; no identities


def packed(values: Values, window: Window | None, inverted: bool) -> bytes:  # noqa: FBT001 as in network_input
    """Return an image as the content of a file, whole numbers in as few bytes as hold them all.

    Parameters
    ----------
    values, window, inverted
        As of `models.images.preprocess.network_input`; sides longer than any network reads are resized by area.
    """
    small = shrunk(values)
    arrays = {"values": _narrow(small), "inverted": np.array(inverted)}
    if window is not None:
        arrays["window"] = np.array(window, np.float64)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def unpacked(content: bytes) -> tuple[Values, Window | None, bool]:
    """Return the values, window and polarity that a file holds.

    Raises
    ------
    ValueError
        Where it holds no image.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            window = stored["window"].tolist() if "window" in stored.files else None
            values, inverted = stored["values"], bool(stored["inverted"])
    except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError("it is no file of pixels") from error
    if values.ndim != 2 or values.dtype.kind not in "uif":
        raise ValueError(f"it holds {values.dtype} of shape {values.shape} and no grey image")
    return values, None if window is None else (float(window[0]), float(window[1])), inverted


def write_examples(folder: Path, examples: Sequence[Example]) -> None:
    """Write the table of a folder; all examples have the same attributes."""
    extra = tuple(examples[0].attributes) if examples else ()
    with (folder / EXAMPLES).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*COLUMNS, *extra])
        for one in examples:
            row = (one.name, one.label, one.group, one.split, one.sha256)
            table.writerow([*row, *(one.attributes[name] for name in extra)])


def read_examples(folder: Path) -> tuple[Example, ...]:
    """Return the table of a folder.

    Raises
    ------
    DataError
        Where it is missing or no such table.
    """
    path = folder / EXAMPLES
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(_example(line) for line in csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is no table with the columns {', '.join(COLUMNS)}: {error}") from error


class KeptFolder:
    """A data set in a folder of kept images.

    Parameters
    ----------
    folder
        Holds examples.csv and the files of pixels.

    Raises
    ------
    DataError
        Where there is no such table, it is empty, or a group or an image stands in more than one split.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._examples = folder, read_examples(folder)
        if not self._examples:
            raise DataError(f"{folder / EXAMPLES} lists no image")
        torn = torn_groups((one.group, one.split) for one in self._examples)
        refuse_images(
            "belong to groups that stand in more than one split", [o.name for o in self._examples if o.group in torn]
        )
        torn = torn_groups((one.sha256, one.split) for one in self._examples)
        refuse_images("stand in more than one split", [one.name for one in self._examples if one.sha256 in torn])

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the table names, in its order."""
        return tuple(dict.fromkeys(one.split for one in self._examples))

    def images(self, split: str) -> LabelledImages:
        """Return the images of one split, each compared with its digest.

        Raises
        ------
        DataError
            Where the split is empty, or images are missing, changed or unreadable.
        """
        chosen = [one for one in self._examples if one.split == split]
        if not chosen:
            raise DataError(f"{self._folder / EXAMPLES} has no image of the split {split!r}")
        found = [_stored(self._folder, one) for one in chosen]
        lost = [one.name for one, stored in zip(chosen, found, strict=True) if stored is None]
        refuse_images("cannot be read, or did not match the digest in the table", lost)
        stored = [one for one in found if one is not None]
        return LabelledImages(
            pixels=tuple(values for values, _, _ in stored),
            labels=np.array([one.label for one in chosen], np.int64),
            groups=tuple(one.group for one in chosen),
            names=tuple(one.name for one in chosen),
            windows=tuple(window for _, window, _ in stored),
            inverted=tuple(inverted for _, _, inverted in stored),
            attributes={name: tuple(one.attributes[name] for one in chosen) for name in chosen[0].attributes},
        )

    def digest(self, splits: Iterable[str]) -> str:
        """Return the SHA-256 over names, labels, groups and contents of the images of some splits, hexadecimal."""
        return digest_of_examples(self._examples, splits)


def digest_of_examples(examples: Iterable[Example], splits: Iterable[str]) -> str:
    """Return what stands for some splits: SHA-256 over names, labels, groups and contents, hexadecimal."""
    chosen = frozenset(splits)
    return digest_of(
        f"{one.split}\t{one.name}\t{one.label}\t{one.group}\t{one.sha256}" for one in examples if one.split in chosen
    )


def _example(line: dict[str, str]) -> Example:
    label = line["label"]
    if not (label.isascii() and label.isdigit() and len(label) <= 4):
        raise ValueError(f"a label is the number of a class from 0, not {label!r}")
    attributes = {name: value for name, value in line.items() if name not in COLUMNS}
    return Example(line["name"], int(label), line["group"], line["split"], line["sha256"], attributes)


def _stored(folder: Path, example: Example) -> tuple[Values, Window | None, bool] | None:
    try:
        content = (folder / PIXELS / f"{example.name}.npz").read_bytes()
        return unpacked(content) if hashlib.sha256(content).hexdigest() == example.sha256 else None
    except (OSError, ValueError):
        return None


def _narrow(values: Values) -> NDArray[np.generic]:
    """Return whole numbers in the narrowest type that holds them all, others in 32 bits."""
    exact = np.asarray(values, np.float32)
    for kind in _WHOLE:
        limits = np.iinfo(kind)
        if limits.min <= exact.min() and exact.max() <= limits.max:
            narrow = exact.astype(kind)
            if np.array_equal(narrow, exact):
                return np.asarray(narrow)
    return exact
