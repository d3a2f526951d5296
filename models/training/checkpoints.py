"""What a training keeps while it runs, so that after a kill the same command goes on where it was.

A hidden folder beside the bundle that is to be, with each network as it was after its last epoch: the finished ones,
and the one that was being fitted. It belongs to one training, named by a digest; what another left there is cleared
away. Every file is complete or not there. It knows files and arrays, and not what they mean.
"""

import fcntl
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EBUSY
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OWNER, LOCK, FACTS = "training.json", "lock", "facts"

Say = Callable[[str], None]
"""Told in a sentence what a person may want to know."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Arrays by name, and facts that JSON can hold, beside them."""

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The place of one `Kept`."""

    path: Path

    def load(self) -> Kept | None:
        """Return what was saved last, or None where nothing was, or where the disk gives it back damaged."""
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            return Kept(arrays, json.loads(arrays.pop(FACTS).tobytes()))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, kept: Kept) -> None:
        """Keep this instead of what was saved before; a kill leaves either one whole."""
        facts = np.frombuffer(json.dumps(kept.facts).encode(), np.uint8)
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **{FACTS: facts}, **kept.arrays)
        replace_file(self.path, content.getvalue())


@dataclass(frozen=True, slots=True)
class Work:
    """The hidden folder of one training, and what its networks begin from."""

    folder: Path
    say: Say
    begins: tuple[Mapping[str, NDArray[Any]], ...] = ()
    """Weights of classifiers by the variable's name, each for every so many-th seed; none: all begin at random."""
    champion: Path | None = None  #: the bundle that these weights are from

    def shelf(self, name: str) -> Shelf:
        """Return the place of a network's last epoch, by a name that is the network's own."""
        return Shelf(self.folder / f"{name}.npz")


@contextmanager
def opened(folder: Path, digest: str, say: Say) -> Iterator[Work]:
    """Give the working folder of a training, and remove it once the block has succeeded.

    Parameters
    ----------
    folder
        The folder; made where it is not there.
    digest
        Stands for everything that the result follows from: recipe, data, seed, code. What a training with another
        one left in the folder is removed.
    say
        Told whether earlier work goes on or is removed.

    Raises
    ------
    BlockingIOError
        Where another process is training in this folder.
    OSError
        Where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(EBUSY, "another training is at work here: wait for it, or end it", folder) from error
        _claim(folder, digest, say)
        yield Work(folder, say)
        shutil.rmtree(folder)


def begin_of(work: Work, seed: int) -> Mapping[str, NDArray[Any]] | None:
    """Return the weights that the classifier of a seed begins with, or None where they are random."""
    return work.begins[seed % len(work.begins)] if work.begins else None


def busy(folder: Path) -> bool:
    """Return whether a process is training in this folder now."""
    try:
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _claim(folder: Path, digest: str, say: Say) -> None:
    """Make the folder this training's own."""
    owner = folder / OWNER
    try:
        kept = json.loads(owner.read_bytes())
    except (OSError, ValueError):
        kept = None
    if kept == {"digest": digest}:
        say("an earlier run of this training was cut off: it goes on from there")
        return
    if kept is not None:
        say("an earlier run was cut off that had another recipe, data, seed or version: this one starts clean")
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.name != LOCK:
            left.unlink()
    replace_file(owner, json.dumps({"digest": digest}).encode())


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole: under another name, to the disk, then renamed."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
