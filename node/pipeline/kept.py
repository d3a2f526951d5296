"""A stored file looked at in place: mapped, so that no size of dataset costs memory, and compared piece by piece."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from node.dicom.part10 import NotPart10, file_meta

_META_BYTES = 4096  # our own preamble and file meta information take up less than 1000
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A stored file while it is open."""

    transfer_syntax_uid: str
    source_ae_title: str  #: (0002,0016): who sent it
    dataset: memoryview  #: encoded; used inside of the block only


@contextmanager
def opened(path: Path) -> Iterator[KeptFile]:
    """Yield a stored file.

    Raises
    ------
    FileNotFoundError
        It is gone.
    OSError
        It cannot be read.
    NotPart10
        It is no DICOM file.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # an empty file cannot be mapped
            raise NotPart10("it is empty")
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    whole = memoryview(mapped)
    try:
        meta = file_meta(bytes(whole[:_META_BYTES]))
        yield KeptFile(meta.transfer_syntax_uid, meta.source_ae_title, whole[meta.end :])
    finally:
        whole.release()
        with suppress(BufferError):  # a piece of it is still held: the map goes when that does
            mapped.close()


def same_bytes(one: memoryview, other: memoryview) -> bool:
    """Return whether two views hold the same bytes, with a piece of each in memory at a time."""
    if len(one) != len(other):
        return False
    for start in range(0, len(one), _PIECE_BYTES):
        end = start + _PIECE_BYTES
        if bytes(one[start:end]) != bytes(other[start:end]):
            return False
        _let_go(one)
        _let_go(other)
    return True


def _let_go(view: memoryview) -> None:
    """Give the pages of a mapped file back: they would count as this process's memory until it is closed."""
    if isinstance(view.obj, mmap.mmap):
        view.obj.madvise(mmap.MADV_DONTNEED)
