"""Temporary files in a folder of the node's own, of which a process that is killed leaves nothing for good.

Libraries put files where `tempfile` says: code that TensorFlow generates, the socket of the server that forks. They
remove them when their process ends by itself, which a child that is killed never does; a year of that fills the
system's folder. There the node makes a folder for itself, and in it one for each child, which goes with the child. What
a killed node left goes at the next start. Where no folder can be made, the system's is used as it is.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

_VARIABLE = "TMPDIR"
_PREFIX = "pacs-node-"
_MARK = "made-by-pacs-node"
_MOST_BYTES = 75
"""Of a folder in which `multiprocessing` names a socket: the system takes 107 bytes, and 32 come after the folder."""

_LAST = -1000
"""Among what `multiprocessing` does when a process ends: its own folder, which lies in the node's, goes at -100."""


def keep_apart() -> None:
    """Let this process, and all that it starts, put temporary files into a new folder, which goes when it ends.

    Folders of nodes that were killed go first: those of this user that bear the mark and whose lock nobody holds.
    """
    with contextlib.suppress(OSError):  # what cannot be made is not used
        for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_if_left(left)
        own = Path(tempfile.mkdtemp(prefix=_PREFIX))
        Finalize(None, gone, (own,), exitpriority=_LAST)
        if len(os.fsencode(own)) <= _MOST_BYTES:
            _lock(own)  # until this process ends, however it ends
            (own / _MARK).touch()  # after the lock: a folder that bears the mark and is free is nobody's any more
            use(own)


def use(folder: Path) -> None:
    """Let this process put its temporary files into a folder, or into the system's where that cannot be written."""
    os.environ[_VARIABLE] = str(folder)
    tempfile.tempdir = None  # the library asks again, and tries whether a file can be written


def of_child() -> Path | None:
    """Make a folder for the temporary files of a child; None where there is no room: it shares its parent's then."""
    try:
        return Path(tempfile.mkdtemp(prefix="child-"))
    except OSError:
        return None


def gone(folder: Path) -> None:
    """Remove the folder of a process that has ended or is about to."""
    shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path) -> int:
    """Return the descriptor that holds the lock; a link, or what is no folder, is an OSError as a held lock is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_if_left(folder: Path) -> None:
    with contextlib.suppress(OSError):  # for each: one that cannot be removed keeps no other
        descriptor = _lock(folder)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid() and (folder / _MARK).exists():
                gone(folder)
        finally:
            os.close(descriptor)
