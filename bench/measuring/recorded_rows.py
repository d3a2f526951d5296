"""Which instances a node on SQLite has recorded, read beside it."""

import contextlib
import sqlite3
from pathlib import Path

from tests.support.waiting import wait_until

_LONGEST_S = 60


def recorded(database: Path) -> set[str]:
    """Return the SOP Instance UIDs of the instances that have a row."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {uid for (uid,) in connection.execute("SELECT sop_instance_uid FROM instances")}


def count(database: Path | None) -> int:
    """Return how many instances have a row; 0 for a receiver without a database that is known."""
    if database is None:
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found: int = connection.execute("SELECT count(*) FROM instances").fetchone()[0]
        return found


def wait_recorded(database: Path | None, rows: int) -> None:
    """Wait until so many instances have a row, so that recording is in the processor time of what was answered."""
    if database is not None:
        wait_until(lambda: count(database) >= rows, _LONGEST_S, f"{rows} rows of instances in {database}")
