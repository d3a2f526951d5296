"""What a start makes of files without rows and rows without files."""

from dataclasses import replace

import numpy as np
import pytest

from node.dicom.instance.part10 import preamble_and_meta, read_part10
from node.network.incoming import IncomingInstance
from node.pipeline.intake.recovery import Recovered
from tests.support.houses.house import PIXELS, House, radiograph

OTHER_PIXELS = np.flipud(PIXELS).copy()


def _unrecorded(house: House, came: IncomingInstance, study_uid: str = "1.2.3") -> str:
    """Leave a file as a kill between rename and commit does, and return its path."""
    part = house.files.open_part()
    meta = preamble_and_meta(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.calling_ae_title)
    part.write([meta, came.dataset])
    return house.files.keep(part, study_uid, came.sop_instance_uid)


def test_a_file_without_a_row_is_recorded_as_if_it_had_just_come(house: House) -> None:
    """With its jobs, where it lies, from whom its meta information says; the timeline tells that it was adopted."""
    path = _unrecorded(house, radiograph())
    assert house.recovery.run() == Recovered(adopted=1)
    assert house.rows("SELECT path, calling_ae_title, address, size_bytes FROM instances") == [
        (path, "CR1", "", len(radiograph().dataset))
    ]
    assert house.rows("SELECT kind, state FROM jobs ORDER BY kind") == [("compose", "waiting"), ("read", "waiting")]
    (entry,) = house.details("instance adopted")
    assert entry["caller"] == "CR1"


def test_the_peer_that_was_not_answered_sends_again_and_is_answered_with_success(house: House) -> None:
    """An adopted instance is held like any other: its second copy is nothing new."""
    _unrecorded(house, radiograph())
    house.recovery.run()
    assert house.receive(radiograph()) == 0x0000
    assert len(house.kept()) == 1


def test_a_file_with_the_bytes_of_a_held_instance_is_removed(house: House) -> None:
    """The peer sent it again after the kill of an earlier process, or it was the second of two at once."""
    house.receive(radiograph())
    kept = house.kept()
    _unrecorded(house, radiograph())
    assert house.recovery.run() == Recovered(removed=1)
    assert house.kept() == kept


def test_a_file_that_differs_from_the_held_instance_is_set_aside(house: House) -> None:
    """A revision or other pixels whose peer was not answered: it comes again; the timeline says where this one went."""
    house.receive(radiograph())
    kept = house.kept()
    _unrecorded(house, radiograph(patient_name="Roe^Jane"))
    assert house.recovery.run() == Recovered(set_aside=1)
    assert house.kept() == kept
    (aside,) = house.kept("quarantine")
    (entry,) = house.details("file set aside")
    assert entry == {"path": f"quarantine/{aside.name}", "reason": "another copy of its UID is held"}


@pytest.mark.parametrize("came", [radiograph(), radiograph(patient_age="004Y")], ids=["same", "revision"])
def test_a_file_without_a_row_heals_a_held_instance_whose_file_is_gone(house: House, came: IncomingInstance) -> None:
    """It counts from now on, is read again, and nothing is told as missing."""
    house.receive(radiograph())
    house.execute("UPDATE jobs SET state = 'done' WHERE kind = 'read'")
    house.kept()[0].unlink()
    path = _unrecorded(house, came)
    assert house.recovery.run() == Recovered(healed=1)
    assert house.rows("SELECT path, newest_path FROM instances") == [(path, path)]
    assert house.rows("SELECT state FROM jobs WHERE kind = 'read'") == [("waiting",)]
    assert not house.details("stored files are missing")
    assert house.recovery.run() == Recovered()


def test_a_file_of_another_patient_heals_nothing(house: House) -> None:
    """It is quarantined with a row, for an operator to decide, and the loss is told."""
    house.receive(radiograph())
    house.kept()[0].unlink()
    _unrecorded(house, radiograph(patient_id="ID2"))
    found = house.recovery.run()
    assert (found.healed, found.set_aside, found.missing) == (0, 1, 1)
    assert house.rows("SELECT kind FROM instance_copies") == [("quarantined",)]


@pytest.mark.parametrize("spoilt", [b"", b"no DICOM", b"\0" * 128 + b"DICM", radiograph().dataset[:-10]])
def test_a_file_that_is_no_sound_instance_is_set_aside(house: House, spoilt: bytes) -> None:
    """A disk that lied about its sync leaves such; nothing of it is read."""
    path = house.files.path(_unrecorded(house, radiograph()))
    path.write_bytes(path.read_bytes()[: -len(radiograph().dataset)] + spoilt if len(spoilt) > 200 else spoilt)
    assert house.recovery.run() == Recovered(set_aside=1)
    assert [file.name for file in house.kept("quarantine")] == [path.name]
    assert not house.rows("SELECT * FROM instances")


