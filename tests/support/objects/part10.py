"""DICOM files taken apart without the node's own code, so that the node is compared with something else."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.filereader import read_file_meta_info

_PREFIX_AT = 128
_META_LENGTH_AT = 140  # the value of (0002,0000), always the first element (DICOM PS3.10 7.1)
_META_AT = 144


@dataclass(frozen=True, slots=True)
class Part10File:
    """A file of the file format of DICOM PS3.10: what its file meta information says, and its dataset as bytes."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes


def dataset_bytes(whole: bytes) -> bytes:
    """Return what stands after the file meta information."""
    return whole[_META_AT + int.from_bytes(whole[_META_LENGTH_AT:_META_AT], "little") :]


def read_part10_file(path: Path) -> Part10File:
    """Return the parts of a file."""
    whole = path.read_bytes()
    meta = read_file_meta_info(path)
    return Part10File(
        path,
        str(meta.MediaStorageSOPClassUID),
        str(meta.MediaStorageSOPInstanceUID),
        str(meta.TransferSyntaxUID),
        dataset_bytes(whole),
    )


def is_part10(path: Path) -> bool:
    """Return whether a file begins as a DICOM file does."""
    with path.open("rb") as stream:
        return stream.read(_META_AT)[_PREFIX_AT : _PREFIX_AT + 4] == b"DICM"


def part10_files(folder: Path) -> Iterator[Part10File]:
    """Yield every DICOM file below a folder, in the order of the names."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and is_part10(path):
            yield read_part10_file(path)
