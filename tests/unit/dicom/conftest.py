"""What the tests of the dicom rooms share."""

from pathlib import Path

import pydicom.data
import pytest


@pytest.fixture(scope="session")
def pydicom_files() -> Path:
    """Return the folder of the files that the installed pydicom package brings along."""
    return Path(pydicom.data.__file__).parent
