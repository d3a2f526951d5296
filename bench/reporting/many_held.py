"""How the speed of a claim and of a listing depends on how many studies are held: rows without files."""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node.config import Settings
from node.domain.finding import Admission, Outcome, Reading
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID
from node.domain.instance import InstanceHeader
from node.pipeline.operator import operate
from node.store import schema
from node.store.arriving import arrivals
from node.store.arriving.instances import NewInstance
from node.store.database import Database, Transaction
from node.store.sending import outbox
from node.store.tables.choices import JobKind
from node.store.working import analyses, findings, job_claims, queue
from node.store.working.analyses import NewAnalysis, NewRendition
from node.store.working.findings import NewReading
from node.store.working.queue import NewRead

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 1000
_WAITING = 200  # of the held studies; all others are done
_LEASE_S = 60.0


def filled(url: str, studies: int) -> Database:
    """Return an opened database that holds so many studies of one image, nearly all of them reported and sent."""
    schema.upgrade(url)
    database = Database.open(url)
    for first in range(0, studies, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, studies))
        database.write(lambda tx, numbers=numbers: _add(tx, numbers, studies))  # type: ignore[misc]
    return database


def claim_ms(database: Database) -> float:
    """Return what it takes to look for work, claim one job and put it back, in milliseconds."""
    at = _NOW + timedelta(days=400)

    def look(tx: Transaction) -> None:
        job_claims.next_due(tx, [JobKind.READ], at)

    def claim(tx: Transaction) -> None:
        (job,) = job_claims.claim_some(tx, [JobKind.READ], at, _LEASE_S, "bench", limit=1)
        job_claims.release(tx, job, _NOW)

    return _timed(lambda: database.read(look)) + _timed(lambda: database.write(claim))


def studies_ms(url: str) -> float:
    """Return what `pacs-node studies` takes, in milliseconds, without the start of its process: the newest 100."""
    return _timed(lambda: len(operate.studies(_settings(url), _NOW, 100)))


def deliveries_ms(url: str) -> float:
    """Return the same of `pacs-node deliveries`."""
    return _timed(lambda: len(operate.deliveries(_settings(url), _NOW, 100)))


def _settings(url: str) -> Settings:
    return Settings.model_validate({"node": {"ae_title": "BENCH"}, "database": {"url": url}})


def _timed(do: Callable[[], object]) -> float:
    took = []
    for _ in range(7):
        began = time.perf_counter()
        do()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _add(tx: Transaction, numbers: range, studies: int) -> None:
    news = [_new(number) for number in numbers]
    arrivals.add_all(tx, news)
    for new in news:
        _work(tx, new)
    waiting = range(studies - _WAITING, studies)
    done = [new for number, new in zip(numbers, news, strict=True) if number not in waiting]
    jobs = list(_claimed(tx, len(done)))
    job_claims.finish_all(tx, jobs, _NOW)
    findings.put_all(tx, [NewReading("starter", "1", _reading(job.sop_instance_uid)) for job in jobs])
    for job in jobs:
        _report(tx, job.study_instance_uid)


def _new(number: int) -> NewInstance:
    uid = SOPInstanceUID(f"2.25.7.{number}.3")
    header = InstanceHeader(
        "1.2.840.10008.5.1.4.1.1.1.1", uid, f"2.25.7.{number}.1", f"2.25.7.{number}.2", "1.2.840.10008.1.2.1",  # type: ignore[arg-type]
        patient_id=f"P{number}", patient_name="Bench^Held", modality="DX", has_pixels=True,
    )  # fmt: skip
    at = _NOW + timedelta(minutes=number)
    return NewInstance(header, f"instances/{number}.dcm", 2_000_000, "MODALITY1", "PACSNODE", "127.0.0.1", at)


def _work(tx: Transaction, new: NewInstance) -> None:
    header, at = new.header, new.received_at
    queue.enqueue_reads(tx, [NewRead(header.sop_instance_uid, header.study_instance_uid, "starter")], at)
    queue.schedule_composes(tx, {(header.study_instance_uid, "starter"): at})


def _claimed(tx: Transaction, count: int) -> Iterator[job_claims.ClaimedJob]:
    at = _NOW + timedelta(days=4000)
    yield from job_claims.claim_some(tx, [JobKind.READ], at, _LEASE_S, "bench", limit=count) if count else ()


def _reading(uid: SOPInstanceUID) -> Reading:
    return Reading(uid, Admission(admitted=True, score=1.0, limit=2.0))


def _report(tx: Transaction, study: str) -> None:
    new = NewAnalysis(study, "starter", "1", Outcome.NEGATIVE, "0" * 64, "negative", "key", _NOW)  # type: ignore[arg-type]
    analysis = analyses.add(tx, new)
    report, series = SOPInstanceUID(f"{study}.9"), SeriesInstanceUID(f"{study}.8")
    rendition = NewRendition("1.2.840.10008.5.1.4.1.1.88.34", report, series, "1.2.840.10008.1.2", b"0" * 64)
    outbox.add(tx, analysis, "pacs", analyses.add_rendition(tx, analysis, rendition), _NOW)


def settle(database: Database) -> None:
    """Let every compose and delivery of the filled database be done, which no benchmark waits for."""

    def done(tx: Transaction) -> None:
        reported = "study_instance_uid IN (SELECT study_instance_uid FROM analyses)"
        tx.connection().exec_driver_sql(f"UPDATE jobs SET state = 'done' WHERE kind = 'compose' AND {reported}")  # noqa: S608 - no value from outside
        tx.connection().exec_driver_sql("UPDATE deliveries SET state = 'done'")

    database.write(done)


def compared(folder: Path, few: int, many: int) -> dict[str, tuple[float, float]]:
    """Return milliseconds with few and with many studies held, on SQLite, by what was done; taken by turns."""
    urls = [f"sqlite:///{folder / f'held-{studies}.db'}" for studies in (few, many)]
    databases = [filled(url, studies) for url, studies in zip(urls, (few, many), strict=True)]
    for database in databases:
        settle(database)
    found: dict[str, list[tuple[float, float]]] = {"claim": [], "studies": [], "deliveries": []}
    for _ in range(5):
        found["claim"].append((claim_ms(databases[0]), claim_ms(databases[1])))
        found["studies"].append((studies_ms(urls[0]), studies_ms(urls[1])))
        found["deliveries"].append((deliveries_ms(urls[0]), deliveries_ms(urls[1])))
    for database in databases:
        database.close()
    median = statistics.median
    return {name: (median(one for one, _ in pairs), median(two for _, two in pairs)) for name, pairs in found.items()}
