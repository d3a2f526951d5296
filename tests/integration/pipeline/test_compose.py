"""From readings to one report and its deliveries."""

from dataclasses import replace

import pytest
from pydicom import Dataset

from node.domain.errors import Permanent, Transient
from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.store.tables import JobKind, Mode
from node.store.working import job_claims, operator
from tests.support.house import House, radiograph
from tests.support.line import PACS, TEST_PACS, Line, negative, positive, refused


def _texts(report: Dataset) -> str:
    return " | ".join(str(item.TextValue) for item in _items(report) if "TextValue" in item)


def _items(dataset: Dataset) -> list[Dataset]:
    children = list(dataset.get("ContentSequence", ()))
    return [dataset, *(found for child in children for found in _items(child))]


def test_a_study_gives_one_report_for_the_peers_that_get_reports(house: House) -> None:
    """After the quiet period, and not before."""
    line = Line(house, [PACS, PACS.model_copy(update={"name": "modality", "gets": ()})])
    house.receive(radiograph())
    assert line.read() == 1
    assert line.compose() == 0
    house.clock.forward(60)
    assert line.compose() == 1
    (delivery,) = line.deliveries()
    assert (delivery["peer"], delivery["state"]) == ("pacs", "waiting")
    (report,) = line.reports()
    assert report.SOPInstanceUID == delivery["sop_instance_uid"]
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert report.StudyInstanceUID == "1.2.3"
    assert line.study()["outcomes"] == {"starter": "positive"}


def test_a_report_waits_for_the_reads_of_its_study(house: House) -> None:
    """However long the quiet period is over."""
    line = Line(house)
    house.receive(radiograph())
    house.clock.forward(1000)
    assert line.compose() == 0
    assert line.read() == 1
    assert line.compose() == 1


def test_two_images_make_one_report_that_names_both(house: House) -> None:
    """Any present finding makes the study positive."""
    line = Line(house, says=lambda uid: positive(uid) if uid.endswith(".2") else negative(uid))
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    assert line.report() == 1
    (report,) = line.reports()
    named = {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in _items(report)
        if "ReferencedSOPSequence" in item
    }
    assert {"1.2.3.1.1", "1.2.3.1.2"} <= named
    assert line.study()["outcomes"] == {"starter": "positive"}


def test_an_image_that_was_refused_gives_not_assessed_and_no_probability(house: House) -> None:
    """With its reason; a number there would be a guess."""
    line = Line(house, says=refused)
    house.receive(radiograph())
    line.report()
    (report,) = line.reports()
    assert line.study()["outcomes"] == {"starter": "not_assessed"}
    assert "Not assessed: unlike the images that the model was trained on." in _texts(report)
    concepts = [
        item.ConceptNameCodeSequence[0].CodeValue for item in _items(report) if "ConceptNameCodeSequence" in item
    ]
    assert "111012" not in concepts
    units = {
        item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue
        for item in _items(report)
        if item.get("MeasuredValueSequence")
    }
    assert units <= {"{pixels}", "{images}"}  # rows, columns, how many were not assessed: and no percentage


def test_a_negative_report_gives_the_probability_of_presence(house: House) -> None:
    """Certainty is always of presence: 10 %, never 90 % sure of absence."""
    line = Line(house, says=negative)
    house.receive(radiograph())
    line.report()
    certainty = next(
        item.MeasuredValueSequence[0].NumericValue
        for item in _items(line.reports()[0])
        if "MeasuredValueSequence" in item and item.ConceptNameCodeSequence[0].CodeValue == "111012"
    )
    assert float(certainty) == pytest.approx(10.0)


def test_the_first_comment_says_research_result_model_and_version(house: House) -> None:
    """And that it is not for diagnosis; in every outcome."""
    for number, says in enumerate((positive, negative, refused)):
        study = f"1.2.{number + 3}"
        line = Line(house, says=says)
        house.receive(radiograph(study_instance_uid=study, sop_instance_uid=f"{study}.1.1"))
        line.report()
    for dataset in house.database.read(
        lambda tx: tx.connection().exec_driver_sql("SELECT dataset FROM renditions").all()
    ):
        text = dataset[0].decode("ascii", "replace")
        assert "RESEARCH RESULT by starter" in text
        assert "Not for diagnosis or treatment" in text


