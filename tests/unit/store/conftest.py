"""The files of a fresh data folder, for the tests to write and to spoil."""

from collections.abc import Callable
from pathlib import Path

import pytest

from node.store.disk.files import InstanceFiles
from node.store.disk.part import PartFile


@pytest.fixture
def kept_in(tmp_path: Path) -> InstanceFiles:
    """Return the files of a fresh data folder."""
    return InstanceFiles(tmp_path)


@pytest.fixture
def written(kept_in: InstanceFiles) -> Callable[..., PartFile]:
    """Return a function that writes a part file."""

    def write(data: bytes = b"x") -> PartFile:
        part = kept_in.open_part()
        part.write([data])
        return part

    return write