@pytest.mark.parametrize("spoilt", [b"", radiograph(patient_name="Roe^Jane").dataset])
def test_a_file_that_cannot_be_set_aside_holds_up_no_start(house: House, spoilt: bytes) -> None:
    """No sound instance, or another copy of a held UID: it stays for the next start, and the others are settled."""
    house.receive(radiograph())
    path = house.files.path(_unrecorded(house, replace(radiograph(), dataset=spoilt)))
    _unrecorded(house, radiograph(sop_instance_uid="1.2.3.1.2"))
    (house.folder / "quarantine").rmdir()
    (house.folder / "quarantine").touch()
    assert house.recovery.run() == Recovered(adopted=1)
    assert path.is_file()
    (house.folder / "quarantine").unlink()
    (house.folder / "quarantine").mkdir()
    assert house.recovery.run() == Recovered(set_aside=1)


def test_a_held_file_that_cannot_be_read_holds_up_no_start(house: House) -> None:
    """One bad file of thousands: what came again beside it waits, and the others are settled."""
    house.receive(radiograph())
    (held,) = house.kept()
    held.unlink()
    held.mkdir()  # to open it fails, for root too
    again = house.files.path(_unrecorded(house, radiograph()))
    _unrecorded(house, radiograph(sop_instance_uid="1.2.3.1.2"))
    assert house.recovery.run() == Recovered(adopted=1)
    assert again.is_file()


def test_two_files_of_one_uid_are_adopted_once(house: House) -> None:
    """The same instance was under way on two associations."""
    for _ in range(2):
        _unrecorded(house, radiograph())
    assert house.recovery.run() == Recovered(adopted=1, removed=1)
    assert len(house.kept()) == 1


def test_what_rows_name_stays_where_it_is(house: House) -> None:
    """First copies, revisions and quarantined ones, whatever the order of their names."""
    for number in range(20):
        house.receive(radiograph(sop_instance_uid=f"1.2.3.1.{number}", study_instance_uid=f"1.2.3.{number}"))
    house.receive(radiograph(sop_instance_uid="1.2.3.1.1", study_instance_uid="1.2.3.1", patient_name="Roe^Jane"))
    house.receive(radiograph(OTHER_PIXELS, sop_instance_uid="1.2.3.1.2", study_instance_uid="1.2.3.2"))
    before = house.kept() + house.kept("quarantine")
    assert len(before) == 22
    assert house.recovery.run() == Recovered()
    assert house.kept() + house.kept("quarantine") == before


def test_more_files_than_one_transaction_takes_are_all_adopted(house: House) -> None:
    """A database put back from an older copy knows nothing of newer files."""
    paths = {
        _unrecorded(house, radiograph(sop_instance_uid=f"1.2.3.1.{number}", study_instance_uid=study), study)
        for number in range(150)
        for study in [f"1.2.3.{number % 7}"]
    }
    house.receive(radiograph(sop_instance_uid="1.2.3.1.9999"))
    assert house.recovery.run() == Recovered(adopted=150)
    assert {path for (path,) in house.rows("SELECT path FROM instances")} > paths


def test_rows_whose_file_is_gone_are_told_once_a_start(house: House) -> None:
    """How many, and which first; the next copy of such an instance heals it."""
    for number in range(7):
        house.receive(radiograph(sop_instance_uid=f"1.2.3.1.{number}"))
    gone = sorted(path.relative_to(house.folder).as_posix() for path in house.kept())
    for path in gone:
        house.files.remove(path)
    found = house.recovery.run()
    assert found == Recovered(missing=7, first_missing=gone[:5])
    assert house.details("stored files are missing") == [{"files": 7, "first": gone[:5]}]


def test_temporaries_are_swept(house: House) -> None:
    """Nothing of them was acknowledged, and nobody writes them any more."""
    (house.folder / "incoming" / "0123456789abcdef.part").write_bytes(b"half")
    house.recovery.run()
    assert not house.kept("incoming")


def test_an_adopted_file_is_the_file_that_was_left(house: House) -> None:
    """Nothing is copied or written anew."""
    came = replace(radiograph(), calling_ae_title="CT 1")
    path = house.files.path(_unrecorded(house, came))
    house.recovery.run()
    assert read_part10(path).dataset == came.dataset
    assert house.rows("SELECT calling_ae_title FROM instances") == [("CT 1",)]
