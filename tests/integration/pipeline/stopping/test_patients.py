"""Two IDs that are one patient by an operator's word: reports follow."""

import threading
from typing import Any

import pytest

from node.domain.errors import OperatorError
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from node.pipeline.stopping import patients
from node.store.arriving import merges
from node.store.arriving.merges import PatientName
from node.store.database import Transaction
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line
from tests.support.houses.rejecting import TAKING, count_as_sent
from tests.support.peers.pacs import Pacs, serving
from tests.test_docs import documented_json_keys

A, B, C = PatientName("ID1"), PatientName("ID2"), PatientName("ID3")
OF_B: dict[str, Any] = {
    "patient_name": "Roe^Jane",
    "patient_id": "ID2",
    "study_instance_uid": "1.2.4",
    "sop_instance_uid": "1.2.4.1.1",
}


def _merge(house: House, one: PatientName, into: PatientName, *, unseen: bool = False) -> str:
    return patients.merge(house.settings(), one, into, "ada", house.clock(), unseen=unseen)


def _line(house: House, pacs: Pacs) -> Line:
    line = Line(house, [PACS.model_copy(update={"port": pacs.port})])
    house.receive(radiograph())
    house.receive(radiograph(**OF_B))
    line.report()
    line.deliver()
    return line


def _named(line: Line) -> list[tuple[str, str]]:
    return [(report.PatientID, str(report.PatientName)) for report in line.reports()]


def test_reports_that_were_sent_follow_a_merge_and_its_undoing(house: House) -> None:
    """With the ID and the name of the one that stays, naming the report before; and back again."""
    with serving(Pacs()) as pacs:
        line = _line(house, pacs)
        assert "1 studies" in _merge(house, A, B)
        line.compose()
        line.deliver()
        assert _named(line) == [("ID1", "Doe^Jane"), ("ID2", "Roe^Jane")]
        (first,) = line.reports()[1].PredecessorDocumentsSequence
        named = first.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        assert named == line.reports()[0].SOPInstanceUID
        patients.split(house.settings(), A, "ada", house.clock())
        line.compose()
        line.deliver()
        assert _named(line)[-1] == ("ID1", "Doe^Jane")
        assert len(pacs.came) == 4
    events = [entry["event"] for entry in line.study()["timeline"]]
    assert [event for event in events if event.startswith("patient")] == ["patient merged", "patient split"]
    assert "ID1" not in str([entry["detail"] for entry in line.study()["timeline"]])


def test_what_comes_later_counts_as_the_other_too(house: House) -> None:
    """Also where images of one study come under both IDs."""
    with serving(Pacs()) as pacs:
        line = _line(house, pacs)
        _merge(house, A, B)
        line.compose()
        house.receive(radiograph(sop_instance_uid="1.2.3.1.2", patient_id="ID2", patient_name="Roe^Jane"))
        house.receive(radiograph(sop_instance_uid="1.2.3.1.3"))
        line.report()
        line.deliver()
    assert set(_named(line)[1:]) == {("ID2", "Roe^Jane")}
    assert [row["state"] for row in line.study()["jobs"]].count("done") == 4


def test_a_header_that_names_the_one_who_stays_speaks_for_itself(house: House) -> None:
    """Also where another study of that patient writes the name in another way; the report leaves."""
    with serving(Pacs()) as pacs:
        line = _line(house, pacs)
        _merge(house, A, B)
        house.receive(radiograph(sop_instance_uid="1.2.3.1.2", patient_id="ID2", patient_name="Roe^Janet"))
        house.clock.forward(1)
        house.receive(radiograph(**OF_B | {"sop_instance_uid": "1.2.4.1.2"}))
        line.report()
        line.deliver()
        assert line.compose() == 0
    assert _named(line)[-1] == ("ID2", "Roe^Janet")
    assert {delivery["state"] for delivery in line.deliveries()} == {"done"}


def test_a_report_that_waits_does_not_leave_under_the_merged_id(house: House) -> None:
    """It sees itself that it is to be made again, whoever else has been asked."""
    with serving(Pacs()) as pacs:
        line = Line(house, [PACS.model_copy(update={"port": pacs.port})])
        house.receive(radiograph())
        house.receive(radiograph(**OF_B))
        line.report()
        _merge(house, A, B)
        house.execute("UPDATE jobs SET state = 'done'")  # as where the survivor's name changes later
        line.deliver()
        assert len(pacs.held) == 1
        assert line.compose() == 1
        house.clock.forward(10)
        line.deliver()
    assert _named(line)[-1] == ("ID2", "Roe^Jane")
    assert sorted(delivery["state"] for delivery in line.deliveries()) == ["cancelled", "done"]


