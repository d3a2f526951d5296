"""The queue on both databases: nothing is done twice at once, nothing is lost, nothing runs for ever."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from node.store.database import Database, Transaction
from node.store.tables.work_tables import Job
from node.store.working import job_claims, queue, work
from node.store.working.queue import NewRead
from tests.support.databases.claimed import claim_one
from tests.support.databases.stored import COMPOSE, IMAGE, LEASE_S, MODEL, READ, STUDY, Claim, Later, jobs_in


def test_a_claimed_job_says_what_to_do(image: None, claim: Claim, later: Later) -> None:
    """Kind, subject, study and model, under a lease and the first attempt."""
    job = claim()

    assert job is not None
    assert (job.kind, job.subject_uid, job.study_instance_uid, job.model) == (READ, IMAGE, STUDY, MODEL)
    assert (job.sop_instance_uid, job.attempt, job.failures) == (IMAGE, 1, 0)
    assert job.lease_until == later(LEASE_S)


def test_a_job_is_claimed_once(image: None, claim: Claim) -> None:
    """While one worker holds it nobody else gets it."""
    assert claim() is not None
    assert claim(worker="w2") is None


def test_two_claimers_never_get_the_same_job(
    database: Database, add_instance: Callable[..., object], claim: Claim, now: datetime
) -> None:
    """Forty jobs, eight workers at once: forty claims of forty different jobs."""

    def fill(tx: Transaction) -> None:
        for number in range(40):
            add_instance(tx, f"1.2.3.{number}")
            queue.enqueue_reads(tx, [NewRead(f"1.2.3.{number}", STUDY, MODEL)], now)

    database.write(fill)
    together = threading.Barrier(8)

    def work(worker: str) -> list[int]:
        together.wait(10)
        return [job.id for job in iter(lambda: claim(worker=worker), None)]

    with ThreadPoolExecutor(8) as pool:
        claimed = [number for numbers in pool.map(work, [f"w{number}" for number in range(8)]) for number in numbers]

    assert len(claimed) == 40
    assert len(set(claimed)) == 40


def test_the_same_read_is_enqueued_once(database: Database, image: None, claim: Claim, now: datetime) -> None:
    """Also when it is done; a new version of the model asks for it again."""
    read = NewRead(IMAGE, STUDY, MODEL)
    database.write(lambda tx: queue.enqueue_reads(tx, [read], now, again=True))
    job = claim()
    assert job is not None
    database.write(lambda tx: queue.enqueue_reads(tx, [read], now, again=True))
    database.write(lambda tx: job_claims.finish(tx, job, now))
    database.write(lambda tx: queue.enqueue_reads(tx, [read], now))
    assert claim() is None

    database.write(lambda tx: queue.enqueue_reads(tx, [read], now, again=True))

    again = claim()
    assert again is not None
    assert (again.id, again.attempt) == (job.id, 2)


def test_an_instance_of_a_study_that_is_not_stored_is_not_read(database: Database, now: datetime) -> None:
    """A job without its instance would fail for ever."""
    with pytest.raises(IntegrityError):
        database.write(lambda tx: queue.enqueue_reads(tx, [NewRead("9.9", "9", MODEL)], now))


def test_a_late_worker_settles_nothing(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """Once its lease ran out and another holds the job, whatever it says changes nothing."""
    late = claim()
    current = claim(at=later(LEASE_S + 1), worker="w2")
    assert late is not None
    assert current is not None
    assert (current.id, current.attempt) == (late.id, late.attempt + 1)
    at = later(LEASE_S + 2)

    assert not database.write(lambda tx: job_claims.finish(tx, late, at))
    assert not database.write(lambda tx: job_claims.fail(tx, late, at, "late", permanent=True, jitter=jitter))
    assert not database.write(lambda tx: work.extend(tx, Job, late, at, LEASE_S))
    assert not database.write(lambda tx: job_claims.release(tx, late, at))

    assert [(job["state"], job["worker"]) for job in jobs_in(database)] == [("running", "w2")]
    assert database.write(lambda tx: job_claims.finish(tx, current, at))


def test_a_settled_job_cannot_be_settled_again(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """Done stays done, also for the worker that did it."""
    job = claim()
    assert job is not None
    assert database.write(lambda tx: job_claims.finish(tx, job, later(1)))

    assert not database.write(lambda tx: job_claims.finish(tx, job, later(2)))
    assert not database.write(lambda tx: job_claims.fail(tx, job, later(2), "no", permanent=True, jitter=jitter))

    assert [job["state"] for job in jobs_in(database)] == ["done"]


def test_a_result_and_its_end_are_kept_together_or_not_at_all(
    database: Database, image: None, claim: Claim, later: Later
) -> None:
    """A worker that dies between finishing and the commit leaves the job running, for the next to take over."""
    job = claim()
    assert job is not None

    def dies(tx: Transaction) -> None:
        assert job_claims.finish(tx, job, later(1))
        raise KeyError

    with pytest.raises(KeyError):
        database.write(dies)

    assert [job["state"] for job in jobs_in(database)] == ["running"]
    assert claim(at=later(LEASE_S + 1)) is not None


def test_an_extended_lease_is_not_taken_over(database: Database, image: None, claim: Claim, later: Later) -> None:
    """A worker that says in time that it lives keeps its job."""
    job = claim()
    assert job is not None
    database.write(lambda tx: job_claims.extend_all(tx, [job], later(50), LEASE_S))

    assert claim(at=later(LEASE_S + 1), worker="w2") is None
    assert claim(at=later(50 + LEASE_S + 1), worker="w2") is not None


def test_reads_come_before_composes_and_the_longest_due_first(
    database: Database, add_instance: Callable[..., object], claim: Claim, later: Later
) -> None:
    """Images of one study are all read before another study's report is made."""

    def fill(tx: Transaction) -> None:
        add_instance(tx, "1.1", "1")
        queue.schedule_composes(tx, {("1", MODEL): later(-100)})
        for number, age_s in ((1, -10), (2, -30), (3, -20)):
            add_instance(tx, f"2.{number}", "2")
            queue.enqueue_reads(tx, [NewRead(f"2.{number}", "2", MODEL)], later(age_s))

    database.write(fill)

    assert [job.subject_uid for job in iter(claim, None)] == ["2.2", "2.3", "2.1", "1"]


