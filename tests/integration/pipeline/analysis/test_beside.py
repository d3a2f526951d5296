"""What goes beside a report: after it, for the peers that get it, and never in its way."""

from io import BytesIO
from typing import Any

import pytest
from pydicom.filereader import read_dataset
from structlog.testing import capture_logs

from node.config import PeerSettings
from node.domain.chosen_heat_maps import SECONDARY_CAPTURE
from node.domain.errors import Permanent, WorkerLost
from node.domain.profile import COMPREHENSIVE_3D_SR
from node.domain.rejection import KEY_OBJECT_SELECTION
from node.domain.report import BASIC_TEXT_SR
from node.pipeline.analysis.beside import Extra, write_extra
from node.pipeline.stopping import control, recall
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line, hot, negative
from tests.support.houses.rejecting import kinds, note
from tests.support.peers.pacs import Pacs, serving

ALL = ("report", "text", "heatmap")


@pytest.fixture
def line(house: House, pacs: Pacs) -> Line:
    """Give a node with a report on a radiograph that waits, for a peer that gets everything."""
    line = Line(house, [_peer(pacs)], says=hot)
    house.receive(radiograph())
    return line


def _peer(pacs: Pacs, **changes: Any) -> PeerSettings:
    return PACS.model_copy(update={"port": pacs.port, "gets": ALL, "takes_rejection_notes": True, **changes})


def _classes(line: Line) -> dict[str, str]:
    return {delivery["sop_instance_uid"]: delivery["sop_class_uid"] for delivery in line.deliveries()}


def test_they_follow_their_report_on_the_same_association(line: Line, pacs: Pacs) -> None:
    """As deliveries of their own, made once the peer has the report."""
    line.report()
    assert kinds(line) == [("report", "waiting")]
    line.deliver()
    assert kinds(line) == [("report", "done"), ("text", "done"), ("heatmap", "done")]
    classes = _classes(line)
    assert [classes[uid] for uid in pacs.came] == [COMPREHENSIVE_3D_SR, BASIC_TEXT_SR, SECONDARY_CAPTURE]
    assert pacs.associations == [3]
    assert line.study()["analyses"][0]["sop_instance_uids"] == pacs.came[:1]


@pytest.mark.database("any")
def test_a_peer_gets_what_it_asks_for(house: House, pacs: Pacs) -> None:
    """Here the one a text in Chinese, the other nothing beside the report; a heat map is made for nobody."""
    with serving(Pacs()) as other:
        peers = [_peer(pacs, gets=("report", "text"), language="zh"), _peer(other, name="archive", gets=("report",))]
        line = Line(house, peers, says=hot)
        house.receive(radiograph())
        line.report()
        line.deliver()
        assert (len(pacs.held), len(other.held)) == (2, 1)
    made = house.rows("SELECT kind, language FROM renditions WHERE kind <> 'report'")
    assert made == [("text", "zh")]


@pytest.mark.database("any")
def test_none_follows_a_report_that_the_peer_refused(line: Line, pacs: Pacs) -> None:
    """Nor one that is held, or waits."""
    line.report()
    pacs.status = 0xA900
    line.deliver()
    assert kinds(line) == [("report", "buried")]


@pytest.mark.database("any")
def test_one_that_the_peer_refuses_leaves_its_report_alone(line: Line, pacs: Pacs) -> None:
    """It is buried by itself, with the reason; what comes after it still leaves."""
    pacs.accepts = frozenset({COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE})
    line.report()
    line.deliver()
    assert kinds(line) == [("report", "done"), ("text", "buried"), ("heatmap", "done")]
    (buried,) = (delivery for delivery in line.deliveries() if delivery["state"] == "buried")
    assert "does not accept Basic Text SR Storage" in buried["last_error"]