@pytest.mark.parametrize(
    ("mode", "peers"), [(Mode.SHADOW, ["test-pacs"]), (Mode.ACTIVE, ["pacs", "test-pacs"]), (Mode.OFF, [])]
)
def test_a_model_in_shadow_reports_to_test_peers_only(house: House, mode: Mode, peers: list[str]) -> None:
    """It runs and is recorded all the same."""
    line = Line(house, [PACS, TEST_PACS], mode=mode)
    house.receive(radiograph())
    line.report()
    assert sorted(delivery["peer"] for delivery in line.deliveries()) == peers
    assert line.study()["outcomes"] == {"starter": "positive"}


def test_a_peer_gets_only_the_outcomes_that_it_asks_for(house: House) -> None:
    """Here only positive ones, and this one is negative."""
    line = Line(house, [PACS.model_copy(update={"outcomes": ("positive",)})], says=negative)
    house.receive(radiograph())
    line.report()
    assert line.deliveries() == []
    assert line.study()["state"] == "reported"


def test_a_late_image_with_the_same_conclusion_is_reported_and_not_sent(house: House) -> None:
    """The new report names its predecessor; a reader would learn nothing new."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.report()
    first, second = line.reports()
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert len(line.deliveries()) == 1


def test_a_late_image_that_changes_the_conclusion_is_sent_and_replaces_what_waits(house: House) -> None:
    """One current result: the older delivery that has not left is cancelled."""
    line = Line(house, says=lambda uid: positive(uid) if uid.endswith(".2") else negative(uid))
    house.receive(radiograph())
    line.report()
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.report()
    assert sorted(delivery["state"] for delivery in line.deliveries()) == ["cancelled", "waiting"]


def test_a_corrected_patient_makes_a_corrected_report_without_a_new_reading(house: House) -> None:
    """As after a merge in the PACS."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2"))
    house.clock.forward(61)
    assert line.read() == 0
    assert line.compose() == 1
    old, new = line.reports()
    assert (old.PatientID, new.PatientID) == ("ID1", "ID2")
    assert len({old.SOPInstanceUID, new.SOPInstanceUID}) == 2


def test_a_study_that_is_half_corrected_gets_no_report_until_the_other_half_follows(house: House) -> None:
    """Never for the wrong patient: images of two patients in one study are the operator's to see."""
    line = Line(house)
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.report()
    house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2"))
    line.report()
    (compose,) = [job for job in line.study()["jobs"] if job["kind"] == "compose"]
    assert (compose["state"], compose["last_error"]) == ("buried", "the source images carry different Patient IDs")
    house.receive(radiograph(patient_name="Roe^Jane", patient_id="ID2", sop_instance_uid="1.2.3.1.2"))
    line.report()
    assert [report.PatientID for report in line.reports()] == ["ID1", "ID2"]


def test_of_two_spellings_of_one_patient_the_newest_counts(house: House) -> None:
    """The newest header stored says whose study it is, whichever image it came with."""
    line = Line(house)
    house.receive(radiograph())
    house.clock.forward(1)
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.report()
    house.receive(radiograph(patient_name="Roe^Jane"))
    line.report()
    assert [str(report.PatientName) for report in line.reports()] == ["Doe^Jane", "Roe^Jane"]


def test_our_own_report_coming_back_starts_nothing(house: House) -> None:
    """By its UID, which is in the store, and by its Device UID."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    (report,) = line.reports()
    (rendition,) = house.database.read(line._renditions)
    back = replace(
        radiograph(),
        sop_class_uid=report.SOPClassUID,
        context_sop_class_uid=report.SOPClassUID,
        sop_instance_uid=report.SOPInstanceUID,
        transfer_syntax_uid="1.2.840.10008.1.2",
        dataset=rendition,
    )
    assert house.receive(back) == 0x0000
    assert line.report() == 0
    kinds = [instance["kind"] for instance in line.study()["objects"]]
    assert sorted(kinds) == ["image", "own"]


def test_composing_twice_makes_nothing_new(house: House) -> None:
    """An operator's retry, or a worker that was killed after its commit."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    house.execute("UPDATE jobs SET state = 'waiting'")
    line.report()
    assert len(line.reports()) == len(line.deliveries()) == 1


