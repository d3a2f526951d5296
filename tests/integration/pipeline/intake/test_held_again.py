"""An instance whose UID is held already: equal, with a changed header, with other pixels, or without its file."""

from dataclasses import replace

import numpy as np
from pydicom.uid import JPEG2000Lossless

from node.dicom.instance.part10 import read_part10
from tests.support.houses.house import PIXELS, House, radiograph

OTHER_PIXELS = np.flipud(PIXELS).copy()


def test_the_same_bytes_again_are_success_and_nothing_new(house: House) -> None:
    """A scanner that lost the answer sends again."""
    house.receive(radiograph())
    assert house.receive(radiograph()) == 0x0000
    assert len(house.kept()) == 1
    assert len(house.rows("SELECT * FROM jobs")) == 2


def test_a_changed_header_is_kept_as_a_revision_and_a_changed_patient_is_composed_again(house: House) -> None:
    """What a PACS sends after reconciliation: no new reading, a new report."""
    house.receive(radiograph())
    house.execute("UPDATE jobs SET state = 'done'")
    house.clock.forward(3600)
    assert house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2")) == 0x0000
    assert house.rows("SELECT kind FROM instance_copies") == [("revision",)]
    assert house.rows("SELECT patient_id FROM studies") == [("ID2",)]
    assert house.rows("SELECT kind, state FROM jobs ORDER BY kind") == [("compose", "waiting"), ("read", "done")]
    assert len(house.kept()) == 2


def test_a_changed_header_of_the_same_patient_causes_no_work(house: House) -> None:
    """A new study description is kept and tells a reader nothing new."""
    house.receive(radiograph())
    house.execute("UPDATE jobs SET state = 'done'")
    assert house.receive(radiograph(study_description="Chest, two views")) == 0x0000
    assert {state for (state,) in house.rows("SELECT state FROM jobs")} == {"done"}


def test_a_revision_sent_twice_is_kept_once(house: House) -> None:
    """The newest header is what the next copy is compared with."""
    for _ in range(2):
        for name in ("Doe^Jane", "Roe^Jane"):
            assert house.receive(radiograph(patient_name=name)) == 0x0000
            assert house.receive(radiograph(patient_name=name)) == 0x0000
    assert len(house.rows("SELECT * FROM instance_copies")) == 3


def test_another_transfer_syntax_is_success_and_the_first_copy_stays(house: House) -> None:
    """A router recompressed it; it is noted."""
    first = radiograph()
    house.receive(first)
    assert house.receive(replace(first, transfer_syntax_uid=JPEG2000Lossless)) == 0x0000
    assert len(house.kept()) == 1
    assert ("other transfer syntax",) in house.rows("SELECT event FROM audit")


def test_other_pixels_under_a_held_uid_are_quarantined(house: House) -> None:
    """0x0111: the first copy stays and is what is read."""
    first = radiograph()
    house.receive(first)
    assert house.receive(radiograph(OTHER_PIXELS)) == 0x0111
    assert [read_part10(file).dataset for file in house.kept()] == [first.dataset]
    assert len(house.kept("quarantine")) == 1
    assert house.rows("SELECT kind FROM instance_copies") == [("quarantined",)]


def test_a_faulty_copy_sent_again_and_again_is_quarantined_once(house: House) -> None:
    """A device that does not stop must not fill the disk."""
    house.receive(radiograph())
    for _ in range(3):
        assert house.receive(radiograph(OTHER_PIXELS)) == 0x0111
    assert len(house.kept("quarantine")) == 1


def test_two_senders_with_two_headers_keep_two_files_for_ever(house: House) -> None:
    """Each of them counts when it came last; neither is written again."""
    for _ in range(4):
        for name in ("Doe^Jane", "Roe^Jane"):
            assert house.receive(radiograph(patient_name=name)) == 0x0000
    assert len(house.kept()) == 2
    assert house.rows("SELECT patient_name FROM studies") == [("Roe^Jane",)]


def test_an_instance_whose_file_is_gone_is_healed_by_the_next_copy(house: House) -> None:
    """And not refused for ever."""
    house.receive(radiograph())
    house.kept()[0].unlink()
    assert house.receive(radiograph()) == 0x0000
    assert house.receive(radiograph()) == 0x0000
    (file,) = house.kept()
    path = file.relative_to(house.folder).as_posix()
    assert house.rows("SELECT path, newest_path FROM instances") == [(path, path)]
