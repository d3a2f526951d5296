"""A disk or a database that fails: each instance is answered with 0xA700, nothing is left, and all works again."""

import resource
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from node.domain.errors import Refused
from node.network.peer import Rejected
from node.network.scp import ScpSettings, StorageSCP
from node.network.scu import PeerAddress, open_association
from node.pipeline.intake.receive import Receiver
from node.pipeline.steps import Step
from node.store.connection import engines
from node.store.database import Database
from node.store.disk.files import Free
from tests.support.databases.postgres import PostgresServer
from tests.support.houses.house import PIXELS, House, announced, radiograph, receive

ON_SQLITE = pytest.mark.database("sqlite", reason="PostgreSQL has no lock on the whole database")
ON_POSTGRESQL = pytest.mark.database("postgresql")


def _left(house: House) -> list[str]:
    folders = (house.folder / name for name in ("incoming", "instances", "quarantine"))
    return [path.name for folder in folders for path in folder.rglob("*") if path.is_file()]


def _is_refused(house: House, receiver: Receiver) -> None:
    """See that an instance is answered with 0xA700, that nothing of it is left, and that no peer is let in."""
    with pytest.raises(Refused) as caught:
        _brought(receiver)
    assert caught.value.status == 0xA700
    assert not _left(house)
    assert receiver.congestion.reason() is not None


def _brought(receiver: Receiver) -> int:
    came = radiograph()
    reception = receiver.begin(announced(came))
    reception.write([memoryview(came.dataset)])
    return reception.finish()


def _works_again(house: House, receiver: Receiver) -> None:
    """See that nothing had to be restarted."""
    assert receiver.congestion.reason() is None
    assert _brought(receiver) == 0x0000
    assert len(house.rows("SELECT * FROM instances")) == 1
    assert len(_left(house)) == 1


