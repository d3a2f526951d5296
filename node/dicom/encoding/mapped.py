"""Files as memory maps: large datasets looked at without being loaded.

A page of a map is read when it is touched, and belongs to the page cache, so that memory stays flat however large the
file is. It knows no DICOM but that a deflated dataset has to be inflated into a file first.
"""

import mmap
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from node.dicom.encoding.transfer_syntax import MAXIMUM_INFLATED_BYTES, inflated_pieces

Scratch = Callable[[], BinaryIO]
"""Opens an empty file, for writing and reading, that is gone once it is closed."""

_COMPARED_BYTES = 1 << 20


def temporary_file() -> BinaryIO:
    """Open an unnamed temporary file."""
    return tempfile.TemporaryFile()


@contextmanager
def mapped(file: BinaryIO | int, offset: int = 0) -> Iterator[memoryview]:
    """Map an open file into memory, for reading, as a view from `offset` to its end.

    Parameters
    ----------
    file
        A file or its descriptor. It may be closed while it is mapped; it must not be made shorter meanwhile, because
        touching a page that is gone ends the process.
    offset
        In bytes; need not be a multiple of anything.

    Raises
    ------
    OSError
        The file cannot be mapped.
    """
    descriptor = file if isinstance(file, int) else file.fileno()
    try:
        whole = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except ValueError:  # so it calls an empty file
        yield memoryview(b"")
        return
    try:
        with memoryview(whole) as everything, everything[offset:] as view:
            yield view
    finally:
        # a slice that somebody still holds keeps the map until it is dropped
        with suppress(BufferError):
            whole.close()


@contextmanager
def inflated(
    dataset: bytes | memoryview, scratch: Scratch, maximum_bytes: int = MAXIMUM_INFLATED_BYTES
) -> Iterator[memoryview]:
    """Inflate a dataset into a scratch file, and map that.

    Raises
    ------
    NotParsable, InflatesTooLarge
        As `inflated_pieces` does.
    OSError
        The scratch file cannot be written.
    """
    with scratch() as file:
        for piece in inflated_pieces(dataset, maximum_bytes):
            file.write(piece)
        file.flush()
        with mapped(file) as view:
            yield view


def same_bytes(one: memoryview, other: memoryview) -> bool:
    """Say whether two views hold the same bytes, however large they are.

    They are compared in pieces: comparing views at once goes byte by byte, and holds up all other threads meanwhile.
    """
    if len(one) != len(other):
        return False
    for start in range(0, len(one), _COMPARED_BYTES):
        end = start + _COMPARED_BYTES
        if bytes(one[start:end]) != bytes(other[start:end]):
            return False
        _let_go(one, other)
    return True


def _let_go(*views: memoryview) -> None:
    """Take the pages that were touched out of the process; they stay in the page cache."""
    for view in views:
        if isinstance(view.obj, mmap.mmap):
            view.obj.madvise(mmap.MADV_DONTNEED)
