"""The same SOP Instance UID again, in each of the ways in which it comes; also twice at once."""

import os
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import read_part10
from node.network.incoming import IncomingInstance
from node.pipeline.intake.arrival import Arrival
from node.store.listing import views
from tests.support.houses.house import PIXELS, House, announced, radiograph, receive

OTHER_PIXELS = np.flipud(PIXELS).copy()
BOTH_AT_ONCE = 8


def _at_once(house: House, copies: Sequence[IncomingInstance]) -> list[int]:
    """Bring copies on an association each, begun together; return their answers in the same order."""
    receiver, answers = house.receiver, dict.fromkeys(range(len(copies)), -1)
    together = threading.Barrier(len(copies))

    def bring(number: int) -> None:
        together.wait(30)
        answers[number] = receive(receiver, copies[number])

    threads = [threading.Thread(target=bring, args=(number,)) for number in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return list(answers.values())


def _reencoded(came: IncomingInstance) -> IncomingInstance:
    """Return the instance as a router brings it that calls it compressed; nothing of it is decoded here."""
    return replace(came, transfer_syntax_uid=JPEG2000Lossless)


def _deflated(came: IncomingInstance) -> IncomingInstance:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflater.compress(came.dataset) + deflater.flush()
    return replace(came, dataset=data + b"\0" * (len(data) % 2), transfer_syntax_uid=DeflatedExplicitVRLittleEndian)


def test_a_deflated_copy_is_compared_by_what_it_inflates_to(house: House) -> None:
    """Equal bytes, a changed header and other pixels, all of them deflated."""
    assert house.receive(_deflated(radiograph())) == 0x0000
    assert house.receive(_deflated(radiograph())) == 0x0000
    assert house.receive(_deflated(radiograph(patient_name="Roe^Jane"))) == 0x0000
    assert house.receive(_deflated(radiograph(OTHER_PIXELS))) == 0x0111
    assert house.rows("SELECT kind FROM instance_copies ORDER BY id") == [("revision",), ("quarantined",)]
    assert not house.kept("incoming")


def test_a_copy_of_another_patient_in_another_transfer_syntax_is_quarantined_and_told(house: House) -> None:
    """It may be a correction or a UID that was used twice: neither counts as the other, and people are told."""
    house.receive(radiograph())
    assert house.receive(_reencoded(radiograph(patient_name="Roe^Jane", patient_id="ID2"))) == 0x0000
    assert house.rows("SELECT patient_id FROM studies") == [("ID1",)]
    assert len(house.kept("quarantine")) == 1
    (entry,) = house.details("instance quarantined")
    assert entry["reason"] == "another patient or study, and pixels that cannot be compared"
    study = house.database.read(lambda tx: views.study(tx, "1.2.3", now=house.clock()))
    assert [copy["reason"] for copy in study["copies"]] == [entry["reason"]]


def test_a_copy_that_names_another_study_is_told_in_the_timelines_of_both(house: House) -> None:
    """Whichever of them an operator looks at."""
    house.receive(radiograph())
    house.receive(radiograph(study_instance_uid="1.2.4", sop_instance_uid="1.2.4.1.1"))
    assert house.receive(_reencoded(radiograph(study_instance_uid="1.2.4"))) == 0x0000
    for study in ("1.2.3", "1.2.4"):
        shown = house.database.read(lambda tx, uid=study: views.study(tx, uid, now=house.clock()))
        assert "instance quarantined" in [entry["event"] for entry in shown["timeline"]]


def test_such_a_copy_sent_again_is_kept_once(house: House) -> None:
    """A router that does not stop must not fill the disk."""
    house.receive(radiograph())
    for _ in range(3):
        assert house.receive(_reencoded(radiograph(patient_id="ID2"))) == 0x0000
    assert len(house.kept("quarantine")) == 1


def test_a_copy_in_another_transfer_syntax_is_compared_with_the_newest_header(house: House) -> None:
    """The router brings the corrected study in its own encoding after the PACS has brought it in ours."""
    house.receive(radiograph())
    house.receive(radiograph(patient_name="Roe^Jane"))
    assert house.receive(_reencoded(radiograph(patient_name="Roe^Jane"))) == 0x0000
    assert not house.kept("quarantine")
    assert len(house.details("other transfer syntax")) == 1


@pytest.mark.parametrize(
    ("second", "answers", "kinds"),
    [
        (radiograph, {0x0000}, []),
        (lambda: _reencoded(radiograph()), {0x0000}, []),
        (lambda: radiograph(study_description="Chest, two views"), {0x0000}, ["revision"]),
        (lambda: radiograph(OTHER_PIXELS), {0x0000, 0x0111}, ["quarantined"]),
    ],
)
def test_two_copies_that_come_at_once_are_settled_as_if_one_came_first(
    house: House, second: Callable[[], IncomingInstance], answers: set[int], kinds: list[str]
) -> None:
    """Half of the associations bring the one, half the other; one of them is the first, whichever it is."""
    got = _at_once(house, [radiograph(), second()] * (BOTH_AT_ONCE // 2))
    assert set(got) == answers
    assert len(house.rows("SELECT * FROM instances")) == 1
    assert {kind for (kind,) in house.rows("SELECT kind FROM instance_copies")} == set(kinds)
    assert len(house.rows("SELECT * FROM jobs")) == 2
    assert not house.kept("incoming")


def test_one_revision_on_many_associations_at_once_is_kept_once(house: House) -> None:
    """The comparison holds only until another copy is recorded, and is then made anew."""
    house.receive(radiograph())
    revision = radiograph(patient_name="Roe^Jane")
    assert _at_once(house, [revision] * BOTH_AT_ONCE) == [0x0000] * BOTH_AT_ONCE
    assert house.rows("SELECT kind FROM instance_copies") == [("revision",)]
    assert len(house.kept()) == 2


def test_other_pixels_on_many_associations_at_once_are_quarantined_once(house: House) -> None:
    """Each is answered with 0x0111."""
    house.receive(radiograph())
    assert _at_once(house, [radiograph(OTHER_PIXELS)] * BOTH_AT_ONCE) == [0x0111] * BOTH_AT_ONCE
    assert house.rows("SELECT kind FROM instance_copies") == [("quarantined",)]
    assert len(house.kept("quarantine")) == 1
    assert len(house.kept()) == 1


def test_copies_in_one_group_of_the_commit_are_one_instance(house: House) -> None:
    """Of those that are recorded together the first is new, and the others are told that it is held."""
    came = radiograph()
    part = house.files.open_part()
    part.write([came.dataset])
    path = house.files.keep(part, "1.2.3", "1.2.3.1.1")
    arrival = Arrival(announced(came), inspect(came.dataset, came.transfer_syntax_uid), path, len(came.dataset))
    assert house.database.write(lambda tx: house.recorder.record(tx, [arrival, arrival])) == [1, None]
    assert len(house.rows("SELECT * FROM instances")) == 1


def test_a_lost_file_is_not_replaced_by_another_patients(house: House) -> None:
    """There are no pixels any more to compare with, so it may be a UID that was used twice."""
    house.receive(radiograph())
    house.kept()[0].unlink()
    assert house.receive(radiograph(patient_id="ID2")) == 0x0000
    assert house.rows("SELECT patient_id FROM studies") == [("ID1",)]
    assert len(house.kept("quarantine")) == 1
    assert house.receive(radiograph()) == 0x0000
    assert len(house.kept()) == 1


@pytest.mark.parametrize("settled", ["buried", "done"])
def test_what_heals_a_lost_file_is_read_again(house: House, settled: str) -> None:
    """The read failed of the file, or found nothing in it that could be decoded; nobody should have to ask for more."""
    house.receive(radiograph())
    house.kept()[0].unlink()
    house.execute(f"UPDATE jobs SET state = '{settled}'")  # noqa: S608 - one of two words
    assert house.receive(radiograph()) == 0x0000
    assert house.rows("SELECT kind, state, model FROM jobs ORDER BY kind") == [
        ("compose", "waiting", "starter"),
        ("read", "waiting", "starter"),
    ]


def test_a_torn_file_is_healed_by_a_copy_in_another_transfer_syntax(house: House) -> None:
    """That copy is the only whole one, so it is not left as one that is held already."""
    came = radiograph()
    house.receive(came)
    (held,) = house.kept()
    os.truncate(held, held.stat().st_size - 100)
    again = _deflated(came)
    assert house.receive(again) == 0x0000
    (newest,) = house.rows("SELECT newest_path FROM instances")
    assert read_part10(house.folder / newest[0]).dataset == again.dataset


def test_a_corrected_header_is_no_reason_to_read_again(house: House) -> None:
    """The pixels were compared, and are the same."""
    house.receive(radiograph())
    house.execute("UPDATE jobs SET state = 'done'")
    assert house.receive(radiograph(patient_name="Roe^Jane")) == 0x0000
    assert house.rows("SELECT state FROM jobs WHERE kind = 'read'") == [("done",)]


def test_a_spoilt_file_is_healed_by_the_next_copy(house: House) -> None:
    """Bytes that are no DICOM file any more cannot be compared with; the copy takes their place."""
    house.receive(radiograph())
    house.kept()[0].write_bytes(b"spoilt")
    assert house.receive(radiograph()) == 0x0000
    (newest,) = house.rows("SELECT newest_path FROM instances")
    assert read_part10(house.folder / newest[0]).dataset == radiograph().dataset
