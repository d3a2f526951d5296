"""Arrays of numbers from files that may be hostile: looked through before they are expanded, and only when asked for.

A megabyte of npz can hold gigabytes, a header can claim any shape, and a zip archive can be broken in many ways; all of
it is refused with the file's name. Nothing is unpickled. It knows npz files, and not what the arrays are for.

References
----------
NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.half import stored
from models.bundle.vouched import BundleError

Arrays = dict[str, NDArray[np.float32]]
"""The variables of one network, by their stable names."""

MOST_NUMBERS = 2**27
"""Numbers in all arrays of one file: 512 MiB as float32; the largest networks for images have about as many."""

MOST_ARRAYS = 10_000
"""Arrays in one file."""

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

_ODD = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise over bytes that are no npz (RuntimeError: encrypted, too deep, or not implemented)."""


class LazyArrays(Mapping[str, Arrays]):
    """Arrays by file, expanded each time that they are asked for.

    Parameters
    ----------
    folder
        Where the files are, for messages.
    files
        What gives a file's compared bytes, by the file's name.
    """

    def __init__(self, folder: Path, files: Mapping[str, Callable[[], bytes]]) -> None:
        self._folder, self._files = folder, {Path(name).stem: (name, read) for name, read in files.items()}

    def __getitem__(self, stem: str) -> Arrays:
        """Return the arrays of a file by its name without ending; BundleError where they are none."""
        name, read = self._files[stem]
        return expanded(self._folder / name, read())

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def expanded(path: Path, content: bytes) -> Arrays:
    """Return the arrays that an npz holds, as float32.

    Parameters
    ----------
    path
        Of the file, for messages.
    content
        Its bytes.

    Raises
    ------
    BundleError
        Where it is no npz of plain numbers, or would expand to more than `MOST_NUMBERS`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive)
            _refuse_large(sum(_count(archive, member) for member in members))
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except _ODD as error:
        said = str(error) or type(error).__name__
        raise BundleError(f"{path} is no npz of plain numbers: {said}") from error


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write variables as an npz that holds nothing but numbers: in half the space where no bit is lost by that."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{name: stored(array) for name, array in arrays.items()})


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MOST_ARRAYS or len({member.filename for member in members}) < len(members):
        raise ValueError(f"it holds {len(members)} arrays, more than {MOST_ARRAYS} or several of one name")
    for member in members:
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or member.flag_bits & 1:
            raise ValueError(f"{member.filename!r} is encrypted, or compressed in another way than NumPy does")
    return members


def _count(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return how many numbers a member holds, by its header alone; bytes that the header does not explain are odd."""
    with archive.open(member) as file:
        shape, dtype = _header(file)
        count = math.prod(shape)
        if any(length < 0 for length in shape) or file.tell() + count * dtype.itemsize != member.file_size:
            raise ValueError(f"{member.filename!r} has another size than its shape {shape} needs")
    return count


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of a stored array; text or a structure is no weight."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"it is of version {version} of NumPy's format")
    shape, _, dtype = _HEADERS[version](file)
    if dtype.kind not in "fiub":
        raise ValueError(f"it holds values of type {dtype}")
    return shape, dtype


def _refuse_large(count: int) -> None:
    if count > MOST_NUMBERS:
        raise ValueError(f"it would expand to {count} numbers, more than the {MOST_NUMBERS} that are read")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[np.float32]:
    with archive.open(member) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False), np.float32)
