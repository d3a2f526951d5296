"""What an operator puts back comes back, with fresh attempts and under a number that nobody held before."""

import random
from collections.abc import Callable
from datetime import datetime

import pytest

from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.lifecycle import State
from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.sending import outbox
from node.store.tables.choices import JobKind
from node.store.working import analyses, given_up, job_claims, queue
from node.store.working.analyses import NewAnalysis, NewRendition
from node.store.working.queue import NewRead
from tests.support.databases.claimed import claim_one
from tests.support.databases.stored import Later


@pytest.fixture
def jitter() -> random.Random:
    """Return a seeded random source."""
    return random.Random(7)


@pytest.fixture
def buried_reads(
    database: Database, add_instance: Callable[..., object], now: datetime, jitter: random.Random
) -> list[int]:
    """Store two images of one study whose reads were given up and whose report was composed without them."""

    def work(tx: Transaction) -> list[int]:
        buried = []
        for number in (1, 2):
            add_instance(tx, f"1.2.3.{number}")
            queue.enqueue_reads(tx, [NewRead(f"1.2.3.{number}", "1.2.3", "starter")], now)
            job = claim_one(tx, (JobKind.READ,), now, 60, "w")
            assert job is not None
            assert job_claims.fail(tx, job, now, "pixels unreadable", permanent=True, jitter=jitter)
            buried.append(job.id)
        queue.schedule_composes(tx, {("1.2.3", "starter"): now})
        compose = claim_one(tx, (JobKind.COMPOSE,), now, 60, "w")
        assert compose is not None
        assert job_claims.finish(tx, compose, now)
        return buried

    return database.write(work)


def _states(database: Database) -> list[tuple[str, str]]:
    return [(job["kind"], job["state"]) for job in database.read(lambda tx: views.jobs(tx, tuple(State)))]


def test_all_buried_jobs_are_put_back(database: Database, buried_reads: list[int], later: Later) -> None:
    """With fresh attempts, under the next attempt number, and the study is composed again afterwards."""
    assert database.write(lambda tx: given_up.retry(tx, "job", None, later(100))) == 2

    assert sorted(_states(database)) == [("compose", "waiting"), ("read", "waiting"), ("read", "waiting")]
    job = database.write(lambda tx: claim_one(tx, tuple(JobKind), later(100), 60, "w"))
    assert job is not None
    assert (job.kind, job.attempt, job.failures) == (JobKind.READ, 2, 0)


def test_only_the_named_jobs_are_put_back(database: Database, buried_reads: list[int], later: Later) -> None:
    """The others stay buried."""
    assert database.write(lambda tx: given_up.retry(tx, "job", buried_reads[:1], later(100))) == 1

    assert sorted(_states(database)) == [("compose", "waiting"), ("read", "buried"), ("read", "waiting")]


@pytest.mark.parametrize("ids", [[], [999], None])
def test_what_is_not_buried_is_left_alone(
    database: Database, add_instance: Callable[..., object], now: datetime, ids: list[int] | None
) -> None:
    """A job that runs or is done cannot be put back by mistake."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        queue.enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], now)
        claim_one(tx, (JobKind.READ,), now, 60, "w")

    database.write(fill)

    assert database.write(lambda tx: given_up.retry(tx, "job", ids, now)) == 0

    assert _states(database) == [("read", "running")]


def test_a_worker_from_before_the_retry_settles_nothing(
    database: Database, add_instance: Callable[..., object], later: Later
) -> None:
    """Its attempt number is never given out again, though the count of failures starts anew."""

    def fill(tx: Transaction) -> job_claims.ClaimedJob | None:
        add_instance(tx)
        queue.enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], later(0))
        return claim_one(tx, (JobKind.READ,), later(0), 60, "slow")

    slow = database.write(fill)
    assert slow is not None
    database.write(lambda tx: job_claims.rescue(tx, later(100), max_attempts=1))
    database.write(lambda tx: given_up.retry(tx, "job", None, later(101)))
    current = database.write(lambda tx: claim_one(tx, (JobKind.READ,), later(101), 60, "w"))
    assert current is not None

    assert not database.write(lambda tx: job_claims.finish(tx, slow, later(102)))
    assert current.attempt > slow.attempt
    assert current.failures == 0


def test_buried_deliveries_are_put_back_and_the_timeline_says_so(
    database: Database, add_instance: Callable[..., object], later: Later, jitter: random.Random
) -> None:
    """The same bytes go to the same peer."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        new = NewAnalysis(StudyInstanceUID("1.2.3"), "starter", "1", Outcome.NEGATIVE, "d", "c", "k", later(0))
        analysis_id = analyses.add(tx, new)
        rendition = NewRendition("1", SOPInstanceUID("2.25.1"), SeriesInstanceUID("2.25.2"), "1.2", b"bytes")
        outbox.add(tx, analysis_id, "pacs", analyses.add_rendition(tx, analysis_id, rendition), later(0))
        delivery = outbox.claim(tx, later(0), 60, "w", ("pacs",))
        assert delivery is not None
        outbox.fail(tx, delivery, later(0), "refused", permanent=True, jitter=jitter, status=0x0124)

    database.write(fill)

    assert database.write(lambda tx: given_up.retry(tx, "delivery", None, later(100))) == 1

    again = database.write(lambda tx: outbox.claim(tx, later(100), 60, "w", ("pacs",)))
    assert again is not None
    assert (again.attempt, again.failures, again.rendition.dataset) == (2, 0, b"bytes")
    explained = database.read(lambda tx: views.study(tx, "1.2.3", now=later(100)))
    assert explained is not None
    assert [entry["event"] for entry in explained["timeline"]] == ["delivery failed", "delivery retried"]
