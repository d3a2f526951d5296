"""A frozen version of a locked set on disk: whole by itself, and the same for ever.

::

    NAME-vNUMBER/locked.json     what the labels stand for, where it comes from
    NAME-vNUMBER/examples.csv    as in `models.data.examples`, with a column `blind` (yes, no, unknown) for each label
    NAME-vNUMBER/pixels/         the images

It knows files, no database. The learned part is imported late: a node that never learns does not pay for it.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node.domain.errors import OperatorError

if TYPE_CHECKING:
    from models.data.examples import Example

FACTS, SPLIT = "locked.json", "test"
"""Name of the facts beside the table, and the split under which all images stand in it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a folder says of itself."""

    name: str
    version: int
    origin: str  #: "site" or "data"
    label_names: tuple[str, ...]  #: what each label stands for, by its index


def read_facts(folder: Path) -> Facts:
    """Return what a folder says of itself.

    Raises
    ------
    OperatorError
        Where it is no locked set.
    """
    path = folder / FACTS
    try:
        said = json.loads(path.read_bytes())
        return Facts(said["name"], said["version"], said["origin"], tuple(said["label_names"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(f"{path} is no locked set's: {error}; put the folder back from a backup") from error


def write_frozen(
    place: Path, facts: Facts, examples: "Sequence[Example]", pixels: Callable[["Example"], Path | bytes]
) -> None:
    """Write a version's folder: complete, or not at all.

    Parameters
    ----------
    place
        Where it is to be; what a killed run left there without a row gives way.
    facts, examples
        What it says of itself, and its table.
    pixels
        Gives the file of an example's pixels, which is linked, or their content.
    """
    from models.bundle.place import appearing_at_once  # noqa: PLC0415 - for learning alone
    from models.data.examples import PIXELS, write_examples  # noqa: PLC0415 - the same

    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    with appearing_at_once(place) as folder:
        (folder / PIXELS).mkdir()
        for one in examples:
            put(pixels(one), folder / PIXELS / f"{one.name}.npz")
        write_examples(folder, examples)
        said = asdict(facts) | {"label_names": list(facts.label_names)}
        (folder / FACTS).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def put(source: Path | bytes, target: Path) -> None:
    """Link a file to another place, or write it there; on a file system without links it is copied."""
    if isinstance(source, bytes):
        target.write_bytes(source)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
