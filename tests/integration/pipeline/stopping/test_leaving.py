"""Before a report leaves: the right patient, and in time."""

from collections.abc import Iterator
from typing import Any

import pytest

from node.config import DeliverSettings, PeerSettings
from node.domain.errors import OperatorError
from node.pipeline.stopping import control
from node.store.sending import outbox
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line, negative
from tests.support.peers.pacs import Pacs, serving
from tests.support.peers.storing_archive import Archive, archive

# what is asked of the database is tested on both kinds with the store's tests

HELD_THERE = {"StudyInstanceUID": "1.2.3", "PatientID": "ID1", "PatientName": "Doe^Jane"}


@pytest.fixture(scope="module")
def running() -> Iterator[Archive]:
    """Run an archive for all tests: the library takes half a second to end one."""
    with archive() as running:
        yield running


@pytest.fixture
def pacs(running: Archive) -> Archive:
    """Return an archive that holds the study of the tests, under the patient that its header names."""
    running.studies[:] = [dict(HELD_THERE)]
    running.meanwhile = lambda: None
    running.stored.clear()
    running.asked.clear()
    return running


def _line(house: House, pacs: Archive, **changes: Any) -> Line:
    peer = PACS.model_copy(update={"port": pacs.port, "query": True, **changes})
    return Line(house, [peer])


def _reported(house: House, line: Line) -> Line:
    house.receive(radiograph())
    line.report()
    return line


def _states(line: Line) -> list[str]:
    return [delivery["state"] for delivery in line.deliveries()]


def _patients(pacs: Archive) -> list[str]:
    return [report.PatientID for report in pacs.stored]


def test_a_report_leaves_where_the_peer_names_the_same_patient(house: House, pacs: Archive) -> None:
    """Case, padding and empty components of a name make no other patient."""
    pacs.studies[0] |= {"PatientID": "ID1 ", "PatientName": "DOE^JANE^^", "PatientSex": ""}
    line = _reported(house, _line(house, pacs))
    line.deliver()
    assert (pacs.asked, _patients(pacs), _states(line)) == (["1.2.3"], ["ID1"], ["done"])


def test_a_peer_that_is_not_to_be_asked_is_not(house: House, pacs: Archive) -> None:
    """Without `query = true` the report leaves as it is."""
    pacs.studies[0]["PatientID"] = "ID2"
    line = _reported(house, _line(house, pacs, query=False))
    line.deliver()
    assert (pacs.asked, _states(line)) == ([], ["done"])


def test_a_report_of_another_patient_is_held_without_naming_anyone(house: House, pacs: Archive) -> None:
    """The reason says which elements differ, and no value of them."""
    pacs.studies[0] |= {"PatientID": "ID2", "PatientName": "Roe^Jane"}
    line = _reported(house, _line(house, pacs))
    line.deliver()
    (delivery,) = line.deliveries()
    assert (delivery["state"], pacs.stored) == ("held", [])
    assert "(PatientID, PatientName differs)" in delivery["last_error"]
    held = line.study()["timeline"][-1]
    assert held["event"] == "delivery held"
    told = str(held) + delivery["last_error"]
    assert not any(value in told for value in ("ID1", "ID2", "Roe", "Doe"))
    house.clock.forward(86400)
    assert house.database.read(lambda tx: outbox.next_due(tx, ["pacs"])) is None


def test_a_corrected_header_makes_a_corrected_report_and_ends_the_held_one(house: House, pacs: Archive) -> None:
    """The PACS was right: the modality sends the study again as the PACS knows it."""
    pacs.studies[0] |= {"PatientID": "ID2", "PatientName": "Roe^Jane"}
    line = _reported(house, _line(house, pacs))
    line.deliver()
    house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2"))
    line.report()
    line.deliver()
    assert (_patients(pacs), _states(line)) == (["ID2"], ["cancelled", "done"])


