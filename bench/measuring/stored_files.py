"""What a receiver has kept: its files, whatever it names them, by SOP Instance UID."""

import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path

from bench.sending.whole_files import uid_and_dataset
from bench.sending.wire import messages
from tests.support.objects.part10 import dataset_bytes

_PREFIX_AT, _META_AT = 128, 144


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
    return _of_stream(whole) if path.suffix == ".raw" else uid_and_dataset(whole)


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


def _of_stream(whole: bytes) -> tuple[str, bytes]:
    """Take the PDUs of one C-STORE request apart: the bare loop writes them as they come."""
    (request,) = messages(whole)
    return request.sop_instance_uid, request.dataset
