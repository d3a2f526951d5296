"""One node for one database, wherever its data folder is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from node.domain.errors import OperatorError
from node.store.connection import engines
from node.store.connection.failures import translated
from node.store.connection.server_lock import ServerLock
from node.store.disk.folder_lock import DataFolderLock

_LOOK_S = 5.0  # at the lock on a server's database


@contextmanager
def database_lock(url: str, lost: Callable[[], None], look_s: float = _LOOK_S) -> Iterator[None]:
    """Keep a second node off the same database while this one works on it, wherever its data folder is.

    On PostgreSQL an advisory lock of a session of its own, which the server lets go of when the process ends. It also
    lets go when it is started again or ends an idle session, so the session is used every `look_s`, and the lock taken
    again where it is gone. An SQLite file lies in one place, and the lock file beside it is held like the data
    folder's.

    Parameters
    ----------
    url
        The database URL.
    lost
        Called once, on a thread of its own, where another node took the lock while the server had let go of it.
    look_s
        How often that is looked at.

    Raises
    ------
    OperatorError
        Where another node holds it.
    DatabaseUnavailable
        Where the server cannot be reached.
    """
    file = engines.sqlite_file(url)
    if file is not None:
        with DataFolderLock(file.parent, name=f"{file.name}.lock"):
            yield
        return
    with closing(ServerLock(url)) as lock:
        with translated():
            taken = lock.take()
        if not taken:
            raise OperatorError("another node works on this database: stop it, or give this node one of its own")
        with _watched(lock, lost, look_s):
            yield


@contextmanager
def _watched(lock: ServerLock, lost: Callable[[], None], look_s: float) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        while not over.wait(look_s):
            if not lock.is_ours():
                lost()
                return

    watching = threading.Thread(target=watch, name="database lock", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