@pytest.mark.database("any")
@pytest.mark.parametrize("error", [Permanent("its letters cannot be drawn"), WorkerLost("the child process died")])
def test_one_that_cannot_be_made_keeps_no_report_back(line: Line, error: Exception) -> None:
    """The timeline says why it is missing; after a process was lost, no other is tried."""

    def write(extra: Extra) -> bytes:
        if extra.drawn is None:
            raise error
        return write_extra(extra)

    line.write_extra = write
    line.report()
    line.deliver()
    is_lost = isinstance(error, WorkerLost)
    assert kinds(line) == [("report", "done"), *([] if is_lost else [("heatmap", "done")])]
    assert line.told("text not made") == [{"model": "starter", "reason": str(error)}]
    assert len(line.told("heatmap not made")) == is_lost


def test_a_newer_result_ends_those_that_wait(line: Line, pacs: Pacs) -> None:
    """They are of what is no longer so."""
    line.report()
    line.deliver_to(line.peers[0], 1)
    assert kinds(line) == [("report", "done"), ("text", "waiting"), ("heatmap", "waiting")]
    line.says = lambda uid: hot(uid) if uid.endswith(".2") else negative(uid)
    line.house.receive(radiograph(sop_instance_uid="1.2.3.1.1", patient_name="Roe^Jane"))
    line.report()
    ended = [("text", "cancelled"), ("heatmap", "cancelled")]
    assert kinds(line) == [("report", "done"), *ended, ("report", "waiting")]
    line.deliver()
    assert len(pacs.held) == 4


@pytest.mark.database("any")
def test_what_a_peer_does_not_get_any_more_stays_here(line: Line, pacs: Pacs) -> None:
    """What `gets` says when an extra leaves counts, not what it said when its report was sent."""
    line.report()
    line.deliver_to(line.peers[0], 1)
    line.peers = [_peer(pacs, gets=("report", "text"))]
    line.deliver()
    assert kinds(line) == [("report", "done"), ("text", "done"), ("heatmap", "cancelled")]
    assert line.deliveries()[-1]["last_error"] == 'gets of pacs does not name "heatmap" any more'


@pytest.mark.database("any")
def test_the_log_names_what_was_offered(line: Line) -> None:
    """So that whoever counts reports in it counts no heat map."""
    line.report()
    with capture_logs() as logged:
        line.deliver()
    offered = [entry for entry in logged if entry["event"].endswith(" offered")]
    assert [entry["event"] for entry in offered] == ["report offered", "companion offered", "companion offered"]
    assert [entry["kind"] for entry in offered] == ["report", "text", "heat map"]
    assert [entry["sop_instance_uid"] for entry in offered] == list(_classes(line))
    assert {entry["model"] for entry in offered} == {"starter"}


@pytest.mark.parametrize("takes", [True, False])
def test_a_newer_result_takes_back_the_heat_map_of_the_one_before(line: Line, pacs: Pacs, takes: bool) -> None:  # noqa: FBT001
    """By a note where the peer takes notes; elsewhere the study names it. The earlier report stays where it is."""
    line.peers = [_peer(pacs, takes_rejection_notes=takes)]
    line.report()
    line.deliver()
    (outdated,) = (uid for uid, sop_class in _classes(line).items() if sop_class == SECONDARY_CAPTURE)
    assert line.study()["outdated_heat_maps"] == []
    line.house.receive(radiograph(sop_instance_uid="1.2.3.1.1", patient_name="Roe^Jane"))
    line.report()
    (named,) = line.study()["outdated_heat_maps"]
    assert (named["sop_instance_uid"], named["rejection_note"]) == (outdated, "waiting" if takes else None)
    line.deliver()
    notes = [("rejection_note", "done")] * takes
    assert kinds(line)[3:] == [("report", "done"), *notes, ("text", "done"), ("heatmap", "done")]
    assert [one["peer"] for one in line.told("heat map of an earlier result stands")] == ["pacs"] * (not takes)
    note(line.house, "113037", ["1.2.3.1.1"])
    rejected = [one["rejection_note"] for one in line.study()["untrue_reports"] if one["kind"] == "report"]
    assert rejected == ["waiting"] * 2


