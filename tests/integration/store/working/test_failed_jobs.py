"""Jobs that fail, whose worker dies, and that are put back: tried again after a while, and buried in the end."""

import random

from node.store.database import Database
from node.store.working import job_claims
from tests.support.databases.stored import Claim, Later, events_in, jobs_in


def test_a_failed_job_comes_back_after_its_backoff(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """Not at once, then under the next attempt, with what went wrong."""
    job = claim()
    assert job is not None
    assert database.write(lambda tx: job_claims.fail(tx, job, later(0), "no memory", permanent=False, jitter=jitter))

    assert claim(at=later(1)) is None
    again = claim(at=later(3))

    assert again is not None
    assert (again.attempt, again.failures, again.last_error) == (2, 1, "no memory")


def test_a_permanent_failure_is_buried_with_its_reason(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """At once, where the operator sees it, and in the study's timeline."""
    job = claim()
    assert job is not None

    assert database.write(
        lambda tx: job_claims.fail(tx, job, later(1), "pixels unreadable", permanent=True, jitter=jitter)
    )

    assert [(job["state"], job["last_error"]) for job in jobs_in(database)] == [("buried", "pixels unreadable")]
    assert claim(at=later(10_000)) is None
    assert events_in(database) == ["job failed"]


def test_attempts_that_are_used_up_bury_the_job(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """The last failure is in the reason, and no backoff is waited for first."""
    for number in range(3):
        job = claim(at=later(1000.0 * number), max_attempts=3)
        assert job is not None
        at = later(1000.0 * number + 1)
        database.write(
            lambda tx, job=job, at=at: job_claims.fail(tx, job, at, "no memory", permanent=False, jitter=jitter)
        )

    assert [(job["state"], job["failures"], job["last_error"]) for job in jobs_in(database)] == [
        ("buried", 3, "attempts used up: last error: no memory")
    ]


def test_a_job_that_kills_its_worker_is_buried(database: Database, image: None, claim: Claim, later: Later) -> None:
    """Nobody settles it, so the claims count: after five leases that ran out it is given up, and the rest goes on."""
    for number in range(5):
        assert claim(at=later(100.0 * number)) is not None

    assert claim(at=later(500)) is None

    (job,) = jobs_in(database)
    assert (job["state"], job["last_error"]) == ("buried", "lease ran out 5 times (the worker died)")
    assert (job["attempt"], job["lapses"]) == (5, 5)
    assert events_in(database) == ["job rescued"] * 5


def test_errors_and_dead_workers_count_together(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """A job that fails in more than one way is given up after as many attempts."""
    job = claim(max_attempts=2)
    assert job is not None
    database.write(lambda tx: job_claims.fail(tx, job, later(0), "no memory", permanent=False, jitter=jitter))
    assert claim(at=later(100), max_attempts=2) is not None

    assert claim(at=later(200), max_attempts=2) is None

    (buried,) = jobs_in(database)
    assert buried["last_error"] == "attempts used up: last error: the lease ran out (the worker died)"


def test_a_node_that_starts_alone_takes_back_everything_that_ran(
    database: Database, image: None, claim: Claim, later: Later
) -> None:
    """What a killed process held need not wait for its lease."""
    assert claim() is not None

    assert database.write(lambda tx: job_claims.rescue(tx, later(1))) == 0
    assert database.write(lambda tx: job_claims.rescue(tx, later(1), everything=True)) == 1

    again = claim(at=later(1))
    assert again is not None
    assert again.attempt == 2


def test_a_released_job_comes_back_at_once_without_a_failure(
    database: Database, image: None, claim: Claim, later: Later
) -> None:
    """A node that drains puts back what it has not begun."""
    job = claim()
    assert job is not None
    assert database.write(lambda tx: job_claims.release(tx, job, later(1)))

    again = claim(at=later(1))

    assert again is not None
    assert (again.attempt, again.failures) == (2, 0)


def test_what_an_error_says_cannot_harm_the_database(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """NUL, quotes, half characters and a megabyte of it."""
    job = claim()
    assert job is not None
    error = "\0'; DROP TABLE jobs; --\ud800" + "x" * 1_000_000

    assert database.write(lambda tx: job_claims.fail(tx, job, later(1), error, permanent=True, jitter=jitter))

    (buried,) = jobs_in(database)
    assert "DROP TABLE" in buried["last_error"]
    assert len(buried["last_error"]) == 2000
