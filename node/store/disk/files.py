"""Files of instances: durable before they are named, and never overwritten.

An instance is written to ``incoming/*.part``, brought to the disk, renamed into place, and the folder that names it is
brought to the disk too. Only then may a row refer to it. Names come from digests of UIDs, so that nothing a peer sends
becomes part of a path, and folders of one study each lie spread over 256 others.
"""

import contextlib
import hashlib
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from node.domain.errors import OperatorError
from node.store.disk.part import PartFile, SweptAway, remove_quietly, swept
from node.store.disk.unwritable import unwritable

_INCOMING, _INSTANCES, _QUARANTINE = "incoming", "instances", "quarantine"
_MOST_REMEMBERED_FOLDERS = 100_000


@dataclass(frozen=True, slots=True)
class Free:
    """What is left on the file system of the data folder."""

    bytes: int
    inodes: int  #: `sys.maxsize` on a file system that does not count them


class InstanceFiles:
    """The files under one data folder; safe to use from many threads, and from several processes at once.

    Parameters
    ----------
    data_dir
        The data folder.

    Raises
    ------
    OperatorError
        Where its folders lie on several file systems, or cannot be made.
    """

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir
        self._at = str(data_dir)
        self._durable: set[str] = set()
        try:
            for name in (_INCOMING, _INSTANCES, _QUARANTINE):
                (data_dir / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(data_dir, error) from error
        _require_one_file_system(data_dir)
        _sync_folder(self._at)
        with contextlib.suppress(PermissionError):  # what this user may not read, it has not made
            _sync_folder(str(data_dir.absolute().parent))

    def open_part(self) -> PartFile:
        """Open a file for an instance that begins to come in.

        Raises
        ------
        OSError
            Where there is no room or the folder cannot be written.
        """
        while True:
            try:
                return PartFile(f"{self._at}/{_INCOMING}/{secrets.token_hex(8)}.part")
            except SweptAway:  # another process has died, and the first one sweeps what it left
                continue

    def open_scratch(self) -> BinaryIO:
        """Open a file without a name, for bytes that are looked at once; closing it, or a kill, leaves nothing.

        Raises
        ------
        OSError
            Where there is no room or the folder cannot be written.
        """
        return tempfile.TemporaryFile(dir=self._root / _INCOMING, buffering=0)

    def keep(
        self,
        part: PartFile,
        study_instance_uid: str,
        sop_instance_uid: str,
        renamed: Callable[[], None] = lambda: None,
    ) -> str:
        """Give a written file its place, durably, and return its path relative to the data folder.

        The file is brought to the disk, then renamed, then its folder is brought to the disk. The name ends in the
        temporary's random token, so no two files ever share one and the rename can overwrite nothing. (A hard link
        would refuse to overwrite by itself, but not every file system has one, and it leaves a moment with two names.)

        Parameters
        ----------
        part
            What was written.
        study_instance_uid, sop_instance_uid
            Whose it is.
        renamed
            Called between the rename and the folder's way to the disk, for tests that end the process there.

        Raises
        ------
        OSError
            Where there is no room or the device fails; the file is gone then, under both names.
        """
        study, token = _digest(study_instance_uid), part.path.rpartition("/")[2].removesuffix(".part")
        folder = f"{_INSTANCES}/{study[:2]}/{study[2:]}"
        relative = f"{folder}/{_digest(sop_instance_uid)}-{token}.dcm"
        target = f"{self._at}/{relative}"
        try:
            part.sync()
            self._rename(part.path, target, folder)
            renamed()
            _sync_folder(f"{self._at}/{folder}")
        except BaseException:
            part.discard()
            remove_quietly(target)
            raise
        part.moved()
        return relative

    def remove(self, relative: str) -> None:
        """Remove a kept file that no row refers to."""
        self.path(relative).unlink(missing_ok=True)

    def remove_with_folder(self, relative: str) -> None:
        """Remove a file whose row says that it is gone, and the folder of its study where it was the last in it."""
        self.remove(relative)
        with contextlib.suppress(OSError):  # others lie in it, or one comes just now
            self.path(relative).parent.rmdir()

    def set_aside(self, relative: str) -> str:
        """Move a kept file that no row names to the quarantine, durably, and return its path there."""
        aside = f"{_QUARANTINE}/{Path(relative).name}"
        self.path(relative).replace(self._root / aside)
        _sync_folder(f"{self._at}/{_QUARANTINE}")
        return aside

    def path(self, relative: str) -> Path:
        """Return where a kept file lies.

        Raises
        ------
        ValueError
            Where the path would lead out of the data folder.
        """
        if Path(relative).is_absolute() or ".." in Path(relative).parts:
            raise ValueError(f"{relative!r} is not a path inside the data folder")
        return self._root / relative

    def sweep(self) -> int:
        """Remove what a killed process left in ``incoming``: nothing of it was acknowledged. Return how many files.

        What another process writes at this moment is left alone: it holds a lock on its file.
        """
        left = [str(path) for path in (self._root / _INCOMING).glob("*.part")]
        return sum(map(swept, left))

    def kept(self) -> Iterator[str]:
        """Yield the relative path of every kept file in the order of their characters, for comparing files with rows.

        Nothing but the names of one folder is held at a time.
        """
        for shard in sorted(_names(f"{self._at}/{_INSTANCES}"), key=_as_folder):
            for study in sorted(_names(f"{self._at}/{_INSTANCES}/{shard}"), key=_as_folder):
                folder = f"{_INSTANCES}/{shard}/{study}"
                yield from (f"{folder}/{name}" for name in _names(f"{self._at}/{folder}") if name.endswith(".dcm"))

    def free(self) -> Free:
        """Return what is left for this user on the file system."""
        status = os.statvfs(self._at)
        return Free(status.f_bavail * status.f_frsize, status.f_favail if status.f_files else sys.maxsize)

    def _rename(self, source: str, target: str, folder: str) -> None:
        self._make_durable(folder)
        try:
            os.rename(source, target)  # noqa: PTH104 - a Path for each instance costs more than the call
        except FileNotFoundError:  # the last instance of a study was deleted since, and its folder with it
            self._durable.clear()
            self._make_durable(folder)
            os.rename(source, target)  # noqa: PTH104

    def _make_durable(self, folder: str) -> None:
        """See that the folder and those above it are on the disk, whoever made them.

        Another thread may have made a folder a moment ago and not have synced its parent yet, so that the folder is
        there says nothing; only what this object has synced itself counts.
        """
        if folder in self._durable or not folder:
            return
        above = folder.rpartition("/")[0]
        self._make_durable(above)
        Path(self._at, folder).mkdir(mode=0o700, exist_ok=True)
        _sync_folder(f"{self._at}/{above}")
        if len(self._durable) >= _MOST_REMEMBERED_FOLDERS:
            self._durable.clear()
        self._durable.add(folder)


def _require_one_file_system(data_dir: Path) -> None:
    """Refuse folders between which a file cannot be renamed: every instance would be turned down, for ever."""
    devices = {name: (data_dir / name).stat().st_dev for name in (_INCOMING, _INSTANCES, _QUARANTINE)}
    if len(set(devices.values())) > 1:
        raise OperatorError(
            f"{', '.join(devices)} in {data_dir} lie on several file systems, and an instance is renamed from one to "
            "the other: let [node] data_dir as a whole lie on one, or be one mount"
        )


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _names(folder: str) -> list[str]:
    """Return the names in a folder, sorted; none where it is no folder, or gone."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - of 100 000 files no Path is made
    except (FileNotFoundError, NotADirectoryError):
        return []


def _as_folder(name: str) -> str:
    return f"{name}/"  # as it stands in a path, which is what is sorted


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
