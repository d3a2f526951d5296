"""The node as benchmarks start it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.nodes.process import CHECKOUT


@pytest.mark.parametrize("launcher", ["unsynced", "undurable"])
def test_without_durability_nothing_is_synced(launcher: str, tmp_path: Path) -> None:
    """Neither files nor SQLite, whatever the node asks for."""
    asked = (
        f"import os, bench.running.{launcher}; from bench.running import unsynced;"
        "from node.store.connection import engines;"
        "unsynced.keep_database_unsynced();"
        f"connection = engines.sqlite_writer('sqlite:///{tmp_path}/node.db', 1).connect();"
        "print(connection.exec_driver_sql('PRAGMA synchronous').scalar(), os.fsync(-1), os.fdatasync(-1))"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "None", "None"]
