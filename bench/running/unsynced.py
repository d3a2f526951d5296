"""Start the node with nothing brought to the disk: for the benchmark alone, the product has no such setting.

``python -m bench.running.unsynced --config FILE serve``. In this process and its children `os.fsync` and `os.fdatasync`
do nothing and SQLite runs with ``synchronous=OFF``; everything else is done as ever: the answer waits for the commit.
What it shows is the cost of receiving and recording without that of the disk.

A process that this one starts imports this file, too, before anything else.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine


def _nothing(_descriptor: object) -> None:
    return None


def keep_database_unsynced() -> None:
    """Have SQLite bring nothing to the disk, in the one process that writes."""
    from node.store.connection import engines  # noqa: PLC0415 - only where there is a database

    synced = engines.sqlite_engine

    def unsynced(url: str, *, pragmas: dict[str, str], **options: Any) -> "Engine":
        return synced(url, pragmas={**pragmas, "synchronous": "OFF"}, **options)

    engines.sqlite_engine = unsynced


os.fsync = os.fdatasync = _nothing  # type: ignore[assignment]

if __name__ == "__main__":
    keep_database_unsynced()
    from node.__main__ import main

    main()
