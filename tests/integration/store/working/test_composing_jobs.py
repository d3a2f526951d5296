"""When a report is composed: after the reads of its study, and again for an image that comes at any moment."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from node.store.database import Database, Transaction
from node.store.tables.choices import JobKind
from node.store.working import job_claims, queue
from node.store.working.queue import NewRead
from tests.support.databases.stored import COMPOSE, IMAGE, LEASE_S, MODEL, READ, STUDY, Claim, Later, jobs_in


def test_a_compose_waits_until_it_is_due(database: Database, compose: None, claim: Claim, later: Later) -> None:
    """The quiet period stands in the row; each image moves it."""
    database.write(lambda tx: queue.schedule_composes(tx, {(STUDY, MODEL): later(60)}))

    assert claim(at=later(59)) is None
    assert claim(at=later(60)) is not None
    assert len(jobs_in(database)) == 1


@pytest.mark.parametrize("end", ["done", "buried", "failed once"])
def test_a_compose_waits_for_the_reads_of_its_study(
    database: Database, image: None, compose_soon: None, claim: Claim, later: Later, jitter: random.Random, end: str
) -> None:
    """While one waits or runs it is not claimed; a read that was given up holds nothing back."""
    read = claim()
    assert read is not None
    assert read.kind is READ
    assert claim(kinds=(COMPOSE,)) is None
    if end == "done":
        database.write(lambda tx: job_claims.finish(tx, read, later(1)))
    else:
        permanent = end == "buried"
        database.write(lambda tx: job_claims.fail(tx, read, later(1), "no", permanent=permanent, jitter=jitter))

    assert (claim(kinds=(COMPOSE,), at=later(1)) is not None) == (end != "failed once")


@pytest.fixture
def compose_soon(database: Database, image: None, now: datetime) -> None:
    """Let the image's study be due to be composed."""
    database.write(lambda tx: queue.schedule_composes(tx, {(STUDY, MODEL): now}))


