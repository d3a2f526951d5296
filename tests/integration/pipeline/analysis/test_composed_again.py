"""A report that another one follows: late images, corrected patients, and readings that came to something after all."""

from dataclasses import replace

from node.domain.errors import Permanent
from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.store.working import given_up
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line, negative, positive


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


def test_a_reading_that_succeeds_after_a_retry_makes_another_report(house: House) -> None:
    """Of its own identity: the same UID never stands for two contents."""

    def fails(_: SOPInstanceUID) -> Reading:
        raise Permanent("the bundle is gone")

    line = Line(house, says=fails)
    house.receive(radiograph())
    line.report()
    line.says = positive
    house.database.write(lambda tx: given_up.retry(tx, "job", None, house.clock()))
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
