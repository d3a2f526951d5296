"""Rejection notes: what they end, what is composed again, and what is taken back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node.dicom.instance.part10 import preamble_and_meta
from node.store.disk.files import InstanceFiles
from node.store.listing import control_views
from node.store.sending import outbox, outgoing
from tests.support.houses.house import House, incoming, radiograph
from tests.support.houses.line import PACS, Line, negative, positive
from tests.support.houses.rejecting import TAKING, apply, count_as_sent, kinds, note
from tests.support.objects.notes import code as coded
from tests.support.objects.notes import file_of, key_objects

FIRST, SECOND = "1.2.3.1.1", "1.2.3.1.2"


@pytest.mark.parametrize("code", ["113038", "113039"])
def test_what_was_not_read_yet_is_not_read_any_more(house: House, code: str) -> None:
    """No job is left, and no report is made."""
    line = Line(house)
    house.receive(radiograph())
    note(house, code, [FIRST])
    assert [job["state"] for job in line.study()["jobs"]] == ["cancelled", "cancelled"]
    assert line.report() == 0
    assert line.deliveries() == []


@pytest.mark.parametrize("code", ["113001", "113039"])
def test_a_report_that_waits_does_not_leave_once_its_only_image_is_rejected(house: House, code: str) -> None:
    """And nothing is sent in its place, because it never left."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    note(house, code, [FIRST])
    line.report()
    assert kinds(line) == [("report", "cancelled")]
    events = [entry["event"] for entry in line.study()["timeline"]]
    assert events.count("instances rejected") == 1
    assert "delivery cancelled" in events


def test_a_study_with_images_left_is_composed_again_without_the_rejected_one(house: House) -> None:
    """The finding of the rejected image is gone from the new report."""
    line = Line(house, [TAKING], says=lambda uid: positive(uid) if uid == SECOND else negative(uid))
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    line.report()
    assert line.study()["outcomes"] == {"starter": "positive"}
    note(house, "113037", [SECOND])
    assert line.compose() == 1
    assert line.study()["outcomes"] == {"starter": "negative"}
    assert kinds(line) == [("report", "cancelled"), ("report", "waiting")]
    assert SECOND not in str(line.reports()[-1])


@pytest.mark.parametrize("code", ["113037", "113038"])
def test_a_report_that_was_delivered_is_taken_back_where_the_peer_takes_notes(house: House, code: str) -> None:
    """With the title of the note that came; a second look orders no second one."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    count_as_sent(house, line)
    note(house, code, [FIRST])
    note(house, code, [FIRST], uid="1.2.99.2")
    assert kinds(line) == [("report", "done"), ("rejection_note", "waiting")]
    sent = line.claim_delivery()
    assert sent is not None
    assert code.encode() in sent.rendition.dataset
    assert line.deliveries()[0]["sop_instance_uid"].encode() in sent.rendition.dataset


def test_a_report_that_says_the_same_goes_out_again_after_the_first_was_taken_back(house: House) -> None:
    """The peer is told to forget the first one, so it is not told already."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    line.report()
    count_as_sent(house, line)
    house.clock.forward(10)
    note(house, "113001", [SECOND])
    assert line.compose() == 1
    assert sorted(kinds(line)) == [("rejection_note", "waiting"), ("report", "done"), ("report", "waiting")]


def test_a_peer_that_takes_no_notes_gets_none(house: House) -> None:
    """The report stands there, and study and listing say so."""
    line = Line(house, [PACS.model_copy(update={"name": "other"})])
    house.receive(radiograph())
    line.report()
    count_as_sent(house, line)
    note(house, "113037", [FIRST])
    (stands,) = line.study()["untrue_reports"]
    assert (kinds(line), stands["peer"], stands["rejection_note"]) == ([("report", "done")], "other", None)
    (told,) = house.database.read(control_views.rejections)
    assert told["delivered"] == [stands]


def test_an_image_that_comes_after_its_note_is_kept_and_not_read(house: House) -> None:
    """The study says why."""
    line = Line(house)
    note(house, "113038", [FIRST])
    house.receive(radiograph())
    assert line.report() == 0
    (image,) = (one for one in line.study()["objects"] if one["kind"] == "image")
    assert image["turned_away"] == {
        "starter": "rejected: Incorrect Modality Worklist Entry (113038), by the note 1.2.99.1"
    }


