"""Receiving: what each instance is answered, and what is durable when it is."""

import sqlite3
import threading
import tracemalloc
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from node.dicom.instance.part10 import part10_of, read_part10
from node.domain.errors import Refused
from node.domain.rule import Rule
from node.network.incoming import IncomingInstance
from node.store.disk.files import Free
from node.store.listing import views
from tests.support.houses.house import OUR_DEVICE, SUBJECT, House, announced, radiograph, receive
from tests.support.objects.presentation_state import presentation_state

LARGE_BYTES, FRAGMENT_BYTES = 64 << 20, 128 << 10


def _due(house: House) -> datetime:
    (job,) = [job for job in house.database.read(views.jobs) if job["kind"] == "compose"]
    return datetime.fromisoformat(job["due_at"])


def test_success_is_answered_only_after_file_and_row_are_there(house: House) -> None:
    """Seen from a second connection: the instance, its jobs and its audit entry, and the file bit for bit."""
    came = radiograph()
    assert house.receive(came) == 0x0000
    assert house.rows("SELECT sop_instance_uid FROM instances") == [("1.2.3.1.1",)]
    assert house.rows("SELECT kind, state FROM jobs ORDER BY kind") == [("compose", "waiting"), ("read", "waiting")]
    assert house.rows("SELECT event FROM audit") == [("instance stored",)]
    (file,) = house.kept()
    assert read_part10(file).dataset == came.dataset
    assert house.woken == ["work"]


def test_the_file_has_our_own_meta_information(house: House) -> None:
    """Preamble, transfer syntax and the sender's AE title; the dataset after it is what came."""
    house.receive(radiograph())
    data = house.kept()[0].read_bytes()
    part10 = part10_of(data)
    assert data[128:132] == b"DICM"
    assert b"CR1" in data[:400]
    assert part10.transfer_syntax_uid == "1.2.840.10008.1.2.1"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"sop_instance_uid": "1.2.3.9"}, 0xA900),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}, 0xA900),
        ({"context_sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}, 0xA900),
        ({"dataset": radiograph().dataset[:-100]}, 0xC000),
        ({"dataset": b""}, 0xC000),
        ({"dataset": b"GET / HTTP/1.1\r\n\r\n" * 40}, 0xC000),
        ({"transfer_syntax_uid": "1.2.840.10008.1.2"}, 0xC000),
        ({"transfer_syntax_uid": "1.2.840.10008.1.2.2"}, 0xC000),
    ],
)
def test_what_is_not_the_announced_dataset_is_refused_and_nothing_is_kept(
    house: House, changes: dict[str, Any], status: int
) -> None:
    """DESIGN's answers: 0xA900 where it is not what the command said, 0xC000 where it cannot be parsed."""
    with pytest.raises(Refused) as caught:
        house.receive(replace(radiograph(), **changes))
    assert caught.value.status == status
    assert not house.kept()
    assert not house.kept("incoming")
    assert not house.rows("SELECT * FROM instances")


@pytest.mark.parametrize("uid", ["..", "1..2", "1.2.3/../../4", "", "1" * 65])
def test_a_uid_that_is_none_is_refused(house: House, uid: str) -> None:
    """Whichever of the dataset's UIDs it is, and even where the command says the same."""
    sound = radiograph()
    for name in (b"1.2.3.1.1\0", b"1.2.3.1\0", b"1.2.3\0"):
        padded = uid.encode() + b"\0" * (len(uid) % 2)
        element = len(name).to_bytes(2, "little") + name
        broken = sound.dataset.replace(b"UI" + element, b"UI" + len(padded).to_bytes(2, "little") + padded)
        assert broken != sound.dataset
        command_uid = uid if name == b"1.2.3.1.1\0" else sound.sop_instance_uid
        with pytest.raises(Refused) as caught:
            house.receive(replace(sound, dataset=broken, sop_instance_uid=command_uid))
        assert caught.value.status == 0xA900
    assert not house.kept()


def test_a_disk_at_its_watermark_is_answered_with_a700(house: House) -> None:
    """Before anything is written; and served again once there is room."""
    house.least = Free(1 << 60, 0)
    with pytest.raises(Refused) as caught:
        house.receive(radiograph())
    assert caught.value.status == 0xA700
    house.least = Free(0, 0)
    assert house.receive(radiograph()) == 0x0000


def test_a_store_that_cannot_be_written_is_answered_with_a700(house: House) -> None:
    """A folder in the place of a file's parent stands for any failure of the file system; root writes everywhere."""
    (house.folder / "incoming").rmdir()
    (house.folder / "incoming").touch()
    with pytest.raises(Refused) as caught:
        house.receive(radiograph())
    assert caught.value.status == 0xA700
    assert not house.rows("SELECT * FROM instances")


