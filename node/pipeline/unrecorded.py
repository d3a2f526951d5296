"""What becomes of a durable file when it cannot be recorded: a peer that tries for hours must not fill the disk."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from node.domain.errors import Transient
from node.store.database import Database
from node.store.files import InstanceFiles


@contextmanager
def removed_on_failure(files: InstanceFiles, path: str, database: Database | None = None) -> Iterator[None]:
    """Remove a kept file where the block raises, so that no row has come to name it.

    Parameters
    ----------
    files
        Where it lies.
    path
        Of the file, relative to the data folder.
    database
        Where the block writes rows that name the file. A server that was lost during COMMIT may have committed: then
        the file stays, and the next start adopts it, or removes it as a second copy.
    """
    try:
        yield
    except BaseException as error:
        is_uncertain = isinstance(error, Transient) and database is not None and not database.failed_writes_are_certain
        if not is_uncertain:
            with suppress(OSError):  # of a file system that turned read-only, the next start settles it
                files.remove(path)
        raise
