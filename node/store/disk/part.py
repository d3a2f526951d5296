"""One file on its way in: written piece by piece under a temporary name, looked at in place, then kept or dropped.

It knows no UID and no place; `node.store.disk.files.InstanceFiles` opens it and gives it its name.
"""

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterator, Sequence
from itertools import islice

_READ_BYTES = 64 << 10  # of a small file a copy costs less than a map: 5 us instead of 30
_HEAD_BYTES = 32 << 10  # a copy of so much costs 3 us; to map a large file and let go of it again, 30
_MOST_PIECES = os.sysconf("SC_IOV_MAX")


class SweptAway(Exception):  # noqa: N818 - a reason to try again, not an error
    """A sweep has taken the file before its maker could lock it."""


class PartFile:
    """An open ``incoming/*.part``; for one thread at a time.

    Whatever fails takes the file along: after an `OSError` there is nothing left to discard.

    Parameters
    ----------
    path
        Where it lies; nothing may be there yet.

    Raises
    ------
    OSError
        Where it cannot be created.
    SweptAway
        Where a sweep in another process came between its creation and the lock on it.
    """

    __slots__ = ("_descriptor", "_durable", "path", "size_bytes")

    def __init__(self, path: str) -> None:
        self.path = path
        self.size_bytes = 0  #: what was written so far
        self._durable = False
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # a lock dies with its process: it tells a file on its way from one that a killed process left
        try:
            _hold(self._descriptor)
        except BaseException:
            self.discard()
            raise

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Append these bytes, all of them.

        Raises
        ------
        OSError
            Where there is no room or the device fails; the file is gone then.
        """
        length = sum(map(len, chunks))
        try:
            written = os.writev(self._descriptor, chunks[:_MOST_PIECES])
            if written < length:
                _write_rest(self._descriptor, chunks, written)
        except BaseException:
            self.discard()
            raise
        self._durable = False
        self.size_bytes += length

    def head(self, offset: int) -> bytes:
        """Return what was written from `offset` on, as far as most headers reach; all of a small file."""
        return os.pread(self._descriptor, _HEAD_BYTES, offset)

    @contextlib.contextmanager
    def view(self) -> Iterator[memoryview]:
        """Yield what was written so far, read-only, and of a large file without a copy.

        Neither the view nor a piece of it is used after the block. Nothing ever shortens the file, so that no look at
        it can meet a page that is gone.
        """
        if self.size_bytes <= _READ_BYTES:
            with memoryview(os.pread(self._descriptor, self.size_bytes, 0)) as small:
                yield small
            return
        mapped = mmap.mmap(self._descriptor, self.size_bytes, prot=mmap.PROT_READ)
        whole = memoryview(mapped)
        try:
            yield whole
        finally:
            whole.release()
            # the frames of an error on its way out may hold pieces; then the map goes when they do
            with contextlib.suppress(BufferError):
                mapped.close()

    def sync(self) -> None:
        """Bring the bytes to the disk; a second time costs nothing.

        Raises
        ------
        OSError
            Where the device fails; the file is gone then.
        """
        if not self._durable:
            try:
                os.fsync(self._descriptor)
            except BaseException:
                self.discard()
                raise
            self._durable = True

    def close(self) -> None:
        """Let go of the descriptor; the file stays where it is. Closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Close and remove the file; harmless after anything else."""
        path, self.path = self.path, ""
        try:
            self.close()
        finally:
            if path:
                remove_quietly(path)

    def moved(self) -> None:
        """Close a file that was given another name: discarding it touches nothing any more."""
        self.path = ""
        self.close()


def remove_quietly(path: str) -> None:
    """Remove a file where that is possible: on a file system that turned read-only the next start sweeps it."""
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - a Path for each instance costs more than the call


def _hold(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    if os.fstat(descriptor).st_nlink == 0:
        raise SweptAway


def swept(path: str) -> bool:
    """Remove a temporary file that no process holds any more; return whether that was so and it could be done."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)  # noqa: PTH108 - under the lock: who has made it a moment ago finds that out
    except OSError:  # held, gone, or not to be removed today
        return False
    finally:
        os.close(descriptor)
    return True


def _write_rest(descriptor: int, chunks: Sequence[bytes | memoryview], written: int) -> None:
    """Go on after a call that took less than it was given: room is short, a signal came, or the pieces are many."""
    left = [memoryview(chunk) for chunk in chunks]
    while left:
        if written < len(left[0]):
            left[0] = left[0][written:]
            written = os.writev(descriptor, list(islice(left, _MOST_PIECES)))
        else:
            written -= len(left.pop(0))
