"""Many arrivals in one transaction leave exactly what they would leave one by one."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.store import audit
from node.store.arriving import arrivals, instances
from node.store.arriving.instances import NewInstance
from node.store.database import Database, Transaction
from node.store.tables.choices import InstanceKind
from node.store.working import analyses, job_claims, queue
from node.store.working.analyses import NewAnalysis, NewRendition
from node.store.working.queue import NewRead
from tests.support.databases.claimed import claim_one
from tests.support.databases.stored import Later

MODEL = "starter"
TABLES = {
    "studies": "study_instance_uid",
    "instances": "sop_instance_uid",
    "jobs": "kind, subject_uid, model",
    "audit": "id",
}

Arrive = Callable[..., NewInstance]


@pytest.fixture
def arrival(header: Callable[..., InstanceHeader], later: Later) -> Arrive:
    """Return a function that makes an instance whose file is kept."""

    def make(
        sop_uid: str,
        study_uid: str = "1.2.3",
        *,
        at: float = 0,
        kind: InstanceKind = InstanceKind.IMAGE,
        **elements: object,
    ) -> NewInstance:
        return NewInstance(
            header=header(sop_uid, study_uid, **elements),
            path=f"instances/ab/{sop_uid}.dcm",
            size_bytes=1000,
            calling_ae_title="SCANNER",
            called_ae_title="PACSNODE",
            address="127.0.0.1",
            received_at=later(at),
            kind=kind,
            turned_away={"other": "modality DX is not in modalities CT"},
        )

    return make


def _rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table; a job's number is left out: it says only in which order they were written."""

    def all_of(tx: Transaction, table: str, order: str) -> list[dict[str, Any]]:
        rows = tx.execute(text(f"SELECT * FROM {table} ORDER BY {order}")).mappings()  # noqa: S608
        return [{name: value for name, value in row.items() if (table, name) != ("jobs", "id")} for row in rows]

    return database.read(lambda tx: {table: all_of(tx, table, order) for table, order in TABLES.items()})


def _one_by_one(database: Database, came: Sequence[NewInstance], due: datetime) -> None:
    for new in came:
        _together(database, [new], due)


def _together(database: Database, came: Sequence[NewInstance], due: datetime) -> None:
    def record(tx: Transaction) -> None:
        arrivals.add_all(tx, came)
        for at, group in itertools.groupby(came, key=lambda new: new.received_at):
            reads = [_read(new) for new in group if new.kind is InstanceKind.IMAGE]
            queue.enqueue_reads(tx, reads, at)
        images = [new for new in came if new.kind is InstanceKind.IMAGE]
        queue.schedule_composes(tx, {(new.header.study_instance_uid, MODEL): due for new in images})
        audit.add_all(tx, [_entry(new) for new in came])

    database.write(record)


def _read(new: NewInstance) -> NewRead:
    return NewRead(new.header.sop_instance_uid, new.header.study_instance_uid, MODEL)


def _entry(new: NewInstance) -> audit.Entry:
    uids = new.header.study_instance_uid, new.header.sop_instance_uid
    return audit.Entry(new.received_at, "instance stored", *uids, {"caller": new.calling_ae_title})


def test_a_group_leaves_what_its_arrivals_leave_one_by_one(
    database: Database, arrival: Arrive, later: Later, url: str
) -> None:
    """Row for row and column for column, over several studies and kinds, also where a study is known already."""
    before = [arrival("1.1", patient_name="Before^The group"), arrival("5.1", "5", kind=InstanceKind.OTHER)]
    came = [
        arrival("1.4", at=1, patient_name="Older^Name"),
        arrival("1.3", at=2, patient_name="Newer^Name", synthetic=True, image_type=("ORIGINAL", "PRIMARY")),
        arrival("4.9", "4", at=1, kind=InstanceKind.OTHER, patient_name="Of no image"),
        arrival("4.8", "4", at=2, patient_name="Müller^Änne", patient_id="\0", study_date="20260301"),
        arrival("4.7", "4", at=3, kind=InstanceKind.OWN, patient_name="Of no image either"),
        arrival("5.2", "5", at=2, kind=InstanceKind.OTHER),
        arrival("6.1", "6", at=3, kind=InstanceKind.OTHER),
    ]
    left = {}
    for store in (_one_by_one, _together):
        _one_by_one(database, before, later(60))
        store(database, came, later(90))
        left[store] = _rows(database)
        database.write(_empty)

    assert left[_together] == left[_one_by_one]
    assert {table: len(rows) for table, rows in left[_together].items()} == {
        "studies": 4,
        "instances": 9,
        "jobs": 6,
        "audit": 9,
    }


def _empty(tx: Transaction) -> None:
    for table in ("audit", "jobs", "instances", "studies"):
        tx.execute(text(f"DELETE FROM {table}"))  # noqa: S608
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(text("ALTER SEQUENCE audit_id_seq RESTART"))


def test_the_newest_image_of_a_study_names_the_patient(database: Database, arrival: Arrive, later: Later) -> None:
    """The last of the group, whatever the clock said, and of two that came at once."""
    older, newer = arrival("1.1", at=5, patient_name="Older"), arrival("1.2", at=1, patient_name="Newest")
    first, second = arrival("2.1", "2", patient_name="First"), arrival("2.2", "2", patient_name="Second")

    database.write(lambda tx: arrivals.add_all(tx, [older, newer, first, second]))

    studies = {row["study_instance_uid"]: row for row in _rows(database)["studies"]}
    assert studies["1.2.3"]["patient_name"] == "Newest"
    assert studies["2"]["patient_name"] == "Second"