@pytest.mark.database("any")
def test_a_heat_map_at_a_peer_that_is_not_told_of_the_newer_result_is_named(line: Line, pacs: Pacs) -> None:
    """Its `outcomes` leave the newer one out: what it has stays as it is there, and the operator can see it."""
    line.peers = [_peer(pacs, outcomes=("positive",))]
    line.report()
    line.deliver()
    line.says = negative
    line.house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.house.execute("DELETE FROM readings")
    line.house.execute("UPDATE jobs SET state = 'waiting' WHERE kind = 'read'")
    line.report()
    assert line.study()["analyses"][-1]["outcome"] == "negative"
    assert len(pacs.held) == len(line.deliveries()) == 3
    assert [one["peer"] for one in line.study()["outdated_heat_maps"]] == ["pacs"]
    assert [one["peer"] for one in line.told("heat map of an earlier result stands")] == ["pacs"]


def test_a_later_text_names_the_one_that_the_peer_has(line: Line, pacs: Pacs) -> None:
    """As the report beside which it goes names its own predecessor."""
    line.report()
    line.deliver()
    (earlier,) = (uid for uid, sop_class in _classes(line).items() if sop_class == BASIC_TEXT_SR)
    line.house.receive(radiograph(sop_instance_uid="1.2.3.1.1", patient_name="Roe^Jane"))
    line.report()
    line.deliver()
    texts = [uid for uid, sop_class in _classes(line).items() if sop_class == BASIC_TEXT_SR]
    assert earlier.encode() in pacs.held[next(uid for uid in texts if uid != earlier)]


def test_a_rejected_image_takes_them_back_with_their_report(line: Line) -> None:
    """What waits ends, and what the peer has gets a note of its own."""
    line.report()
    line.deliver_to(line.peers[0], 2)
    note(line.house, "113037", ["1.2.3.1.1"])
    notes = [("rejection_note", "waiting")] * 2
    assert sorted(kinds(line)) == [("heatmap", "cancelled"), *notes, ("report", "done"), ("text", "done")]


@pytest.mark.database("any")
def test_a_note_that_names_a_report_ends_what_waits_beside_it(line: Line, pacs: Pacs) -> None:
    """Whoever rejects the report wants no heat map of it."""
    line.report()
    line.deliver_to(line.peers[0], 1)
    note(line.house, "113037", pacs.came[:1])
    assert kinds(line) == [("report", "done"), ("text", "cancelled"), ("heatmap", "cancelled")]


@pytest.mark.database("any")
def test_a_recall_stops_and_takes_back_all_three(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note for what the peer has, and the end of what it has not."""
    monkeypatch.setattr(control, "STOPPED_WITHIN_S", 0.2)
    line.report()
    line.deliver_to(line.peers[0], 2)
    settings = line.configuration
    version = line.study()["analyses"][0]["version"]
    recall.send(settings, "starter", version, "ada", line.house.clock())
    assert sorted(kinds(line)) == [
        ("heatmap", "cancelled"),
        *[("rejection_note", "waiting")] * 2,
        ("report", "done"),
        ("text", "done"),
    ]
    assert {row["kind"] for row in recall.listed(settings, "starter", version)} == {"report", "text"}


def test_the_note_that_takes_back_a_heat_map_is_about_it_and_no_image(line: Line, pacs: Pacs) -> None:
    """It says of patient and study what the report says, and refers to the heat map as an image."""
    line.report()
    line.deliver()
    note(line.house, "113037", ["1.2.3.1.1"])
    line.deliver()
    classes = _classes(line)
    notes = [
        read_dataset(BytesIO(pacs.held[uid]), is_implicit_VR=True, is_little_endian=True)
        for uid in pacs.held
        if classes[uid] == KEY_OBJECT_SELECTION
    ]
    named = {one.ContentSequence[-1].ReferencedSOPSequence[0].ReferencedSOPClassUID: one for one in notes}
    assert set(named) == {COMPREHENSIVE_3D_SR, BASIC_TEXT_SR, SECONDARY_CAPTURE}
    of_heat_map = named[SECONDARY_CAPTURE]
    assert of_heat_map.ContentSequence[-1].ValueType == "IMAGE"
    assert not [element.keyword for element in of_heat_map if element.tag.group in (0x0028, 0x7FE0)]
    assert of_heat_map.PatientID == named[COMPREHENSIVE_3D_SR].PatientID
