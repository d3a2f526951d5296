"""Files and rows side by side: what only one of the two knows of.

Both come in the same order, so that neither is held as a whole: a hundred thousand of them take a second and no memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from node.store.database import Transaction
from node.store.disk import paths
from node.store.disk.files import InstanceFiles


class Side(StrEnum):
    """Who knows of a path alone."""

    FILE = "file"
    """A file that no row names."""

    ROW = "row"
    """A row whose file is gone."""

    REMOVED = "removed"
    """A file of a row that says that it was removed for its age: a kill came between the two."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A path about which files and rows do not agree."""

    path: str
    known_to: Side


def alone(tx: Transaction, files: InstanceFiles) -> Iterator[Alone]:
    """Yield what files and rows do not agree about; for a node that receives nothing yet."""
    on_disk, in_rows = files.kept(), paths.in_order(tx)
    file, row = next(on_disk, None), next(in_rows, None)
    while file is not None or row is not None:
        if row is None or (file is not None and file < row.path):
            if file is not None:
                yield Alone(file, Side.FILE)
            file = next(on_disk, None)
        elif file is None or row.path < file:
            if not row.removed and not files.path(row.path).is_file():  # it may lie in the quarantine
                yield Alone(row.path, Side.ROW)
            row = next(in_rows, None)
        else:
            if row.removed:
                yield Alone(file, Side.REMOVED)
            file, row = next(on_disk, None), next(in_rows, None)


def missing(tx: Transaction, data_dir: Path) -> Iterator[str]:
    """Yield the paths in rows whose file is gone; also while the node runs."""
    return (one.path for one in paths.in_order(tx) if not one.removed and not (data_dir / one.path).is_file())