@contextmanager
def _largest_file(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow further: the write fails half way, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_half_way_through_a_dataset_leaves_nothing(house: House) -> None:
    """The first fragments fit, the next ones do not, and the rest of the dataset is refused with the reason."""
    receiver, came = house.receiver, radiograph()
    reception = receiver.begin(announced(came))
    view = memoryview(came.dataset)
    reception.write([view[:1000]])
    with _largest_file(2000):
        with pytest.raises(Refused) as caught:
            reception.write([view[1000:1400], view[1400:]])
        reception.abandon()
        assert caught.value.status == 0xA700
        assert not _left(house)
        assert receiver.congestion.reason() is not None
    _works_again(house, receiver)


def test_a_full_disk_is_found_out_before_the_next_instance_begins(house: House) -> None:
    """Until there is room nothing more is written: a peer that tries for hours costs no more than a look."""
    receiver = house.receiver
    with _largest_file(2000):
        for _ in range(2):
            _is_refused(house, receiver)
        with pytest.raises(Refused):
            receiver.begin(announced(radiograph()))
    _works_again(house, receiver)


def test_a_folder_that_is_gone_is_answered_with_a700_until_it_is_back(house: House) -> None:
    """A share that was unmounted; permissions would not stop root."""
    receiver, away = house.receiver, house.folder / "away"
    (house.folder / "incoming").rename(away)
    _is_refused(house, receiver)
    away.rename(house.folder / "incoming")
    _works_again(house, receiver)


def test_a_place_that_cannot_be_written_leaves_no_temporary(house: House) -> None:
    """The temporary is whole and on the disk when its folder turns out to be unusable."""
    receiver = house.receiver
    (house.folder / "instances").rmdir()
    (house.folder / "instances").touch()
    with pytest.raises(Refused) as caught:
        _brought(receiver)
    assert caught.value.status == 0xA700
    assert not list((house.folder / "incoming").iterdir())
    (house.folder / "instances").unlink()
    (house.folder / "instances").mkdir()
    _works_again(house, receiver)


@ON_SQLITE
@pytest.mark.parametrize("busy_timeout_s", [0.5])
def test_a_database_that_stays_locked_is_answered_with_a700_until_it_is_let_go(house: House) -> None:
    """Another program holds the file beyond the time-out."""
    receiver = house.receiver
    blocker = sqlite3.connect(house.folder / "node.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    _is_refused(house, receiver)
    blocker.execute("ROLLBACK")
    blocker.close()
    _works_again(house, receiver)


@ON_SQLITE
@pytest.mark.parametrize("busy_timeout_s", [0.5])
@pytest.mark.parametrize("changes", [{"patient_name": "Roe^Jane"}, {"pixels": PIXELS[::-1].copy()}])
def test_a_second_copy_that_cannot_be_recorded_leaves_nothing(house: House, changes: dict[str, Any]) -> None:
    """A revision, and other pixels: the lock comes when the copy is compared already, and its file has its place."""
    house.receive(radiograph())
    before = _left(house)
    locked = threading.Event()
    blocker = sqlite3.connect(house.folder / "node.db", isolation_level=None, check_same_thread=False)

    def lock(step: Step) -> None:
        if step is Step.COMMITTED:
            blocker.execute("BEGIN IMMEDIATE")
            locked.set()

    with pytest.raises(Refused) as caught:
        receive(house.receiver_that_tells(lock), radiograph(**changes))
    assert caught.value.status == 0xA700
    assert locked.is_set()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert _left(house) == before
    assert not house.rows("SELECT * FROM instance_copies")
    assert house.receive(radiograph(**changes)) in {0x0000, 0x0111}
    assert len(house.rows("SELECT * FROM instance_copies")) == 1


@ON_POSTGRESQL
def test_a_row_that_stays_locked_leaves_no_file_however_often_a_peer_tries(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is there and answers a ping, so each try comes as far as the transaction, which is undone."""
    monkeypatch.setattr(engines, "LONGEST_WAIT_S", 1.0)
    with closing(Database.open(house.url)) as database, psycopg.connect(house.url.replace("+psycopg", "")) as other:
        impatient = replace(house, database=database)
        receiver = impatient.receiver
        other.execute("LOCK TABLE studies IN ACCESS EXCLUSIVE MODE")
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                _brought(receiver)
            assert caught.value.status == 0xA700
            assert receiver.congestion.reason() is None
        assert not _left(house)
        other.rollback()
        _works_again(impatient, receiver)


@ON_POSTGRESQL
def test_a_server_that_is_lost_in_the_commit_leaves_the_file_to_the_next_start(
    house: House, postgres_server: PostgresServer
) -> None:
    """It may have committed, and then the row names the file."""
    me: list[int] = []

    def cut_off(step: Step) -> None:
        if step is Step.RECORDED:
            with psycopg.connect(house.url.replace("+psycopg", ""), autocommit=True) as other:
                busy = (
                    "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND pid <> pg_backend_pid()"
                )
                me.extend(pid for (pid,) in other.execute(busy))
            postgres_server.execute(f"SELECT pg_terminate_backend({me[0]}, 5000)")

    with pytest.raises(Refused):
        receive(house.receiver_that_tells(cut_off), radiograph())
    assert len(_left(house)) == 1
    assert house.recovery.run().adopted == 1


@ON_POSTGRESQL
def test_a_database_server_that_is_killed_is_answered_with_a700_until_it_is_back(
    house: House, postgres_server: PostgresServer
) -> None:
    """Its connections are lost, and the next start of the server serves again without a restart of the node."""
    receiver = house.receiver
    postgres_server.stop()
    try:
        with pytest.raises(Refused) as caught:
            _brought(receiver)
        assert caught.value.status == 0xA700
        assert receiver.congestion.reason() is not None
        with pytest.raises(Refused):
            receiver.begin(announced(radiograph()))
        assert not list((house.folder / "incoming").iterdir())
    finally:
        postgres_server.start()
    assert receiver.congestion.reason() is None
    assert _brought(receiver) == 0x0000
    assert len(house.rows("SELECT * FROM instances")) == 1


@pytest.mark.parametrize("least", [Free(1 << 60, 0), Free(0, sys.maxsize + 1)])
def test_a_disk_at_its_watermark_refuses_instances_and_associations(house: House, least: Free) -> None:
    """In bytes and in inodes, before anything is written."""
    sound, house.least = house.least, least
    _is_refused(house, house.receiver)
    house.least = sound
    _works_again(house, house.receiver)


@pytest.mark.database("any")
def test_a_large_instance_is_refused_when_the_disk_reaches_its_watermark_on_the_way(house: House) -> None:
    """Its length is not known before it is there, so room is asked for again and again while it comes."""
    receiver, came = house.receiver, radiograph()
    reception = receiver.begin(announced(came))
    reception.write([memoryview(came.dataset)])
    receiver.congestion._least = Free(1 << 60, 0)
    fragment = memoryview(bytes(80 << 20))
    with pytest.raises(Refused) as caught:
        reception.write([fragment])
    reception.abandon()
    assert caught.value.status == 0xA700
    assert not _left(house)


@pytest.mark.database("any")
def test_associations_are_rejected_transiently_until_the_store_works_again(house: House) -> None:
    """(2,3,1), over a real association, which also brings the node to look again."""
    receiver = house.receiver
    settings = ScpSettings("PACSNODE", bind="127.0.0.1", port=0, accept_any_calling_ae=True)
    scp = StorageSCP(settings, receiver.begin, lambda _: None, receiver.congestion.reason)
    address, came = PeerAddress("PACSNODE", "127.0.0.1", scp.start()), radiograph()
    context = (came.sop_class_uid, came.transfer_syntax_uid)
    away = house.folder / "away"
    try:
        (house.folder / "incoming").rename(away)
        _is_refused(house, receiver)
        with pytest.raises(Rejected) as caught, open_association(address, "CR1", [context]):
            pass
        assert caught.value.codes == (2, 3, 1)
        away.rename(house.folder / "incoming")
        with open_association(address, "CR1", [context]):
            pass
    finally:
        scp.stop()
