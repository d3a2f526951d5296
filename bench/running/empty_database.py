"""The databases that a scenario can run on."""

import contextlib
from collections.abc import Iterator

from tests.support.databases.postgres import running_server

DATABASES = ("sqlite", "postgresql")


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """Yield the URL of an empty database on a PostgreSQL server of its own, or nothing: the node's own SQLite file."""
    if kind == "sqlite":
        yield ""
        return
    with running_server() as server:
        server.execute("CREATE DATABASE bench")
        yield server.url("bench")
