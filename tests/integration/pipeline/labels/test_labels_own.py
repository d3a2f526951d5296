"""What this node said is never a label, whoever sends it back; what persons say of it is one."""

import pytest
from pydicom import Dataset

from node.dicom.instance.part10 import preamble_and_meta
from node.domain.label import LabelRule
from node.pipeline.stopping import patients
from node.store.arriving.merges import PatientName
from node.store.learning import model_versions
from node.store.learning.model_versions import Version
from node.store.tables.version_tables import VersionState
from tests.support.houses.house import House, incoming, radiograph
from tests.support.houses.labelling import current, listed, mark, read, said
from tests.support.houses.line import Line, negative, positive, refused
from tests.support.houses.rejecting import count_as_sent
from tests.support.objects.labels import IMAGE, assessment, coded, ohif, weasis
from tests.support.objects.notes import code, file_of

SECOND = "1.2.3.1.2"
ACCEPTED, REJECTED = code("A1", "Accepted", "99SITE"), code("122776", "Disagreement with prior findings")
CHANGED = code("M1", "Modified", "99SITE")


def _reported(house: House, line: Line) -> str:
    """Let a report be made and sent, and return its UID."""
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    line.report()
    count_as_sent(house, line)
    house.clock.forward(60)
    return str(line.deliveries()[0]["sop_instance_uid"])


@pytest.mark.database("any")
def test_a_report_of_ours_that_a_pacs_sends_back_is_no_label(house: House) -> None:
    """As it was, under another UID, and verified there: by its UID, and by the device that it names."""
    line = Line(house)
    _reported(house, line)
    (report,) = line.reports()
    meta = preamble_and_meta(report.SOPClassUID, report.SOPInstanceUID, "1.2.840.10008.1.2")
    sent = house.rows("SELECT dataset FROM renditions")[0][0]
    house.receive(incoming(meta + bytes(sent), "PACS"))
    house.devices = frozenset({report.ContributingEquipmentSequence[0].DeviceUID})
    report.SOPInstanceUID, report.VerificationFlag = "1.2.77.50", "VERIFIED"
    house.receive(incoming(file_of(report), "PACS"))
    assert (read(house), current(house)) == (0, [])
    assert {row["kind"] for row in line.study()["objects"]} == {"image", "own"}


@pytest.mark.database("any")
def test_a_report_of_a_version_that_served_before_is_no_label(house: House) -> None:
    """Every version that the registry has known is this node's, also one that was replaced since the start."""
    line = Line(house)
    _reported(house, line)
    (report,) = line.reports()
    report.SOPInstanceUID, report.VerificationFlag = "1.2.77.51", "VERIFIED"
    device = str(report.ContributingEquipmentSequence[0].DeviceUID)
    former = Version("starter", "0", VersionState.FORMER, house.clock(), house.clock(), device)
    house.database.write(lambda tx: model_versions.register(tx, former))
    house.receive(incoming(file_of(report), "PACS"))
    assert (read(house), current(house)) == (0, [])


@pytest.mark.parametrize(
    ("says", "answer", "expected"),
    [
        (negative, ACCEPTED, {IMAGE: False, SECOND: False}),
        (negative, REJECTED, {IMAGE: True, SECOND: True}),
        (positive, REJECTED, {IMAGE: False, SECOND: False}),
        (lambda uid: positive(uid) if uid == SECOND else negative(uid), ACCEPTED, {SECOND: True}),
        (positive, CHANGED, {}),
        (refused, ACCEPTED, {}),
    ],
)
@pytest.mark.database("any")
def test_a_person_s_word_on_our_report_labels_what_it_was_made_from(
    house: House, says: object, answer: Dataset, expected: dict[str, bool]
) -> None:
    """Accepted: the images that showed it; rejected: the opposite; what was changed stands in its own findings."""
    uid = _reported(house, Line(house, says=says))  # type: ignore[arg-type]
    mark(house, assessment(answer, uid))
    assert {image: present for (image, _), present in said(house).items()} == expected
    assert {label.rules for label in current(house)} <= {(LabelRule.ASSESSMENT,)}
    assert {label.result_visible for label in current(house)} <= {True}
    assert len(listed(house, "unmapped")) == (not expected)


@pytest.mark.database("any")
def test_our_own_finding_that_a_viewer_saves_again_is_no_label(house: House) -> None:
    """OHIF writes what it has loaded in the name of its user; the tracking UID tells."""
    line = Line(house)
    _reported(house, line)
    (report,) = line.reports()
    group = report.ContentSequence[-1].ContentSequence[0]
    (tracking,) = (item.UID for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "112040")
    mark(house, ohif("Pneumonia", tracking_uid=tracking))
    assert current(house) == []
    assert listed(house, "unmapped")[0]["reason"] == "a finding of this node's own report was saved again"
    changed = assessment(CHANGED, line.deliveries()[0]["sop_instance_uid"])
    changed.ContentSequence[-1].ContentSequence.extend(ohif("no pneumonia", tracking_uid=tracking).ContentSequence[-1:])
    mark(house, changed)
    assert said(house) == {(IMAGE, "pneumonia"): False}


def test_a_label_of_another_patient_counts_once_a_merge_says_that_both_are_one(house: House) -> None:
    """And not any more once the merge has ended."""
    house.receive(radiograph())
    document = weasis("pneumonia")
    document.PatientID = "ID9"
    mark(house, document)
    assert (current(house), [row["state"] for row in listed(house)]) == ([], ["other_patient"])
    one, other = PatientName("ID1"), PatientName("ID9")
    patients.merge(house.settings(), one, other, "ada", house.clock(), unseen=True)
    (label,) = current(house)
    assert (label.patient_id, label.sop_instance_uid) == ("ID9", IMAGE)
    patients.split(house.settings(), one, "ada", house.clock())
    assert current(house) == []


@pytest.mark.database("any")
def test_an_object_with_nonsense_in_it_is_listed_and_stops_nothing(house: House) -> None:
    """Codes without values, items without a type, a time that is none, names of a thousand characters."""
    house.receive(radiograph())
    odd = coded(uid="1.2.77.60")
    odd.ContentDate, odd.ContentTime = "20261399", "999999"
    empty = Dataset()
    empty.ConceptCodeSequence, empty.ContentSequence = [], [Dataset()]
    odd.ContentSequence.append(empty)
    odd.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID = ""
    mark(house, odd)
    (row,) = listed(house)
    assert (row["state"], row["made_at"]) == ("current", house.clock.now.isoformat())
