"""What becomes of a durable file when it cannot be recorded: a peer that tries for hours must not fill the disk."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from node.store.disk.files import InstanceFiles
from node.store.unavailable import CommitUncertain


@contextmanager
def removed_on_failure(files: InstanceFiles, path: str) -> Iterator[None]:
    """Remove a kept file where the block raises, so that no row has come to name it.

    Parameters
    ----------
    files
        Where it lies.
    path
        Of the file, relative to the data folder.
    """
    try:
        yield
    except BaseException as error:
        remove_after(error, files, path)
        raise


def remove_after(error: BaseException, files: InstanceFiles, path: str) -> None:
    """Remove a kept file that was not recorded for this reason.

    What was lost or interrupted during COMMIT may have been committed: then the file stays, and the next start adopts
    it, or removes it as a second copy.
    """
    if isinstance(error, Exception) and not isinstance(error, CommitUncertain | MemoryError):
        with suppress(OSError):  # of a file system that turned read-only, the next start settles it
            files.remove(path)
