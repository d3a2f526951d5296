"""Start the node with nothing brought to the disk: for the benchmark alone, the product has no such setting.

``_unsynced.py --config FILE serve``. In this process and its children `os.fsync` and `os.fdatasync` do nothing and
SQLite runs with ``synchronous=OFF``; everything else is done as ever: the answer waits for the commit. What it shows is
the cost of receiving and recording without that of the disk.
"""

import os
from typing import Any

from sqlalchemy import Engine

from node.store import engines

_engine = engines.sqlite_engine


def _engine_without_sync(url: str, *, pragmas: dict[str, str], **options: Any) -> Engine:
    return _engine(url, pragmas={**pragmas, "synchronous": "OFF"}, **options)


def _nothing(_descriptor: int) -> None:
    return None


os.fsync = os.fdatasync = _nothing
engines.sqlite_engine = _engine_without_sync

if __name__ == "__main__":
    from node.__main__ import main

    main()
