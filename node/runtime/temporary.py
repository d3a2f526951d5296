"""Temporary files in a folder of the node's own, of which a process that is killed leaves nothing for good.

Libraries put files where `tempfile` says: code that TensorFlow generates, the socket of the server that forks. They
remove them when their process ends by itself, which a child that is killed never does; a year of that fills the
system's folder. Each child has a folder of its own, which goes with it; what a killed node left goes at the next start.
Where the own folder cannot be written, the library goes on to the system's.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

_VARIABLE = "TMPDIR"
_MOST_BYTES = 75
"""Of a folder in which `multiprocessing` names a socket: the system takes 107 bytes, and 32 come after the folder."""


def keep_in(folder: Path) -> None:
    """Empty a folder, and let this process and all that it starts put their temporary files there.

    Parameters
    ----------
    folder
        Made where it is missing. Whoever calls has seen to it that no other node works in it.
    """
    with contextlib.suppress(OSError):  # what cannot be written is not used
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in folder.iterdir():
            _remove(path)
    use(folder.absolute())
    if tempfile.gettempdir() == os.environ[_VARIABLE] and len(os.fsencode(tempfile.gettempdir())) > _MOST_BYTES:
        tempfile.tempdir = f"/proc/self/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}"


def use(folder: Path) -> None:
    """Let this process put its temporary files into a folder, or into the system's where that cannot be written."""
    os.environ[_VARIABLE] = str(folder)
    tempfile.tempdir = None  # the library asks again, and tries whether a file can be written


def of_child() -> Path | None:
    """Make a folder for the temporary files of a child; None where there is no room: it shares its parent's then."""
    try:
        return Path(tempfile.mkdtemp(prefix="child-")).resolve()
    except OSError:
        return None


def gone(folder: Path) -> None:
    """Remove the folder of a child that has ended."""
    shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
