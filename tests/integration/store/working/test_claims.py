"""In which order jobs are claimed, and several at once."""

from collections.abc import Callable

import pytest

from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.tables.choices import JobKind
from node.store.working import job_claims
from node.store.working.job_claims import ClaimedJob
from node.store.working.queue import BACKFILL, LIVE, URGENT, NewRead, enqueue_reads
from tests.support.databases.stored import Later

_LEASE_S = 60.0


@pytest.fixture
def arrive(database: Database, add_instance: Callable[..., object], later: Later) -> Callable[..., None]:
    """Return a function that stores an image of a study at a time, to be read at a priority."""

    def arrive(study: str, at: float, priority: int = LIVE, image: int = 1) -> None:
        def store(tx: Transaction) -> None:
            add_instance(tx, f"{study}.{image}", study, at=later(at))
            enqueue_reads(tx, [NewRead(f"{study}.{image}", study, "starter")], later(at), priority=priority)

        database.write(store)

    return arrive


@pytest.fixture
def claim(database: Database, later: Later) -> Callable[[int], list[ClaimedJob]]:
    """Return a function that claims so many reads, long after all is due."""

    def claim(limit: int) -> list[ClaimedJob]:
        return database.write(
            lambda tx: job_claims.claim_some(tx, [JobKind.READ], later(1000), _LEASE_S, "w", limit=limit)
        )

    return claim


def test_urgent_comes_first_then_live_and_of_these_the_newest_study(
    arrive: Callable[..., None], claim: Callable[[int], list[ClaimedJob]]
) -> None:
    """A backlog is worked off from its newest end, which is what somebody waits for; an archive's studies come last."""
    arrive("1.2.1", at=0, priority=BACKFILL)
    arrive("1.2.2", at=1)
    arrive("1.2.3", at=2)
    arrive("1.2.4", at=3, priority=URGENT)
    arrive("1.2.5", at=4, priority=BACKFILL)
    arrive("1.2.2", at=5, image=2)  # of a study that began before

    studies = [job.study_instance_uid for job in claim(10)]

    assert studies == ["1.2.4", "1.2.3", "1.2.2", "1.2.2", "1.2.5", "1.2.1"]


def test_several_are_claimed_at_once_and_none_twice(
    arrive: Callable[..., None], claim: Callable[[int], list[ClaimedJob]]
) -> None:
    """At most as many as asked for, and fewer where fewer are due: nothing is waited for."""
    for number in range(5):
        arrive(f"1.2.{number + 1}", at=number)

    batches = [claim(3), claim(3), claim(3)]

    assert [len(batch) for batch in batches] == [3, 2, 0]
    assert len({job.id for batch in batches for job in batch}) == 5
    assert all(job.attempt == 1 for batch in batches for job in batch)


def test_those_whose_lease_is_held_are_settled_together_and_the_others_left(
    database: Database, arrive: Callable[..., None], claim: Callable[[int], list[ClaimedJob]], later: Later
) -> None:
    """A batch that comes too late keeps what is still its own."""
    for number in range(3):
        arrive(f"1.2.{number + 1}", at=number)
    batch = claim(3)
    database.write(lambda tx: job_claims.extend_all(tx, batch[:2], later(1030), _LEASE_S))

    (taken_over,) = database.write(
        lambda tx: job_claims.claim_some(tx, [JobKind.READ], later(1070), _LEASE_S, "other", limit=3)
    )
    settled = database.write(lambda tx: job_claims.finish_all(tx, batch, later(1071)))

    assert taken_over.id == batch[2].id
    assert settled == {batch[0].id, batch[1].id}
    (running,) = database.read(views.jobs)
    assert (running["id"], running["state"], running["worker"]) == (batch[2].id, "running", "other")
