"""A stored file looked at in place: mapped, so that no size of dataset costs memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from node.dicom.encoding.mapped import mapped
from node.dicom.instance.part10 import file_meta

_PIECE_BYTES = 1 << 20
_META_BYTES = 4096  # our own preamble and file meta information take up less than 1000


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
    with path.open("rb", buffering=0) as file, _readable(file) as whole:
        meta = file_meta(bytes(whole[:_META_BYTES]))
        with whole[meta.end :] as dataset:
            yield KeptFile(meta.transfer_syntax_uid, meta.source_ae_title, dataset)


@contextmanager
def _readable(file: BinaryIO) -> Iterator[memoryview]:
    """Map a file that has been read through: what the disk cannot give is an error then, and under a map a SIGBUS."""
    while file.read(_PIECE_BYTES):
        pass
    with mapped(file) as whole:
        yield whole
