"""Files of stored instances: durable before they are named, and never overwritten.

An instance is written to ``incoming/*.part``, brought to the disk, renamed into place, and the folder that names it is
brought to the disk too. Only then may a row refer to it. Names come from digests of UIDs, so that nothing a peer sends
becomes part of a path, and folders of one study each lie spread over 256 others.
"""

import contextlib
import hashlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_INCOMING, _INSTANCES, _QUARANTINE = "incoming", "instances", "quarantine"
_MOST_REMEMBERED_FOLDERS = 100_000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is durable under its temporary name."""

    temporary: Path
    study_instance_uid: str
    sop_instance_uid: str
    size_bytes: int


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
    """

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir
        self._durable: set[Path] = set()
        for name in (_INCOMING, _INSTANCES, _QUARANTINE):
            (data_dir / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(data_dir)

    def write(self, sop_instance_uid: str, study_instance_uid: str, chunks: Iterable[bytes | memoryview]) -> StoredFile:
        """Write a file under a temporary name and bring its bytes to the disk.

        Raises
        ------
        OSError
            Where there is no room or the folder cannot be written; no partial file is left.
        """
        temporary = self._root / _INCOMING / f"{secrets.token_hex(8)}.part"
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(temporary.unlink, missing_ok=True)
            size_bytes = _write_durably(temporary, chunks)
            on_failure.pop_all()
        return StoredFile(temporary, study_instance_uid, sop_instance_uid, size_bytes)

    def keep(self, stored: StoredFile) -> str:
        """Give a written file its place, durably, and return its path relative to the data folder.

        The name ends in the temporary's random token, so no two files ever share one and the rename can overwrite
        nothing. (A hard link would refuse to overwrite by itself, but not every file system has one, and it
        leaves a moment with two names.)
        """
        study = _digest(stored.study_instance_uid)
        return self._move(stored, Path(_INSTANCES, study[:2], study[2:]))

    def quarantine(self, stored: StoredFile) -> str:
        """Put a written file aside, durably, and return its path relative to the data folder."""
        return self._move(stored, Path(_QUARANTINE))

    def discard(self, stored: StoredFile) -> None:
        """Remove a written file that has not been given its place."""
        stored.temporary.unlink(missing_ok=True)

    def remove(self, relative: str) -> None:
        """Remove a kept file that no row refers to."""
        self.path(relative).unlink(missing_ok=True)

    def set_aside(self, relative: str) -> None:
        """Move a kept file that no row names to the quarantine."""
        os.replace(self._root / relative, self._root / _QUARANTINE / Path(relative).name)  # noqa: PTH105 - durable either way

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
        """Remove what a killed process left in ``incoming``: nothing of it was acknowledged. Return how many files."""
        left = list((self._root / _INCOMING).glob("*.part"))
        for temporary in left:
            temporary.unlink(missing_ok=True)
        return len(left)

    def kept(self) -> Iterator[str]:
        """Yield the relative path of every kept file, for comparing files with rows."""
        for path in (self._root / _INSTANCES).glob("*/*/*.dcm"):
            yield path.relative_to(self._root).as_posix()

    def free(self) -> Free:
        """Return what is left for this user on the file system."""
        status = os.statvfs(self._root)
        return Free(status.f_bavail * status.f_frsize, status.f_favail if status.f_files else sys.maxsize)

    def _move(self, stored: StoredFile, folder: Path) -> str:
        relative = folder / f"{_digest(stored.sop_instance_uid)}-{stored.temporary.stem}.dcm"
        self._make_durable(folder)
        stored.temporary.rename(self._root / relative)
        _sync_folder(self._root / folder)
        return relative.as_posix()

    def _make_durable(self, folder: Path) -> None:
        """See that the folder and those above it are on the disk, whoever made them.

        Another thread may have made a folder a moment ago and not have synced its parent yet, so that the folder is
        there says nothing; only what this object has synced itself counts.
        """
        if folder in self._durable or folder == Path():
            return
        self._make_durable(folder.parent)
        (self._root / folder).mkdir(mode=0o700, exist_ok=True)
        _sync_folder(self._root / folder.parent)
        if len(self._durable) >= _MOST_REMEMBERED_FOLDERS:
            self._durable.clear()
        self._durable.add(folder)


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _write_durably(path: Path, chunks: Iterable[bytes | memoryview]) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        for chunk in chunks:
            _write_all(file.fileno(), chunk)
        size_bytes = os.fstat(file.fileno()).st_size
        os.fsync(file.fileno())
    return size_bytes


def _write_all(descriptor: int, chunk: bytes | memoryview) -> None:
    left = memoryview(chunk)
    while left:  # one write call takes at most 2 GiB on Linux, and less where room is short
        left = left[os.write(descriptor, left) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
