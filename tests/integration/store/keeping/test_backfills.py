"""Backfills on both databases: kept whole, fetched once each, bounded, and ended when nothing is left."""

import random
from collections.abc import Callable
from datetime import datetime
from functools import partial

import pytest

from node.domain.lifecycle import State
from node.store.database import Database
from node.store.keeping import backfills
from node.store.keeping.backfills import ATTEMPTS, ClaimedStudy, FoundStudy
from node.store.tables.operation_tables import Backfill
from node.store.working import queue
from node.store.working.queue import NewRead
from tests.support.databases.stored import Later

QUERY = {"StudyDate": "20260101-20260131", "ModalitiesInStudy": "DX"}
LEASE_S = 60.0


@pytest.fixture
def begun(database: Database, now: datetime) -> Callable[..., int]:
    """Return a function that keeps a search for these studies."""

    def begin(*uids: str, peer: str = "pacs", sends: bool = False) -> int:
        found = [FoundStudy(uid, 2) for uid in uids]
        return database.write(lambda tx: backfills.begin(tx, peer, QUERY, found, now, sends=sends))

    return begin


@pytest.fixture
def claim(database: Database, now: datetime) -> Callable[..., ClaimedStudy | None]:
    """Return a function that claims the next study of the archive."""

    def take(at: datetime = now, peer: str = "pacs") -> ClaimedStudy | None:
        return database.write(lambda tx: backfills.claim(tx, peer, at, LEASE_S, "w"))

    return take


def ended(database: Database, identity: int) -> bool:
    """Return whether a backfill has ended."""
    return database.read(lambda tx: tx.get_one(Backfill, identity).ended_at is not None)


def test_studies_are_fetched_in_the_order_of_the_search_and_then_it_has_ended(
    database: Database, begun: Callable[..., int], claim: Callable[..., ClaimedStudy], now: datetime
) -> None:
    """Each once, with what the archive said of it."""
    identity = begun("1.2", "1.3")
    for uid in ("1.2", "1.3"):
        claimed = claim()
        assert (claimed.study_instance_uid, claimed.expected, claimed.backfill_id) == (uid, 2, identity)
        assert not ended(database, identity)
        assert database.write(lambda tx, one=claimed: backfills.finish(tx, one, now, 2))
    assert claim() is None
    assert ended(database, identity)
    assert database.read(lambda tx: backfills.next_due(tx, "pacs")) is None


def test_a_search_that_found_nothing_has_ended(database: Database, begun: Callable[..., int]) -> None:
    """Nothing is left to do."""
    assert ended(database, begun())


def test_a_study_that_the_archive_never_sends_is_buried_and_the_backfill_ends(
    database: Database, begun: Callable[..., int], claim: Callable[..., ClaimedStudy], later: Later
) -> None:
    """After so many attempts, each after a backoff; `retry` begins it again."""
    identity, jitter, at = begun("1.2"), random.Random(1), 0.0
    for number in range(ATTEMPTS):
        at += 2000
        then, silent = later(at), "it sent nothing"
        fail = partial(backfills.fail, claimed=claim(then), now=then, error=silent, permanent=False, jitter=jitter)
        assert database.write(fail) is (State.BURIED if number == ATTEMPTS - 1 else State.WAITING)
    assert ended(database, identity)
    assert database.write(lambda tx: backfills.retry(tx, identity, later(at))) == 1
    assert not ended(database, identity)
    assert claim(later(at)) is not None


def test_what_is_the_archives_trouble_counts_for_no_study(
    database: Database, begun: Callable[..., int], claim: Callable[..., ClaimedStudy], now: datetime
) -> None:
    """An archive that is away for days buries nothing."""
    begun("1.2")
    for _ in range(ATTEMPTS * 5):
        claimed = claim()
        assert claimed.failures == 0
        assert database.write(lambda tx, one=claimed: backfills.put_off(tx, one, now, "nobody there"))
    assert claim().last_error == "nobody there"


