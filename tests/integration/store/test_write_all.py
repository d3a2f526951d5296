"""Many works brought by one thread: written together, and each as if it had come alone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from node.store import audit
from node.store.audit import Entry
from node.store.database import Database, DatabaseUnavailable, Transaction, writes_nothing
from tests.support.databases.stored import UnexpectedError, events_by_name


class _Recorded:
    """Adds an entry for each event; those that begin with "bad" raise, after all was written."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self, tx: Transaction, events: Sequence[str]) -> list[str]:
        audit.add_all(tx, [Entry(self._now, event) for event in events])
        if any(event.startswith("bad") for event in events):
            raise UnexpectedError
        return [event.upper() for event in events]


def test_all_share_a_commit_and_each_ends_with_its_own_result(database: Database, now: datetime) -> None:
    """Of whatever kind they are, in the order in which they were brought."""
    record, commits = _Recorded(now), database.commits
    ended = database.write_all([(record, "a"), (writes_nothing, None), (record, "b")])
    assert [(end.result, end.error) for end in ended] == [("A", None), (None, None), ("B", None)]
    assert database.commits == commits + 1
    assert events_by_name(database) == ["a", "b"]


def test_one_that_fails_fails_alone(database: Database, now: datetime) -> None:
    """And nothing of it stays, whether all are of a kind or not."""
    record = _Recorded(now)
    for others in ([], [(writes_nothing, None)]):
        ended = database.write_all([(record, "a"), (record, "bad"), (record, "c"), *others])
        assert [end.result for end in ended[:3]] == ["A", None, "C"]
        assert isinstance(ended[1].error, UnexpectedError)
    assert events_by_name(database) == ["a", "a", "c", "c"]


def test_more_than_a_group_holds_are_written_beside_those_of_other_threads(database: Database, now: datetime) -> None:
    """The thread leads again where its own are next, and nobody waits for ever."""
    record = _Recorded(now)
    many = [(record, f"{number:03}") for number in range(300)]
    with ThreadPoolExecutor(4) as pool:
        brought = [pool.submit(database.write_all, many) for _ in range(2)]
        alone = [pool.submit(database.write_together, record, "alone") for _ in range(20)]
        assert [one.result(60) for one in alone] == ["ALONE"] * 20
        assert all(end.error is None for one in brought for end in one.result(60))
    assert len(events_by_name(database)) == 620


def test_none_at_all_are_written_at_once(database: Database) -> None:
    """Without a transaction."""
    assert database.write_all([]) == []


def test_after_the_end_all_are_refused(database: Database, now: datetime) -> None:
    """As a single one is."""
    database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        database.write_all([(_Recorded(now), "late")])
