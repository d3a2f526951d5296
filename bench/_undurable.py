"""Start the node with nothing brought to the disk: for the benchmark alone, the product has no such setting.

``_undurable.py --config FILE serve``. In this process and its children `os.fsync` and `os.fdatasync` do nothing and
SQLite runs with ``synchronous=OFF``; everything else is done as ever, rows included. What it shows is the cost of
receiving without that of the disk, beside receivers that promise nothing.
"""

import os
import sqlite3
from sqlite3 import dbapi2
from typing import Any

_connect = sqlite3.connect


class _Cursor(sqlite3.Cursor):
    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(_without_sync(statement), *parameters)


class _Connection(sqlite3.Connection):
    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(_without_sync(statement), *parameters)

    def cursor(self, factory: type[sqlite3.Cursor] = _Cursor) -> sqlite3.Cursor:
        return super().cursor(factory)


def _without_sync(statement: str) -> str:
    is_asked = statement[:6].upper() == "PRAGMA" and "synchronous" in statement.lower() and "=" in statement
    return "PRAGMA synchronous=OFF" if is_asked else statement


def _connect_without_sync(*arguments: Any, **options: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(*arguments, **{"factory": _Connection, **options})
    connection.execute("PRAGMA synchronous=OFF")
    return connection


def _nothing(_descriptor: int) -> None:
    return None


os.fsync = os.fdatasync = _nothing
sqlite3.connect = dbapi2.connect = _connect_without_sync

if __name__ == "__main__":
    from node.__main__ import main

    main()