def test_a_compose_does_not_wait_for_another_model_or_study(
    database: Database, add_instance: Callable[..., object], claim: Claim, now: datetime
) -> None:
    """One slow model holds back its own reports only."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        add_instance(tx, "7.1", "7")
        queue.enqueue_reads(tx, [NewRead(IMAGE, STUDY, "slow")], now)
        queue.enqueue_reads(tx, [NewRead("7.1", "7", MODEL)], now)
        queue.schedule_composes(tx, {(STUDY, MODEL): now})

    database.write(fill)

    job = claim(kinds=(COMPOSE,))
    assert job is not None
    assert (job.study_instance_uid, job.model) == (STUDY, MODEL)


@pytest.mark.parametrize("settled", ["done", "buried"])
def test_a_late_image_puts_a_settled_compose_back_to_waiting(
    database: Database, compose: None, claim: Claim, later: Later, jitter: random.Random, settled: str
) -> None:
    """With fresh attempts, under an attempt number that goes on counting."""
    job = claim()
    assert job is not None
    if settled == "done":
        database.write(lambda tx: job_claims.finish(tx, job, later(1)))
    else:
        database.write(lambda tx: job_claims.fail(tx, job, later(1), "no", permanent=True, jitter=jitter))

    database.write(lambda tx: queue.schedule_composes(tx, {(STUDY, MODEL): later(60)}))

    assert claim(at=later(59)) is None
    again = claim(at=later(60))
    assert again is not None
    assert (again.id, again.attempt, again.failures) == (job.id, 2, 0)


@pytest.mark.parametrize("end", ["finish", "bury", "die", "release"])
def test_an_image_that_comes_while_the_compose_runs_is_not_lost(
    database: Database, compose: None, claim: Claim, later: Later, jitter: random.Random, end: str
) -> None:
    """However the running one ends, the study is composed again when it is complete."""
    job = claim(max_attempts=1)
    assert job is not None
    database.write(lambda tx: queue.schedule_composes(tx, {(STUDY, MODEL): later(90)}))
    assert claim(at=later(30)) is None
    if end == "finish":
        assert database.write(lambda tx: job_claims.finish(tx, job, later(1)))
    elif end == "bury":
        assert database.write(lambda tx: job_claims.fail(tx, job, later(1), "no", permanent=True, jitter=jitter))
    elif end == "release":
        assert database.write(lambda tx: job_claims.release(tx, job, later(1)))

    assert claim(at=later(89), max_attempts=1) is None
    again = claim(at=later(90), max_attempts=1)
    assert again is not None
    assert (again.id, again.attempt, again.failures) == (job.id, 2, 0)
    assert database.write(lambda tx: job_claims.finish(tx, again, later(91)))
    assert [job["state"] for job in jobs_in(database)] == ["done"]


def test_an_image_that_comes_at_the_moment_of_the_claim_is_in_this_report_or_the_next(
    database: Database, add_instance: Callable[..., object], claim: Claim, later: Later
) -> None:
    """Whoever comes first: in the end the study is composed after its last read, and never beside it unseen."""

    def arrive(tx: Transaction, study: str) -> None:
        add_instance(tx, f"{study}.2", study)
        queue.enqueue_reads(tx, [NewRead(f"{study}.2", study, MODEL)], later(0))
        queue.schedule_composes(tx, {(study, MODEL): later(0)})

    def first(tx: Transaction, study: str) -> None:
        add_instance(tx, f"{study}.1", study)
        queue.schedule_composes(tx, {(study, MODEL): later(0)})

    with ThreadPoolExecutor(2) as pool:
        for study in map(str, range(1, 21)):
            database.write(lambda tx, study=study: first(tx, study))
            together = threading.Barrier(2)
            arriving = pool.submit(
                lambda study=study, together=together: (
                    together.wait(10),
                    database.write(lambda tx: arrive(tx, study)),
                )
            )
            claiming = pool.submit(lambda together=together: (together.wait(10), claim(kinds=(COMPOSE,)))[1])
            arriving.result(10)
            if (early := claiming.result(10)) is not None:
                database.write(lambda tx, early=early: job_claims.finish(tx, early, later(1)))
            assert claim(kinds=(COMPOSE,), at=later(1)) is None
            read = claim(kinds=(READ,), at=later(1))
            assert read is not None
            database.write(lambda tx, read=read: job_claims.finish(tx, read, later(2)))
            last = claim(kinds=(COMPOSE,), at=later(2))
            assert last is not None
            database.write(lambda tx, last=last: job_claims.finish(tx, last, later(3)))


def test_a_failing_compose_keeps_its_backoff_when_an_image_comes(
    database: Database, compose: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """It is due when both the backoff and the study's completion are over."""
    job = claim()
    assert job is not None
    database.write(lambda tx: queue.schedule_composes(tx, {(STUDY, MODEL): later(60)}))
    database.write(lambda tx: job_claims.fail(tx, job, later(1), "no", permanent=False, jitter=jitter))

    assert claim(at=later(59)) is None
    again = claim(at=later(60))
    assert again is not None
    assert again.failures == 1


def test_next_due_bounds_the_sleep_of_a_worker(
    database: Database, image: None, compose_soon: None, claim: Claim, later: Later
) -> None:
    """The next due time, or the end of a lease; a compose that waits for a read counts only after it."""

    def next_due() -> datetime | None:
        return database.read(lambda tx: job_claims.next_due(tx, tuple(JobKind), later(0)))

    assert next_due() == later(0)
    read = claim()
    assert read is not None
    assert next_due() == later(LEASE_S)
    database.write(lambda tx: job_claims.finish(tx, read, later(1)))
    assert next_due() == later(0)
    job = claim()
    assert job is not None
    database.write(lambda tx: job_claims.finish(tx, job, later(1)))
    assert next_due() is None