def test_a_correction_that_comes_while_the_peer_is_asked_counts(house: House, pacs: Archive) -> None:
    """The peer answers slowly; what it said is of yesterday by then."""
    line = _reported(house, _line(house, pacs))
    pacs.meanwhile = lambda: house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2"))
    line.deliver()
    assert (pacs.stored, _states(line)) == ([], ["waiting"])
    assert "identity was corrected" in line.deliveries()[0]["last_error"]


def test_a_report_of_another_patient_leaves_only_where_an_operator_says_just_that(house: House, pacs: Archive) -> None:
    """Releasing it has the peer asked again, which may have been corrected meanwhile."""
    pacs.studies[0]["PatientID"] = "ID2"
    line = _reported(house, _line(house, pacs))
    line.deliver()
    _release(line)
    line.deliver()
    (delivery,) = line.deliveries()
    assert (delivery["state"], delivery["held_for"], pacs.stored) == ("held", "patient", [])
    assert "with --despite-patient sends it" in delivery["last_error"]
    _release(line, despite_patient=True)
    line.deliver()
    (delivery,) = line.deliveries()
    assert (_patients(pacs), delivery["state"], delivery["last_error"]) == (["ID1"], "done", "")


def test_a_report_that_was_let_go_for_its_age_does_not_go_to_another_patient(house: House, pacs: Archive) -> None:
    """Only what it was held for is waived; once it is, it stays so."""
    pacs.studies[0]["PatientID"] = "ID2"
    line = _late(house, _plain(pacs).model_copy(update={"query": True}))
    house.clock.forward(3601)
    line.deliver()
    assert line.deliveries()[0]["held_for"] == "age"
    with pytest.raises(OperatorError, match="not held for the patient: 1"):
        _release(line, despite_patient=True)
    _release(line)
    line.deliver()
    assert (line.deliveries()[0]["held_for"], pacs.stored) == ("patient", [])
    _release(line, despite_patient=True)
    line.deliver()
    assert (_patients(pacs), _states(line)) == (["ID1"], ["done"])


def test_a_report_without_a_study_at_the_peer_does_not_go_to_another_patient_either(
    house: House, pacs: Archive
) -> None:
    """The study came to the peer after the report was let go without it."""
    pacs.studies.clear()
    line = _reported(house, _line(house, pacs))
    house.clock.forward(901)
    line.deliver()
    assert line.deliveries()[0]["held_for"] == "study"
    pacs.studies.append(HELD_THERE | {"PatientID": "ID2"})
    _release(line)
    line.deliver()
    assert (line.deliveries()[0]["held_for"], pacs.stored) == ("patient", [])


def test_a_report_is_sent_without_its_study_where_an_operator_says_so(house: House, pacs: Archive) -> None:
    """It is not waited for again."""
    pacs.studies.clear()
    line = _reported(house, _line(house, pacs))
    house.clock.forward(901)
    line.deliver()
    _release(line)
    line.deliver()
    assert (_patients(pacs), _states(line)) == (["ID1"], ["done"])


def _release(line: Line, *, despite_patient: bool = False) -> None:
    settings = line.configuration
    (held,) = (row["id"] for row in line.deliveries() if row["state"] == "held")
    how = {"discard": False, "despite_patient": despite_patient}
    control.release_deliveries(settings, [held], "bob", line.house.clock(), **how)


def test_a_study_that_the_peer_does_not_hold_yet_is_waited_for(house: House, pacs: Archive) -> None:
    """A PACS may be slower than this node; the report follows the images."""
    pacs.studies.clear()
    line = _reported(house, _line(house, pacs))
    line.deliver()
    assert _states(line) == ["waiting"]
    assert "does not hold the study yet" in line.deliveries()[0]["last_error"]
    pacs.studies.append(dict(HELD_THERE))
    house.clock.forward(60)
    line.deliver()
    assert _states(line) == ["done"]


