"""What a receiver has kept: its files, whatever it names them, by SOP Instance UID."""

import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.support.objects.part10 import dataset_bytes

_PREFIX_AT, _META_AT = 128, 144
_UID_ELEMENT = b"\x02\x00\x03\x00UI"  # (0002,0003) Media Storage SOP Instance UID
_COMMAND_UID = b"\x00\x00\x00\x10"  # (0000,1000) Affected SOP Instance UID
_PDU_HEAD, _PDV_HEAD, _COMMAND = 6, 6, 1


def datasets_in(folder: Path) -> dict[str, bytes]:
    """Return the encoded datasets below a folder.

    Raises
    ------
    AssertionError
        When a SOP instance lies there twice.
    """
    kept: dict[str, bytes] = {}
    for path in kept_files(folder):
        uid, dataset = instance_in(path)
        if uid in kept:
            raise AssertionError(f"{uid} is stored twice")
        kept[uid] = dataset
    return kept


def instance_in(path: Path) -> tuple[str, bytes]:
    """Return SOP Instance UID and encoded dataset of a file."""
    whole = path.read_bytes()
    return _of_stream(whole) if path.suffix == ".raw" else _of_file(whole)


def kept_files(folder: Path) -> Iterator[Path]:
    """Yield the DICOM files below a folder, and what the bare loop wrote."""
    for path in folder.rglob("*"):
        if path.is_file() and (path.suffix == ".raw" or _is_part10(path)):
            yield path


def torn_files(data: Path, sent: Collection[bytes]) -> list[Path]:
    """Return which files a node keeps, or has set aside, that are not whole files of what was sent."""
    paths = (path for name in ("instances", "quarantine") for path in (data / name).rglob("*") if path.is_file())
    return [path for path in paths if not _is_part10(path) or dataset_bytes(path.read_bytes()) not in sent]


def put_away(folder: Path) -> None:
    """Empty what was received and move it beside the folder; leave databases and folders.

    It is not removed while others are measured: ext4 looks at each inode that was freed in the last minutes before it
    hands one out, and where thousands were, a receiver pays up to a millisecond for each file that it creates.
    """
    away = folder.with_name(f"{folder.name}.away")
    away.mkdir(exist_ok=True)
    for path in list(kept_files(folder)):
        os.truncate(path, 0)
        path.rename(away / secrets.token_hex(16))


def _is_part10(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(_META_AT)[_PREFIX_AT : _PREFIX_AT + 4] == b"DICM"


def _of_file(whole: bytes) -> tuple[str, bytes]:
    at = whole.index(_UID_ELEMENT) + len(_UID_ELEMENT)
    return _text(whole[at + 2 : at + 2 + int.from_bytes(whole[at : at + 2], "little")]), dataset_bytes(whole)


def _of_stream(whole: bytes) -> tuple[str, bytes]:
    """Take the PDUs of one C-STORE request apart (PS3.8 9.3.5): the bare loop writes them as they come."""
    command, dataset = bytearray(), bytearray()
    at = 0
    while at < len(whole):
        end = at + _PDU_HEAD + int.from_bytes(whole[at + 2 : at + 6], "big")
        part = command if whole[at + _PDU_HEAD + 5] & _COMMAND else dataset
        part += whole[at + _PDU_HEAD + _PDV_HEAD : end]
        at = end
    at = command.rindex(_COMMAND_UID) + len(_COMMAND_UID)
    length = int.from_bytes(command[at : at + 4], "little")
    return _text(bytes(command[at + 4 : at + 4 + length])), bytes(dataset)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode()
