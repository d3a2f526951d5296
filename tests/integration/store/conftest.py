"""Both databases, each fresh for each test."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.domain.instance import InstanceHeader
from node.store import audit, schema
from node.store.arriving import arrivals
from node.store.arriving.instances import NewInstance
from node.store.database import Database, Transaction
from node.store.tables.choices import InstanceKind
from node.store.working import queue
from node.store.working.job_claims import ClaimedJob
from node.store.working.queue import NewRead
from tests.support.databases.claimed import claim_one
from tests.support.databases.stored import COMPOSE, IMAGE, LEASE_S, MODEL, READ, STUDY, Claim

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """Return the time at which a test begins."""
    return NOW


@pytest.fixture
def later() -> Callable[[float], datetime]:
    """Return the time so many seconds after the test's beginning."""
    return lambda seconds: NOW + timedelta(seconds=seconds)


@pytest.fixture
def url(database_url: str) -> str:
    """Return the URL of a fresh database at the newest revision, once for each kind of database."""
    return database_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Open a fresh database, once for each kind."""
    opened = Database.open(url)
    yield opened
    opened.close()


@pytest.fixture
def header() -> Callable[..., InstanceHeader]:
    """Return a function that makes a header; anything but the UIDs can be set."""

    def make(sop_uid: str = "1.2.3.1", study_uid: str = "1.2.3", **elements: object) -> InstanceHeader:
        values = {"series_instance_uid": "1.2.3.0", "modality": "DX", "has_pixels": True} | elements
        return InstanceHeader(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
            sop_instance_uid=sop_uid,
            study_instance_uid=study_uid,
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            **values,
        )

    return make


@pytest.fixture
def add_instance(header: Callable[..., InstanceHeader]) -> Callable[..., NewInstance]:
    """Return a function that stores an instance in a transaction."""

    def add(
        tx: Transaction,
        sop_uid: str = "1.2.3.1",
        study_uid: str = "1.2.3",
        *,
        at: datetime = NOW,
        kind: InstanceKind = InstanceKind.IMAGE,
        turned_away: dict[str, str] | None = None,
        **elements: object,
    ) -> NewInstance:
        new = NewInstance(
            header=header(sop_uid, study_uid, **elements),
            path=f"instances/ab/{sop_uid}.dcm",
            size_bytes=1000,
            calling_ae_title="SCANNER",
            called_ae_title="PACSNODE",
            address="127.0.0.1",
            received_at=at,
            kind=kind,
            turned_away=turned_away or {},
        )
        arrivals.add_all(tx, [new])
        return new

    return add


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
        return database.write(lambda tx: claim_one(tx, kinds, at, LEASE_S, worker, max_attempts=max_attempts))

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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a SQLite file at the newest revision."""
    schema.upgrade(f"sqlite:///{tmp_path / 'node.db'}")
    return tmp_path / "node.db"


@pytest.fixture
def embedded(file: Path) -> Iterator[Database]:
    """Open a SQLite database that waits a tenth of a second for others."""
    opened = Database.open(f"sqlite:///{file}", busy_timeout_s=0.1)
    yield opened
    opened.close()


@pytest.fixture
def note(now: datetime) -> Callable[[str], Callable[[Transaction], str]]:
    """Return a function that makes works which add one audit entry and return its event."""

    def make(event: str) -> Callable[[Transaction], str]:
        def work(tx: Transaction) -> str:
            audit.add(tx, now, event)
            return event

        return work

    return make
