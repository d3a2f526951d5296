"""Both databases, each fresh for each test."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from node.domain.instance import InstanceHeader
from node.store.arriving import arrivals
from node.store.arriving.instances import NewInstance
from node.store.database import Database, Transaction
from node.store.tables import InstanceKind

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