def test_a_cancelled_backfill_lets_go_of_what_waits_and_of_what_is_under_way(
    database: Database, begun: Callable[..., int], claim: Callable[..., ClaimedStudy], now: datetime
) -> None:
    """Whoever fetches a study is told at the next extension of its lease."""
    identity = begun("1.2", "1.3")
    claimed = claim()
    assert database.write(lambda tx: backfills.extend(tx, claimed, now, LEASE_S))
    assert database.write(lambda tx: backfills.cancel(tx, identity, now)) == 1
    assert not database.write(lambda tx: backfills.extend(tx, claimed, now, LEASE_S))
    assert database.write(lambda tx: backfills.withdraw(tx, claimed, now))
    assert claim() is None
    assert ended(database, identity)
    assert database.write(lambda tx: backfills.cancel(tx, 99, now)) is None


def test_a_kill_while_a_study_is_fetched_loses_nothing(
    database: Database, begun: Callable[..., int], claim: Callable[..., ClaimedStudy], now: datetime
) -> None:
    """The next start takes it back, and the late worker settles nothing."""
    begun("1.2")
    lost = claim()
    assert claim() is None
    assert database.write(lambda tx: backfills.rescue(tx, now, everything=True)) == 1
    again = claim()
    assert again.study_instance_uid == "1.2"
    assert not database.write(lambda tx: backfills.finish(tx, lost, now, 2))
    assert database.write(lambda tx: backfills.finish(tx, again, now, 2))


def test_a_study_counts_as_fetched_by_us_from_the_first_request_to_the_last_answer(
    database: Database, begun: Callable[..., int], claim: Callable[..., ClaimedStudy], now: datetime
) -> None:
    """Neither while it waits for its turn nor afterwards."""

    def fetched_now() -> frozenset[str]:
        return database.read(lambda tx: backfills.open_for(tx, ["1.2", "1.3", "1.9"]))

    begun("1.2", "1.3")
    assert fetched_now() == frozenset()
    claimed = claim()
    assert fetched_now() == {"1.2"}
    database.write(lambda tx: backfills.finish(tx, claimed, now, 2))
    assert fetched_now() == frozenset()
    assert database.read(lambda tx: backfills.open_for(tx, [])) == frozenset()


def test_results_leave_where_one_backfill_of_the_study_says_so(database: Database, begun: Callable[..., int]) -> None:
    """Of two backfills that name a study, one that sends is enough."""
    begun("1.2")
    assert not database.read(lambda tx: backfills.sends(tx, "1.2"))
    begun("1.2", sends=True)
    assert database.read(lambda tx: backfills.sends(tx, "1.2"))
    assert not database.read(lambda tx: backfills.sends(tx, "1.3"))


def test_what_is_held_and_whether_live_work_waits(
    database: Database, add_instance: Callable[..., object], now: datetime
) -> None:
    """Instances of the study, whatever they are; work that is due and of no backfill."""
    database.write(add_instance)

    def look() -> tuple[int, bool]:
        return database.read(lambda tx: (backfills.held(tx, "1.2.3"), backfills.live_work_waits(tx, now)))

    assert look() == (1, False)
    read = NewRead("1.2.3.1", "1.2.3", "starter")
    database.write(lambda tx: queue.enqueue_reads(tx, [read], now, priority=queue.BACKFILL))
    assert look() == (1, False)
    other = NewRead("1.2.3.1", "1.2.3", "other")
    database.write(lambda tx: queue.enqueue_reads(tx, [other], now))
    assert look() == (1, True)


def test_archives_wait_for_each_other_not_at_all(begun: Callable[..., int], claim: Callable[..., ClaimedStudy]) -> None:
    """Each archive has its own next study."""
    begun("1.2", peer="pacs")
    begun("1.3", peer="other")
    assert claim(peer="other").study_instance_uid == "1.3"
    assert claim(peer="pacs").study_instance_uid == "1.2"


def test_a_search_that_goes_on_is_found_again(database: Database, begun: Callable[..., int], now: datetime) -> None:
    """The same question to the same archive, which has not ended."""
    identity = begun("1.2")

    def like(peer: str = "pacs", *, sends: bool = False) -> int | None:
        return database.read(lambda tx: backfills.open_like(tx, peer, QUERY, sends=sends))

    assert like() == identity
    assert like("other") is None
    assert like(sends=True) is None
    database.write(lambda tx: backfills.cancel(tx, identity, now))
    assert like() is None
