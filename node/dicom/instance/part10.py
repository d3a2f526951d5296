"""DICOM files as containers: our own preamble and file meta information, and other files' taken off.

The dataset inside is bytes here; nothing of it is decoded. Files older than PS3.10 have no preamble, or nothing before
the dataset at all: those are taken too, where the dataset alone says how it is encoded.

References
----------
DICOM PS3.10 7.1
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from node.dicom.encoding.layout import LONG_VRS
from node.dicom.encoding.mapped import mapped
from node.dicom.encoding.structure import check_structure
from node.dicom.encoding.transfer_syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    NotParsable,
)
from node.dicom.instance.header import inspect
from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PREAMBLE_BYTES = 128
_PREFIX = b"DICM"
_PREAMBLE_AND_PREFIX = bytes(_PREAMBLE_BYTES) + _PREFIX
_META_GROUP = 0x0002
_TRANSFER_SYNTAX_UID = 0x0010
_UNDEFINED_LENGTH = b"\xff\xff\xff\xff"
_SOURCE_AE_TITLE = 0x0016
_MAXIMUM_META_BYTES = 1 << 20
_MAXIMUM_META_VALUE_BYTES = 1024  # of each value that is kept
_MAXIMUM_AE_TITLE_BYTES = 16


class NotPart10(Exception):  # noqa: N818 - the word of the design: it names a finding about a file
    """The file is not a DICOM file with a readable file meta information; the message says why."""


@dataclass(frozen=True, slots=True)
class Part10:
    """A DICOM file taken apart: what its meta information says, and the bytes after it."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What a file of this node's own says before its dataset."""

    transfer_syntax_uid: str
    source_ae_title: str  #: (0002,0016), "" where it is left out
    end: int  #: where the dataset begins


@dataclass(frozen=True, slots=True)
class OpenedPart10:
    """A DICOM file, mapped into memory: its dataset is read as it is looked at."""

    transfer_syntax_uid: str
    dataset: memoryview


def preamble_and_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str = ""
) -> bytes:
    """Return all that stands in a DICOM file before the dataset.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid, transfer_syntax_uid
        Of the dataset that follows.
    source_ae_title
        The AE title that sent it, (0002,0016); left out where it is empty, cut to 16 characters.

    References
    ----------
    DICOM PS3.10 7.1 and Table 7.1-1
    """
    before, after = _around_instance_uid(sop_class_uid, transfer_syntax_uid, source_ae_title)
    group = before + _element(0x0003, b"UI", sop_instance_uid.encode()) + after
    length = _element(0x0000, b"UL", struct.pack("<I", len(group)))
    return _PREAMBLE_AND_PREFIX + length + group


@lru_cache(maxsize=256)  # one association brings thousands of instances that differ in their UID alone
def _around_instance_uid(sop_class_uid: str, transfer_syntax_uid: str, source_ae_title: str) -> tuple[bytes, bytes]:
    """Return what stands in the meta information before and after (0002,0003), the group length left out."""
    before = _element(0x0001, b"OB", b"\0\1") + _element(0x0002, b"UI", sop_class_uid.encode())
    elements = [
        _element(_TRANSFER_SYNTAX_UID, b"UI", transfer_syntax_uid.encode()),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode()),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode()),
    ]
    if source_ae_title:
        title = source_ae_title.encode("ascii", errors="replace")[:_MAXIMUM_AE_TITLE_BYTES]
        elements.append(_element(_SOURCE_AE_TITLE, b"AE", title))
    return before, b"".join(elements)


def file_meta(head: bytes) -> FileMeta:
    """Return what stands before the dataset of a file with preamble and file meta information.

    Parameters
    ----------
    head
        The beginning of the file, as far as the dataset or further.

    Raises
    ------
    NotPart10
        It has no preamble, its meta information is cut short, or names no transfer syntax.
    """
    if not _meta_offset(head):
        raise NotPart10("it has no preamble and prefix")
    values, end = _read_meta(head)
    if not values.get(_TRANSFER_SYNTAX_UID):
        raise NotPart10("its file meta information names no transfer syntax")
    return FileMeta(values[_TRANSFER_SYNTAX_UID], values.get(_SOURCE_AE_TITLE, ""), end)


def read_part10(path: Path) -> Part10:
    """Read a DICOM file and take it apart, as `part10_of` does.

    Raises
    ------
    NotPart10
        It is not a DICOM file.
    OSError
        The file cannot be read.
    """
    return part10_of(path.read_bytes())


