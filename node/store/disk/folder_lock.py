"""One node for one data folder, and nobody who still receives for a node that is gone.

The locks are the system's: it lets go of them when a process ends, however it ends. It knows no database.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from node.domain.errors import OperatorError
from node.store.disk.unwritable import unwritable

_RECEIVERS = "receivers.lock"
_LOOK_AGAIN_S = 0.05  # the system's call for such a lock has no time limit
_LOOKED_AT_S = 0.5  # who looks whether it is held takes it for a moment
_LONGEST = 1000  # bytes of a lock file


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    process: int
    facts: dict[str, Any]  #: as it told last; empty where it told nothing


def holder(data_dir: Path, name: str = "node.lock") -> Holder | None:
    """Return who holds a lock of a data folder, or None where nobody does; nothing is made or changed."""
    try:
        descriptor = os.open(data_dir / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _is_free(descriptor):
            return None
        process, *facts = _lines(descriptor)
        said = json.loads(facts[0]) if facts else {}
        return Holder(int(process), said) if isinstance(said, dict) else None  # else: of one before, being written over
    except ValueError:  # it is about to write it
        return None
    finally:
        os.close(descriptor)


class DataFolderLock:
    """Held while a node works on a data folder; the system lets go of it when the process ends, however it ends.

    Parameters
    ----------
    data_dir
        The data folder; it is made where it is missing, readable by its owner alone.
    name
        Of the lock file in it.
    """

    def __init__(self, data_dir: Path, name: str = "node.lock") -> None:
        self._data_dir, self._name = data_dir, name
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        OperatorError
            Where another process holds it, or the folder cannot be written, such as on a full disk.
        """
        descriptor = _opened(self._data_dir, self._name)
        deadline = time.monotonic() + _LOOKED_AT_S
        while not _is_free(descriptor):
            if time.monotonic() > deadline:
                process, *_ = _lines(descriptor) or ["unknown"]
                os.close(descriptor)
                raise OperatorError(
                    f"another node (process {process}) works on the data folder {self._data_dir}: "
                    "stop it, or give this node a [node] data_dir of its own"
                )
            time.sleep(_LOOK_AGAIN_S)
        self._descriptor = descriptor
        try:
            self._write([str(os.getpid())])
        except OperatorError:
            self.release()
            raise

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Say something of its holder, for `holder` to read; nothing where it is not held.

        Raises
        ------
        OperatorError
            Where the folder cannot be written.
        """
        self._write([str(os.getpid()), json.dumps(facts)])

    def _write(self, lines: list[str]) -> None:
        if self._descriptor is None:
            return
        content = "".join(f"{line}\n" for line in lines).encode("ascii")
        try:
            _put(self._descriptor, content)
        except OSError as error:
            raise unwritable(self._data_dir, error) from error

    def release(self) -> None:
        """Let go; harmless where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)  # the file stays: removing it could take a lock away from the next holder
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


@contextmanager
def receiving(data_dir: Path) -> Iterator[None]:
    """Let the next node see, as long as the block runs, that this process receives into the data folder.

    Several processes may do so at once. A node that was killed leaves them behind for a moment, and what they are
    about to record would look to the next node like files without rows.
    """
    descriptor = _opened(data_dir, _RECEIVERS)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def wait_for_receivers(data_dir: Path, timeout_s: float) -> None:
    """Wait until no process receives into the data folder any more; for the holder of its `DataFolderLock`.

    Raises
    ------
    OperatorError
        Where one still does after `timeout_s`.
    """
    descriptor = _opened(data_dir, _RECEIVERS)
    deadline = time.monotonic() + timeout_s
    try:
        while not _is_free(descriptor):
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"a receiving process of a node that was killed still works on the data folder {data_dir} after "
                    f"{timeout_s:g} s: end it (`fuser {data_dir / _RECEIVERS}` shows which), then start again"
                )
            time.sleep(_LOOK_AGAIN_S)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lines(descriptor: int) -> list[str]:
    return os.pread(descriptor, _LONGEST, 0).decode("ascii", "replace").splitlines()


def _put(descriptor: int, content: bytes) -> None:
    # shortened only afterwards: what the file has of the disk is enough for it, however full the disk is
    if os.pwrite(descriptor, content, 0) < len(content):
        raise OSError(ENOSPC, os.strerror(ENOSPC))
    os.truncate(descriptor, len(content))


def _opened(data_dir: Path, name: str) -> int:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(data_dir, error) from error