def test_an_image_whose_reading_failed_for_good_is_not_assessed(house: House) -> None:
    """The job is buried where the operator sees it, and the report says so."""

    def fails(_: SOPInstanceUID) -> Reading:
        raise Permanent("the bundle is gone")

    line = Line(house, says=fails)
    house.receive(radiograph())
    line.report()
    assert line.study()["outcomes"] == {"starter": "not_assessed"}
    assert "Not assessed: reading it failed." in _texts(line.reports()[0])
    assert [job["state"] for job in line.study()["jobs"] if job["kind"] == "read"] == ["buried"]


def test_a_reading_that_succeeds_after_a_retry_makes_another_report(house: House) -> None:
    """Of its own identity: the same UID never stands for two contents."""

    def fails(_: SOPInstanceUID) -> Reading:
        raise Permanent("the bundle is gone")

    line = Line(house, says=fails)
    house.receive(radiograph())
    line.report()
    line.says = positive
    house.database.write(lambda tx: operator.retry(tx, "job", None, house.clock()))
    line.report()
    failed, read = line.reports()
    assert failed.SOPInstanceUID != read.SOPInstanceUID
    assert line.study()["outcomes"] == {"starter": "positive"}
    assert sorted(delivery["state"] for delivery in line.deliveries()) == ["cancelled", "waiting"]


def test_a_new_version_reads_the_older_images_again_before_it_concludes(house: House) -> None:
    """Never from the late image alone."""
    line = Line(house, says=lambda uid: positive(uid) if uid.endswith(".1.1") else negative(uid))
    house.receive(radiograph())
    line.report()
    served = line.catalogue.served("starter")
    newer = replace(served, identity=replace(served.identity, version="2.0.0", device_uid="2.25.77"))
    line.catalogue._served["starter"] = newer
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.report()
    line.report()
    assert [(each["version"], each["outcome"]) for each in line.study()["analyses"]][-1] == ("2.0.0", "positive")
    read = {(each["sop_instance_uid"], each["version"]) for each in line.study()["readings"]}
    assert {("1.2.3.1.1", "2.0.0"), ("1.2.3.1.2", "2.0.0")} <= read


def test_restarts_do_not_use_up_a_jobs_attempts(house: House) -> None:
    """Five restarts and one failure are one failure."""
    line = Line(house, attempts=5)
    house.receive(radiograph())
    for _ in range(6):
        assert line._claim(JobKind.READ) is not None
        house.database.write(lambda tx: job_claims.rescue(tx, house.clock(), everything=True))

    def fails(_: SOPInstanceUID) -> Reading:
        raise Transient("the child process died")

    line.says = fails
    line.read()
    (job,) = [job for job in line.study()["jobs"] if job["kind"] == "read"]
    assert (job["state"], job["failures"]) == ("waiting", 1)


def test_a_reading_that_fails_for_a_while_is_tried_again_and_buried_in_the_end(house: House) -> None:
    """Two attempts here; the error stands in the listing."""

    def fails(_: SOPInstanceUID) -> Reading:
        raise Transient("the child process died of signal SIGKILL")

    line = Line(house, says=fails, attempts=2)
    house.receive(radiograph())
    line.read()
    (job,) = [job for job in line.study()["jobs"] if job["kind"] == "read"]
    assert (job["state"], job["failures"]) == ("waiting", 1)
    house.clock.forward(60)
    line.read()
    (job,) = [job for job in line.study()["jobs"] if job["kind"] == "read"]
    assert job["state"] == "buried"
    assert "SIGKILL" in job["last_error"]


def test_an_unexpected_error_tells_its_place_and_not_its_words(house: House) -> None:
    """The message of a foreign exception may quote a dataset."""

    def fails(_: SOPInstanceUID) -> Reading:
        raise ValueError("Doe^Jane")

    line = Line(house, says=fails)
    house.receive(radiograph())
    line.read()
    (job,) = [job for job in line.study()["jobs"] if job["kind"] == "read"]
    assert "ValueError" in job["last_error"]
    assert "Doe" not in job["last_error"]
