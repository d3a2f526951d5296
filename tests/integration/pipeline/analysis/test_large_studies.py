"""A study of thousands of images costs what its images cost, and no more: no files at once, no query for each."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from node.store.arriving import arrivals, instances
from node.store.arriving.instances import NewInstance
from node.store.database import Transaction
from node.store.tables.choices import JobKind
from node.store.working import findings, job_claims, queue
from node.store.working.findings import NewReading
from node.store.working.queue import NewRead
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line, negative

_IMAGES = 5000


def _fill(tx: Transaction, house: House, count: int) -> None:
    """Store rows of so many images whose files are not there."""
    (held,) = instances.of_study(tx, "1.2.3")
    headers = [replace(held.header, sop_instance_uid=f"1.2.3.1.9.{number}") for number in range(count)]  # type: ignore[arg-type]
    at = house.clock() - timedelta(seconds=1)
    news = [NewInstance(header, "gone.dcm", 1, "CR1", "PACSNODE", "127.0.0.1", at) for header in headers]
    arrivals.add_all(tx, news)
    reads = [NewRead(header.sop_instance_uid, "1.2.3", "starter") for header in headers]
    queue.enqueue_reads(tx, reads, at)


def _filled(house: House, count: int) -> Line:
    line = Line(house)
    assert house.receive(radiograph()) == 0
    house.database.write(lambda tx: _fill(tx, house, count))
    # the last to come says whose the study is: its file alone is there
    assert house.receive(radiograph(sop_instance_uid="1.2.3.1.2")) == 0
    return line


def _statements(house: House, count: int) -> int:
    """Return how many statements a claim of 32 reads takes with so many in the study."""
    _filled(house, count)
    engine, asked = house.database._engines[-1], list[str]()
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    house.database.write(lambda tx: job_claims.claim_some(tx, [JobKind.READ], house.clock(), 60, "w", limit=32))
    return len(asked)


@pytest.mark.database("any")
def test_a_claim_asks_as_much_of_a_study_of_thousands_as_of_any(house: House) -> None:
    """Three statements for a batch of 32: who is overdue, what is next, whose they are now."""
    assert _statements(house, _IMAGES) <= 5


def _read_all(tx: Transaction, house: House, line: Line) -> None:
    """Settle every read as a model would that finds nothing."""
    jobs = job_claims.claim_some(tx, [JobKind.READ], house.clock(), 60, "w", limit=10_000)
    job_claims.finish_all(tx, jobs, house.clock())
    model = line.catalogue.served("starter").identity
    readings = [negative(job.sop_instance_uid) for job in jobs]
    findings.put_all(tx, [NewReading("starter", model.version, reading) for reading in readings])


@pytest.mark.database("any")
def test_the_report_of_a_large_study_opens_one_file(house: House) -> None:
    """The files of all images but the newest are not there, and the report names every image."""
    images = 500
    line = _filled(house, images)
    house.database.write(lambda tx: _read_all(tx, house, line))
    house.clock.forward(1000)
    assert line.compose() == 1
    (report,) = line.reports()
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    named = [item for series in study.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]
    assert len(named) == images + 2