def test_merges_are_listed_and_followed_to_the_end(house: House) -> None:
    """Of A into B and B into C, A's studies are C's."""
    house.receive(radiograph())
    house.receive(radiograph(**OF_B))
    _merge(house, A, B)
    assert "counts as ID3" in _merge(house, B, C, unseen=True)
    rows = patients.listed(house.settings())
    assert [(row["patient_id"], row["into_patient_id"], row["studies"]) for row in rows] == [
        ("ID1", "ID2", 1),
        ("ID2", "ID3", 2),
    ]
    assert set(rows[0]) == set(documented_json_keys("patients"))
    line = Line(house)
    line.report()
    assert _named(line) == [("ID3", "Doe^Jane")]


def test_a_merge_that_was_undone_takes_back_what_names_the_other_patient(house: House) -> None:
    """By a note where the peer takes one; the study says which report names whom, and the merge stays on record."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    house.receive(radiograph(**OF_B))
    line.report()
    count_as_sent(house, line)
    _merge(house, A, B)
    line.compose()
    count_as_sent(house, line)
    settings = house.settings().model_copy(update={"peers": [TAKING]})
    assert "1 rejection notes ordered" in patients.split(settings, A, "eve", house.clock())
    told = operate.study(settings, "1.2.3", house.clock())
    assert [(one["patient_id"], one["is_current_patient"]) for one in told["analyses"]] == [
        ("ID1", True),
        ("ID2", False),
    ]
    (wrong,) = told["misnamed_reports"]
    assert (wrong["sop_instance_uid"], wrong["rejection_note"]) == (
        told["analyses"][1]["sop_instance_uids"][0],
        "waiting",
    )
    (ended,) = patients.listed(settings)
    assert (ended["merged_by"], ended["ended_by"], ended["into_patient_id"]) == ("ada", "eve", "ID2")
    text = explain(told)
    assert f"takes the place of {told['analyses'][0]['sop_instance_uids'][0]}" in text
    assert "because ['patient or study corrected']" in text
    with pytest.raises(OperatorError, match="not merged into anyone"):
        patients.split(settings, A, "eve", house.clock())
    _merge(house, A, B)
    assert [row["ended_by"] for row in patients.listed(settings)] == ["eve", ""]


@pytest.mark.database("postgresql")
def test_two_merges_at_once_make_no_circle(house: House) -> None:
    """The second waits for the first, and sees it."""
    house.receive(radiograph())
    house.receive(radiograph(**OF_B))
    refused: list[str] = []

    def the_other_way() -> None:
        try:
            _merge(house, B, A)
        except OperatorError as error:
            refused.append(str(error))

    other = threading.Thread(target=the_other_way)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    def first(tx: Transaction) -> None:
        merges.lock(tx)
        merges.add(tx, A, B, "ada", house.clock())
        other.start()
        for _ in range(2000):
            if not other.is_alive() or house.rows(waits) != [(0,)]:
                return
            other.join(0.01)

    house.database.write(first)
    other.join()
    assert ["would be a circle" in reason for reason in refused] == [True]


def test_what_cannot_be_merged_says_why(house: House) -> None:
    """A typing error must not send reports to a stranger."""
    house.receive(radiograph())
    house.receive(radiograph(**OF_B))
    with pytest.raises(OperatorError, match="one patient already"):
        _merge(house, A, A)
    with pytest.raises(OperatorError, match=r"nothing of ID9 is stored.*--unseen"):
        _merge(house, A, PatientName("ID9"))
    with pytest.raises(OperatorError, match="another issuer: no issuer"):
        _merge(house, PatientName("ID1", "CLINIC"), PatientName("ID2", "CLINIC"))
    with pytest.raises(OperatorError, match="not merged into anyone"):
        patients.split(house.settings(), A, "ada", house.clock())
    _merge(house, A, B)
    with pytest.raises(OperatorError, match="counts as ID2 already"):
        _merge(house, A, C, unseen=True)
    with pytest.raises(OperatorError, match="would be a circle"):
        _merge(house, B, A)
