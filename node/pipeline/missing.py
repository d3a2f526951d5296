"""Files and rows side by side: what only one of the two knows of.

Both come in the same order, so that neither is held as a whole: a hundred thousand of them take a second and no memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from node.store import paths
from node.store.database import Transaction
from node.store.files import InstanceFiles


@dataclass(frozen=True, slots=True)
class Alone:
    """A path that is known on one side only."""

    path: str
    is_file: bool  #: a file that no row names; else a row whose file is gone


def alone(tx: Transaction, files: InstanceFiles) -> Iterator[Alone]:
    """Yield what files and rows do not agree about; for a node that receives nothing yet."""
    on_disk, in_rows = files.kept(), paths.in_order(tx)
    file, row = next(on_disk, None), next(in_rows, None)
    while file is not None or row is not None:
        if row is None or (file is not None and file < row):
            if file is not None:
                yield Alone(file, is_file=True)
            file = next(on_disk, None)
        elif file is None or row < file:
            if not files.path(row).is_file():  # it may lie in the quarantine
                yield Alone(row, is_file=False)
            row = next(in_rows, None)
        else:
            file, row = next(on_disk, None), next(in_rows, None)


def missing(tx: Transaction, data_dir: Path) -> Iterator[str]:
    """Yield the paths in rows whose file is gone; also while the node runs."""
    return (path for path in paths.in_order(tx) if not (data_dir / path).is_file())
