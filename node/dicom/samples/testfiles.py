"""The images that the installed pydicom package brings along, found without fetching anything."""

from pathlib import Path

import pydicom.data


def test_file(name: str) -> Path:
    """Return the path of a file of pydicom's own test data, such as ``CT_small.dcm``.

    Raises
    ------
    FileNotFoundError
        The installed pydicom package has no such file.
    """
    folder = Path(pydicom.data.__file__).parent
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"{name} is not among the test files of the installed pydicom package")
    return found[0]
