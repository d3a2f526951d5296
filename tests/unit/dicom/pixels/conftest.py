"""What the tests of the pixels room share."""

from pathlib import Path

import pytest
from pydicom import Dataset

from node.dicom.instance.part10 import preamble_and_meta
from tests.unit.dicom.pixels.pictures import CLASS, Write, encoded
from tests.unit.dicom.raw import EXPLICIT


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a dataset as a file."""

    def write(dataset: Dataset) -> Path:
        path = tmp_path / "image.dcm"
        path.write_bytes(preamble_and_meta(CLASS, "1.2.3", EXPLICIT) + encoded(dataset))
        return path

    return write
