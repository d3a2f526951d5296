"""The queue on both databases: nothing is done twice at once, nothing is lost, nothing runs for ever."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from node.domain.lifecycle import State
from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.listing.listings import Listed
from node.store.tables import JobKind
from node.store.working import job_claims, queue
from node.store.working.job_claims import ClaimedJob
from node.store.working.queue import NewRead

READ, COMPOSE = JobKind.READ, JobKind.COMPOSE
LEASE_S = 60.0
MODEL, STUDY, IMAGE = "starter", "1.2.3", "1.2.3.1"

Later = Callable[[float], datetime]
Claim = Callable[..., ClaimedJob | None]


@pytest.fixture
def jitter() -> random.Random:
    """Return a seeded random source."""
    return random.Random(7)


@pytest.fixture
def claim(database: Database, now: datetime) -> Claim:
    """Return a function that claims in a transaction of its own."""

    def one(
        kinds: tuple[str, ...] = (READ, COMPOSE), at: datetime = now, worker: str = "w1", max_attempts: int = 5
    ) -> ClaimedJob | None:
        return database.write(lambda tx: job_claims.claim(tx, kinds, at, LEASE_S, worker, max_attempts=max_attempts))

    return one


@pytest.fixture
def image(database: Database, add_instance: Callable[..., object], now: datetime) -> None:
    """Store one image with its read job."""

    def work(tx: Transaction) -> None:
        add_instance(tx)
        queue.enqueue_reads(tx, [NewRead(IMAGE, STUDY, MODEL)], now)

    database.write(work)


@pytest.fixture
def compose(database: Database, add_instance: Callable[..., object], now: datetime) -> None:
    """Store one image of a study that is due to be composed."""

    def work(tx: Transaction) -> None:
        add_instance(tx)
        queue.schedule_composes(tx, {(STUDY, MODEL): now})

    database.write(work)


def _jobs(database: Database) -> list[Listed]:
    return database.read(lambda tx: views.jobs(tx, tuple(State)))


def _events(database: Database) -> list[str]:
    return database.read(lambda tx: list(tx.scalars(text("SELECT event FROM audit ORDER BY id"))))


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
    assert not database.write(lambda tx: job_claims.extend(tx, late, at, LEASE_S))
    assert not database.write(lambda tx: job_claims.release(tx, late, at))

    assert [(job["state"], job["worker"]) for job in _jobs(database)] == [("running", "w2")]
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

    assert [job["state"] for job in _jobs(database)] == ["done"]


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

    assert [job["state"] for job in _jobs(database)] == ["running"]
    assert claim(at=later(LEASE_S + 1)) is not None


def test_an_extended_lease_is_not_taken_over(database: Database, image: None, claim: Claim, later: Later) -> None:
    """A worker that says in time that it lives keeps its job."""
    job = claim()
    assert job is not None
    assert database.write(lambda tx: job_claims.extend(tx, job, later(50), LEASE_S))

    assert claim(at=later(LEASE_S + 1), worker="w2") is None
    assert claim(at=later(50 + LEASE_S + 1), worker="w2") is not None


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

    assert [(job["state"], job["last_error"]) for job in _jobs(database)] == [("buried", "pixels unreadable")]
    assert claim(at=later(10_000)) is None
    assert _events(database) == ["job failed"]


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

    assert [(job["state"], job["failures"], job["last_error"]) for job in _jobs(database)] == [
        ("buried", 3, "attempts used up: last error: no memory")
    ]


def test_a_job_that_kills_its_worker_is_buried(database: Database, image: None, claim: Claim, later: Later) -> None:
    """Nobody settles it, so the claims count: after five leases that ran out it is given up, and the rest goes on."""
    for number in range(5):
        assert claim(at=later(100.0 * number)) is not None

    assert claim(at=later(500)) is None

    (job,) = _jobs(database)
    assert (job["state"], job["last_error"]) == ("buried", "lease ran out 5 times (the worker died)")
    assert (job["attempt"], job["lapses"]) == (5, 5)
    assert _events(database) == ["job rescued"] * 5


def test_errors_and_dead_workers_count_together(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """A job that fails in more than one way is given up after as many attempts."""
    job = claim(max_attempts=2)
    assert job is not None
    database.write(lambda tx: job_claims.fail(tx, job, later(0), "no memory", permanent=False, jitter=jitter))
    assert claim(at=later(100), max_attempts=2) is not None

    assert claim(at=later(200), max_attempts=2) is None

    (buried,) = _jobs(database)
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


def test_a_compose_waits_until_it_is_due(database: Database, compose: None, claim: Claim, later: Later) -> None:
    """The quiet period stands in the row; each image moves it."""
    database.write(lambda tx: queue.schedule_composes(tx, {(STUDY, MODEL): later(60)}))

    assert claim(at=later(59)) is None
    assert claim(at=later(60)) is not None
    assert len(_jobs(database)) == 1


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
    assert [job["state"] for job in _jobs(database)] == ["done"]


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


def test_a_claim_from_another_time_zone_is_compared_as_a_time(
    database: Database, image: None, claim: Claim, now: datetime
) -> None:
    """A clock that hands out local times changes nothing."""
    local = now.astimezone().replace(tzinfo=None).astimezone()

    assert claim(at=local - timedelta(seconds=1)) is None
    assert claim(at=local) is not None


def test_what_an_error_says_cannot_harm_the_database(
    database: Database, image: None, claim: Claim, later: Later, jitter: random.Random
) -> None:
    """NUL, quotes, half characters and a megabyte of it."""
    job = claim()
    assert job is not None
    error = "\0'; DROP TABLE jobs; --\ud800" + "x" * 1_000_000

    assert database.write(lambda tx: job_claims.fail(tx, job, later(1), error, permanent=True, jitter=jitter))

    (buried,) = _jobs(database)
    assert "DROP TABLE" in buried["last_error"]
    assert len(buried["last_error"]) == 2000


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
        database.write(lambda tx, kind=kind: job_claims.claim(tx, (kind,), now, LEASE_S, "w"))
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