def test_times_of_a_study_span_its_group(database: Database, arrival: Arrive, later: Later) -> None:
    """The first time is the earliest, the last one the latest of an image, and it never moves back."""
    database.write(lambda tx: arrivals.add_all(tx, [arrival("1.1", at=20), arrival("1.2", at=10)]))
    database.write(lambda tx: arrivals.add_all(tx, [arrival("1.3", at=15)]))

    seen = database.read(
        lambda tx: tx.execute(text("SELECT count(*) FROM studies WHERE first_received_at < last_received_at")).scalar()
    )
    first = database.read(lambda tx: instances.held(tx, "1.2"))
    assert seen == 1
    assert first is not None
    assert database.read(instances.newest_received_at) == later(20)


def test_what_is_held_and_what_is_ours_is_known(database: Database, arrival: Arrive, now: datetime) -> None:
    """In one look, for any number of UIDs."""

    def fill(tx: Transaction) -> None:
        arrivals.add_all(tx, [arrival("1.1"), arrival("1.2")])
        new = NewAnalysis(StudyInstanceUID("1.2.3"), MODEL, "1", Outcome.NEGATIVE, "d", "c", "k", now)
        rendition = NewRendition("1", SOPInstanceUID("2.25.1"), SeriesInstanceUID("2.25.2"), "1.2", b"")
        analyses.add_rendition(tx, analyses.add(tx, new), rendition)

    database.write(fill)

    known = database.read(lambda tx: arrivals.known_among(tx, ["1.1", "9.9", "2.25.1", "1.2", "'); --"]))

    assert known == arrivals.Known(held=frozenset({"1.1", "1.2"}), own=frozenset({"2.25.1"}))
    assert database.read(lambda tx: arrivals.known_among(tx, [])) == arrivals.Known(frozenset(), frozenset())


@pytest.mark.parametrize("number", [1, 2, 8, 9, 600, 1300])
def test_any_number_of_uids_is_looked_up(database: Database, arrival: Arrive, number: int) -> None:
    """One, some, and more than a statement takes at once."""
    uids = [f"1.{uid}" for uid in range(number)]
    database.write(lambda tx: arrivals.add_all(tx, [arrival(uid) for uid in uids[1::2]]))

    known = database.read(lambda tx: arrivals.known_among(tx, uids))

    assert known.held == frozenset(uids[1::2])


def test_a_uid_that_is_held_is_refused_with_its_whole_group(database: Database, arrival: Arrive) -> None:
    """By the table itself: whoever did not look before keeps nothing."""
    database.write(lambda tx: arrivals.add_all(tx, [arrival("1.1")]))

    with pytest.raises(IntegrityError) as raised:
        database.write(lambda tx: arrivals.add_all(tx, [arrival("2.1", "2"), arrival("1.1")]))

    assert "1.2.3" not in str(raised.value)
    assert [row["study_instance_uid"] for row in _rows(database)["studies"]] == ["1.2.3"]


def test_reads_and_composes_of_a_running_study_are_put_back(database: Database, arrival: Arrive, later: Later) -> None:
    """As one by one: what a compose in hand does not hold yet is composed after it."""
    _together(database, [arrival("1.1")], later(0))
    read = database.write(lambda tx: claim_one(tx, ["read"], later(0), 60, "w"))
    assert read is not None
    database.write(lambda tx: job_claims.finish(tx, read, later(0)))
    compose = database.write(lambda tx: claim_one(tx, ["compose"], later(1), 60, "w"))
    assert compose is not None

    _together(database, [replace(arrival("1.2"), received_at=later(2))], later(90))
    database.write(lambda tx: job_claims.finish(tx, compose, later(3)))

    jobs = [(row["kind"], row["subject_uid"], row["state"]) for row in _rows(database)["jobs"]]
    assert jobs == [("compose", "1.2.3", "waiting"), ("read", "1.1", "done"), ("read", "1.2", "waiting")]
    assert database.read(lambda tx: job_claims.next_due(tx, ["read"], later(1))) == later(2)


def test_the_first_image_of_a_study_is_found_without_counting_the_others(database: Database, arrival: Arrive) -> None:
    """The index serves the question: a study of thousands of images asks as cheaply as one of two."""
    database.write(lambda tx: arrivals.add_all(tx, [arrival(f"1.{number}") for number in range(300)]))

    plan = database.read(
        lambda tx: _plan(tx, "SELECT min(received_at) FROM instances WHERE study_instance_uid = '1' AND kind = 'image'")
    )

    assert "ix_instances_study_instance_uid_kind_received_at" in plan


def _plan(tx: Transaction, query: str) -> str:
    is_sqlite = tx.get_bind().dialect.name == "sqlite"
    rows = tx.execute(text(f"EXPLAIN {'QUERY PLAN' if is_sqlite else ''} {query}")).all()
    return " ".join(str(row[-1]) for row in rows)


def test_processes_that_write_the_same_studies_get_through(url: str, arrival: Arrive, later: Later) -> None:
    """Two databases opened on one, eight threads, the same studies in opposite orders: all is kept."""
    processes = [Database.open(url, busy_timeout_s=20) for _ in range(2)]

    def come(number: int) -> None:
        studies = range(6) if number % 2 else reversed(range(6))
        came = [arrival(f"{study}.{number}", str(study)) for study in studies]
        _together(processes[number % 2], came, later(60))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come, range(40)))

    rows = _rows(processes[0])
    for process in processes:
        process.close()
    assert (len(rows["studies"]), len(rows["instances"]), len(rows["jobs"])) == (6, 240, 246)