def test_a_rejected_image_that_is_sent_again_stays_rejected(house: House) -> None:
    """What was corrected comes under a new UID, which is read."""
    line = Line(house)
    house.receive(radiograph())
    note(house, "113001", [FIRST])
    house.receive(radiograph())
    assert line.report() == 0
    house.receive(radiograph(sop_instance_uid=SECOND))
    assert line.report() == 1


def test_a_note_applied_again_after_a_kill_changes_nothing(house: House) -> None:
    """It is settled last, so a kill before that has it applied a second time."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    count_as_sent(house, line)
    note(house, "113037", [FIRST])
    before = line.study()
    house.execute("UPDATE rejection_notes SET state = 'waiting'")
    assert apply(house) == 1
    after = line.study()
    assert after["deliveries_made"] == before["deliveries_made"]
    assert after["timeline"] == before["timeline"]


def test_a_result_that_is_being_made_of_an_image_when_it_is_rejected_is_not_kept(house: House) -> None:
    """What was gathered before the note came is thrown away, and the study is composed again."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    house.clock.forward(61)
    line.read()
    files = _FilesThatTell(house.files, lambda: note(house, "113037", [SECOND]))
    line.house = replace(house, files=files)
    assert line.compose() == 2
    assert len(line.study()["analyses"]) == 1
    assert SECOND not in str(line.reports())


class _FilesThatTell:
    """Stored files; the first time that a composer asks for one, something happens."""

    def __init__(self, files: InstanceFiles, tell: Callable[[], None]) -> None:
        self._files, self._tell = files, [tell]

    def path(self, relative: str) -> Path:
        """Return where a file is."""
        while self._tell:
            self._tell.pop()()
        return self._files.path(relative)


def test_a_report_of_ours_that_a_peer_rejects_goes_to_nobody_else(house: House) -> None:
    """Its deliveries end; nothing is composed anew, and no note of ours follows."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    note(house, "113001", [line.deliveries()[0]["sop_instance_uid"]])
    assert line.report() == 0
    assert kinds(line) == [("report", "cancelled")]
    assert line.study()["state"] == "reported"


def test_key_objects_of_interest_reject_nothing(house: House) -> None:
    """They are kept."""
    line = Line(house)
    house.receive(radiograph())
    house.receive(incoming(file_of(key_objects(coded("113000"), [FIRST])), "PACS"))
    assert apply(house) == 1
    assert line.report() == 1


def test_a_malformed_note_moves_nothing(house: House) -> None:
    """It is stored, and refused with a reason."""
    line = Line(house)
    house.receive(radiograph())
    house.receive(incoming(file_of(key_objects(coded("113038"), [])), "PACS"))
    assert apply(house) == 1
    assert line.report() == 1
    (told,) = house.database.read(control_views.rejections)
    assert (told["state"], told["error"]) == ("refused", "the rejection note names no instance")
    assert "rejection note not read" in [entry["event"] for entry in line.study()["timeline"]]


def test_a_running_delivery_is_stopped_and_its_note_waits_until_it_is_known(house: House) -> None:
    """Where the peer answered first, the report is taken back; where not, it never left."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    claimed = line.claim_delivery()
    assert claimed is not None
    note(house, "113037", [FIRST])
    assert not house.database.read(lambda tx: outgoing.is_wanted(tx, claimed))
    assert kinds(line) == [("report", "running")]
    house.database.write(lambda tx: outbox.finish(tx, claimed, house.clock(), 0x0000))
    house.clock.forward(2)
    assert apply(house) == 1
    assert kinds(line) == [("report", "done"), ("rejection_note", "waiting")]


def test_a_note_of_our_own_that_a_pacs_sends_back_moves_nothing(house: House) -> None:
    """It is this node's own object, as a report is."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    count_as_sent(house, line)
    note(house, "113037", [FIRST])
    sent = line.claim_delivery()
    assert sent is not None
    ours = sent.rendition
    meta = preamble_and_meta(ours.sop_class_uid, ours.sop_instance_uid, ours.transfer_syntax_uid)
    house.receive(incoming(meta + ours.dataset, "PACS"))
    assert apply(house) == 0
    assert {one["kind"] for one in line.study()["objects"]} == {"image", "own", "other"}