@pytest.mark.database("sqlite", reason="PostgreSQL has no lock on the whole database")
@pytest.mark.parametrize("busy_timeout_s", [0.5])
def test_a_locked_database_is_answered_with_a700_and_the_instance_can_come_again(house: House) -> None:
    """Nothing is acknowledged that is not committed; the peer's retry finds everything as if it were the first."""
    blocker = sqlite3.connect(house.folder / "node.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused) as caught:
        house.receive(radiograph())
    blocker.execute("ROLLBACK")
    blocker.close()
    assert caught.value.status == 0xA700
    assert not house.kept()
    assert house.receive(radiograph()) == 0x0000
    assert len(house.rows("SELECT * FROM instances")) == 1


def test_a_model_that_is_off_is_the_reason_why_nothing_is_read(house: House) -> None:
    """And is listed as such."""
    house.rules["starter"] = None
    house.receive(radiograph())
    (study,) = house.database.read(lambda tx: views.studies(tx, now=house.clock()))
    assert study["turned_away"] == {"starter": "the model is off"}


def test_one_uid_on_many_associations_at_once_is_one_instance(house: House) -> None:
    """Each is answered with success, and one file is left."""
    receiver, answers = house.receiver, []
    threads = [threading.Thread(target=lambda: answers.append(receive(receiver, radiograph()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [0x0000] * 8
    assert len(house.kept()) == 1
    assert len(house.rows("SELECT * FROM instances")) == 1


def test_an_image_that_no_rule_covers_is_listed_with_the_rule_that_turned_it_away(house: House) -> None:
    """And causes no job."""
    house.receive(radiograph(body_part="HAND"))
    (study,) = house.database.read(lambda tx: views.studies(tx, now=house.clock()))
    assert study["turned_away"] == {"starter": "body part HAND is not in body_parts CHEST"}
    assert study["state"] == "not read"
    assert not house.rows("SELECT * FROM jobs")
    assert house.woken == []


def test_a_model_that_is_off_reads_nothing(house: House) -> None:
    """The rules are asked for each instance, so a change of mode needs no restart."""
    receiver = house.receiver
    house.rules.clear()
    receive(receiver, radiograph())
    assert not house.rows("SELECT * FROM jobs")
    house.rules["starter"] = Rule()
    receive(receiver, radiograph(sop_instance_uid="1.2.3.1.2"))
    assert len(house.rows("SELECT * FROM jobs")) == 2


@pytest.mark.parametrize("ours", [True, False])
def test_objects_of_ours_and_objects_that_are_no_images_start_nothing(house: House, ours: bool) -> None:  # noqa: FBT001
    """A PACS that forwards our results back must not make a loop."""
    came = presentation_state(radiograph(), device_uid=OUR_DEVICE if ours else "")
    assert house.receive(came) == 0x0000
    assert not house.rows("SELECT * FROM jobs")
    assert house.rows("SELECT kind FROM instances") == [("own" if ours else "other",)]
    assert house.rows("SELECT last_received_at FROM studies") == [(None,)]


def test_an_object_that_is_no_image_does_not_extend_the_quiet_period(house: House) -> None:
    """Only images do."""
    house.receive(radiograph())
    due = _due(house)
    house.clock.forward(30)
    house.receive(presentation_state(radiograph(sop_instance_uid="1.2.3.1.9")))
    assert _due(house) == due


def test_each_image_starts_the_quiet_period_again_up_to_the_longest_wait(house: House) -> None:
    """60 s after the newest, never later than 900 s after the first; the time stands in the row."""
    started = house.clock()
    for number in range(40):
        house.receive(radiograph(sop_instance_uid=f"1.2.3.1.{number + 1}"))
        waited = (_due(house) - started).total_seconds()
        assert waited == min(number * 30 + 60, 900)
        house.clock.forward(30)


def test_the_subject_of_these_tests_is_what_the_rule_reads() -> None:
    """Or the tests above would prove nothing."""
    assert SUBJECT.body_part == "CHEST"
    assert SUBJECT.patient_age == "003Y"


@pytest.mark.database("any")
def test_memory_stays_flat_however_large_a_dataset_is(house: House) -> None:
    """Neither the first copy, nor an equal one, nor a revision, nor other pixels are ever in memory as a whole."""
    answers = []
    tracemalloc.start()
    try:
        for name, pixel in (("Doe^Jane", 0), ("Doe^Jane", 0), ("Roe^Jane", 0), ("Roe^Jane", 1)):
            answers.append(_receive_large(house, radiograph(patient_name=name), pixel))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answers == [0x0000, 0x0000, 0x0000, 0x0111]
    assert len(house.kept()) == 2
    assert peak_bytes < LARGE_BYTES // 8


def _receive_large(house: House, came: IncomingInstance, pixel: int) -> int:
    """Bring an instance whose pixels are this value all over, without ever holding it."""
    end = came.dataset.index(b"\xe0\x7f\x10\x00OW")
    head = came.dataset[:end] + b"\xe0\x7f\x10\x00OW\0\0" + LARGE_BYTES.to_bytes(4, "little")
    reception, fragment = house.receiver.begin(announced(came)), memoryview(bytes([pixel]) * FRAGMENT_BYTES)
    reception.write([memoryview(head)])
    for _ in range(LARGE_BYTES // FRAGMENT_BYTES):
        reception.write([fragment])
    return reception.finish()
