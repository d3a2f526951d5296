"""From readings to one report and its deliveries."""

import pytest
from pydicom import Dataset

from node.domain.errors import Permanent, Transient
from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.store.tables.choices import JobKind, Mode
from node.store.working import job_claims
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, TEST_PACS, Line, negative, positive, refused
from tests.support.objects.reports import content_items, texts


def _texts(report: Dataset) -> str:
    return " | ".join(texts(report))


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
        for item in content_items(report)
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
        item.ConceptNameCodeSequence[0].CodeValue for item in content_items(report) if "ConceptNameCodeSequence" in item
    ]
    assert "111012" not in concepts
    units = {
        item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue
        for item in content_items(report)
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
        for item in content_items(line.reports()[0])
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