def test_a_smaller_priority_comes_first(
    database: Database, add_instance: Callable[..., object], claim: Claim, now: datetime
) -> None:
    """Whatever its kind and age."""

    def fill(tx: Transaction) -> None:
        add_instance(tx, "1.1", "1")
        add_instance(tx, "2.1", "2")
        queue.enqueue_reads(tx, [NewRead("1.1", "1", MODEL)], now - timedelta(hours=1))
        queue.schedule_composes(tx, {("2", MODEL): now}, priority=1)

    database.write(fill)

    assert [job.subject_uid for job in iter(claim, None)] == ["2", "1.1"]


def test_a_worker_claims_only_its_kinds(database: Database, image: None, claim: Claim, now: datetime) -> None:
    """A process that only composes leaves reads alone, and its next due time too."""
    assert claim(kinds=(COMPOSE,)) is None
    assert database.read(lambda tx: job_claims.next_due(tx, (COMPOSE,), now)) is None
    assert database.read(lambda tx: job_claims.next_due(tx, (READ,), now)) == now


def test_a_claim_from_another_time_zone_is_compared_as_a_time(
    database: Database, image: None, claim: Claim, now: datetime
) -> None:
    """A clock that hands out local times changes nothing."""
    local = now.astimezone().replace(tzinfo=None).astimezone()

    assert claim(at=local - timedelta(seconds=1)) is None
    assert claim(at=local) is not None


def test_a_claim_by_its_number_alone_settles_nothing(
    database: Database, image: None, claim: Claim, later: Later
) -> None:
    """The attempt is the fence: neither an older nor a made-up one opens it."""
    job = claim()
    assert job is not None

    assert not database.write(lambda tx: job_claims.finish(tx, replace(job, attempt=0), later(1)))
    assert not database.write(lambda tx: job_claims.finish(tx, replace(job, attempt=2), later(1)))
    assert database.write(lambda tx: job_claims.finish(tx, job, later(1)))


def test_claiming_reads_only_what_the_indices_point_at(sqlite_template: Path, now: datetime) -> None:
    """A claim scans no table and sorts nothing, so neither a backlog nor a hundred thousand settled jobs slow it."""
    database = Database.open(f"sqlite:///{sqlite_template}")
    writer = database._engines[-1]
    asked: list[tuple[str, tuple[object, ...]]] = []
    event.listen(writer, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))

    for kind in (READ, COMPOSE):
        database.write(lambda tx, kind=kind: claim_one(tx, (kind,), now, LEASE_S, "w"))
        database.write(lambda tx, kind=kind: job_claims.next_due(tx, (kind,), now))

    plans: dict[str, list[str]] = {}
    with writer.connect() as connection:
        for statement, values in [one for one in asked if one[0].startswith("SELECT")]:
            explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plans[statement] = [row[3] for row in explained]
    database.close()
    picks = [plan for statement, plan in plans.items() if "ORDER BY jobs.priority" in statement]
    assert picks, plans
    assert not [line for plan in picks for line in plan if "TEMP B-TREE" in line]
    assert not [line for plan in plans.values() for line in plan if line.startswith("SCAN")]