@contextmanager
def opened_part10(path: Path) -> Iterator[OpenedPart10]:
    """Open a DICOM file for looking at it, however large it is, as `dataset_of` takes it apart.

    The dataset is gone when the block is left, whoever still holds a view of it or not. The file must not be made
    shorter meanwhile: touching a page that is gone, or that the disk cannot give, ends the process.

    Raises
    ------
    NotPart10
        It is not a DICOM file, or does not tell its transfer syntax.
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file, mapped(file) as data:
        meta, end = _read_meta(data)
        with data[end:] as dataset:
            yield OpenedPart10(meta.get(_TRANSFER_SYNTAX_UID) or _found_transfer_syntax(dataset), dataset)


def part10_of(data: bytes) -> Part10:
    """Take the preamble and file meta information off the bytes of a DICOM file.

    UIDs that the meta information leaves out are taken from the dataset, and where no transfer syntax is named, the
    uncompressed one in which the bytes are one whole dataset.

    Raises
    ------
    NotPart10
        The meta information is cut short, no transfer syntax is named and the bytes do not tell it, or the UIDs are
        nowhere to be found.
    """
    values, end = _read_meta(data)
    transfer_syntax_uid, dataset = _encoded_dataset(data, values, end)
    sop_class_uid, sop_instance_uid = values.get(0x0002, ""), values.get(0x0003, "")
    if not (sop_class_uid and sop_instance_uid):
        sop_class_uid, sop_instance_uid = _uids_of(dataset, transfer_syntax_uid)
    return Part10(sop_class_uid, sop_instance_uid, transfer_syntax_uid, dataset)


def dataset_of(data: bytes) -> tuple[str, bytes]:
    """Return the transfer syntax and the dataset of a DICOM file, as `part10_of` does, without asking for UIDs.

    Raises
    ------
    NotPart10
        The meta information is cut short, or no transfer syntax is named and the bytes do not tell it.
    """
    return _encoded_dataset(data, *_read_meta(data))


def _encoded_dataset(data: bytes, meta: dict[int, str], end: int) -> tuple[str, bytes]:
    dataset = data[end:]
    return meta.get(_TRANSFER_SYNTAX_UID) or _found_transfer_syntax(dataset), dataset


def _found_transfer_syntax(dataset: bytes | memoryview) -> str:
    """Return the transfer syntax in which the bytes are one whole dataset.

    Compressed pixels do not tell which one compressed them, so these are refused.
    """
    for transfer_syntax_uid in (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN):
        try:
            with check_structure(dataset, transfer_syntax_uid) as structure:
                offset, _ = structure.pixels or (0, 0)
        except NotParsable:
            continue
        if bytes(dataset[max(offset - 4, 0) : offset]) != _UNDEFINED_LENGTH:
            return transfer_syntax_uid
    raise NotPart10("it has no file meta information that names a transfer syntax, and its bytes do not tell it")


def _uids_of(dataset: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
    try:
        header = inspect(dataset, transfer_syntax_uid)
    except NotParsable as reason:
        raise NotPart10(f"its file meta information lacks UIDs, and its dataset cannot be parsed: {reason}") from None
    if not (header.sop_class_uid and header.sop_instance_uid):
        raise NotPart10("neither its file meta information nor its dataset has the UIDs of SOP class and instance")
    return header.sop_class_uid, header.sop_instance_uid


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    padding = b"\0" if vr in {b"UI", b"OB"} else b" "
    value += padding * (len(value) % 2)
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", _META_GROUP, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", _META_GROUP, element, vr, len(value)) + value


def _meta_offset(data: bytes | memoryview) -> int:
    """Return where group 0002 begins: after preamble and prefix, or at once; without it, the dataset does."""
    start = _PREAMBLE_BYTES + len(_PREFIX)
    return start if bytes(data[_PREAMBLE_BYTES:start]) == _PREFIX else 0


def _read_meta(data: bytes | memoryview) -> tuple[dict[int, str], int]:
    """Return the values of group 0002 by element number, and where it ends.

    The group ends where its group length says, if an element ends there; where that is wrong or lacking, as it is in
    some files, it ends with its last element. (Some senders put elements of group 0002 into the dataset too, and
    those must stay there.) It is always Explicit VR Little Endian.
    """
    values: dict[int, str] = {}
    position, end = _meta_offset(data), -1
    while position != end and position + 8 <= len(data) and position < _MAXIMUM_META_BYTES:
        group, element, vr, length = struct.unpack_from("<HH2sH", data, position)
        if group != _META_GROUP:
            return values, position
        position += 8
        if vr in LONG_VRS:
            length = int.from_bytes(data[position : position + 4], "little")
            position += 4
        value = bytes(data[position : position + min(length, _MAXIMUM_META_VALUE_BYTES)])
        values[element] = value.decode("latin_1").rstrip("\0 ")
        position += length
        if element == 0x0000:
            end = position + int.from_bytes(value, "little")
    if position > len(data) or position >= _MAXIMUM_META_BYTES:
        raise NotPart10("its file meta information is cut short")
    return values, position