def test_a_study_that_the_peer_never_gets_is_held(house: House, pacs: Archive) -> None:
    """Or its archive would have a study with a report and no image."""
    pacs.studies.clear()
    line = _reported(house, _line(house, pacs))
    line.settings = DeliverSettings(identity_wait_s=600)
    house.clock.forward(601)
    line.deliver()
    assert _states(line) == ["held"]
    assert "does not hold the study after 10 min" in line.deliveries()[0]["last_error"]


def test_a_peer_that_takes_no_queries_is_told_apart(house: House) -> None:
    """It is configured to be asked and cannot be: an operator has to see that."""
    with archive(finds=False) as pacs:
        line = _reported(house, _line(house, pacs))
        line.deliver()
        assert (pacs.stored, _states(line)) == ([], ["buried"])
        assert "does not accept" in line.deliveries()[0]["last_error"]


def test_many_studies_are_asked_about_on_one_association(house: House, pacs: Archive) -> None:
    """As they are sent on one."""
    line = _line(house, pacs)
    for number in range(3):
        uid = f"1.2.3.9{number}"
        house.receive(radiograph(study_instance_uid=uid, sop_instance_uid=f"{uid}.1"))
        pacs.studies.append({**HELD_THERE, "StudyInstanceUID": uid})
    line.report()
    line.deliver()
    assert sorted(pacs.asked) == ["1.2.3.90", "1.2.3.91", "1.2.3.92"]
    assert len(pacs.stored) == 3


def _late(house: House, peer: PeerSettings) -> Line:
    line = Line(house, [peer], settings=DeliverSettings(max_result_age_s=3600))
    house.receive(radiograph())
    line.report()
    return line


def _plain(pacs: Archive) -> PeerSettings:
    return PACS.model_copy(update={"port": pacs.port})


def test_a_result_that_comes_too_late_is_held(house: House, pacs: Archive) -> None:
    """Nobody waits for it any more; it leaves when an operator says so."""
    line = _late(house, _plain(pacs))
    house.clock.forward(3601)
    line.deliver()
    (delivery,) = line.deliveries()
    assert (delivery["state"], line.study()["state"], pacs.stored) == ("held", "held", [])
    assert delivery["last_error"].startswith("the result is 1 h 0 min old")
    _release(line)
    line.deliver()
    assert _states(line) == ["done"]


def test_a_peer_that_is_away_holds_nothing_by_itself(house: House) -> None:
    """Whether a result is too late is asked when it could leave."""
    with serving(Pacs()) as gone:
        pass
    line = _late(house, PACS.model_copy(update={"port": gone.port}))
    house.clock.forward(7200)
    line.deliver()
    assert _states(line) == ["waiting"]


def test_a_correction_of_what_the_peer_has_is_never_too_late(house: House, pacs: Archive) -> None:
    """A wrong name stands there until it comes."""
    line = _late(house, _plain(pacs))
    line.deliver()
    house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2"))
    line.report()
    house.clock.forward(7200)
    line.deliver()
    assert _patients(pacs) == ["ID1", "ID2"]


def test_a_late_result_stays_late_under_a_corrected_name(house: House, pacs: Archive) -> None:
    """It is as old as the images' first result: a correction does not send what was held."""
    line = _late(house, _plain(pacs))
    house.clock.forward(3601)
    line.deliver()
    house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2"))
    line.report()
    line.deliver()
    assert (pacs.stored, _states(line)) == ([], ["cancelled", "held"])


def test_a_new_conclusion_from_new_images_is_a_new_result(house: House, pacs: Archive) -> None:
    """A late image that changes what is said is news."""
    line = _late(house, _plain(pacs))
    house.clock.forward(3601)
    line.deliver()
    line.says = negative
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    house.execute("UPDATE jobs SET state = 'waiting' WHERE kind = 'read'")
    line.report()
    line.deliver()
    assert _states(line) == ["cancelled", "done"]
