"""Labels that persons send back: by which rule each form is read, and what of it counts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from node.domain.label import SourceKind
from node.domain.label_text import vocabulary
from node.store.labelling import label_inbox, standing
from node.store.sending import outbox
from tests.support.houses.house import House, incoming, radiograph
from tests.support.houses.labelling import POLICY, current, listed, mark, read, said
from tests.support.houses.line import Line
from tests.support.houses.rejecting import note
from tests.support.objects.labels import (
    IMAGE,
    PRESENT,
    at,
    coded,
    in_words,
    of_device,
    ohif,
    standard,
    weasis,
)
from tests.support.objects.notes import file_of

SECOND = "1.2.3.1.2"
THERE, NOT_THERE = {(IMAGE, "pneumonia"): True}, {(IMAGE, "pneumonia"): False}


@pytest.mark.database("any")
def test_what_no_rule_reads_is_listed_with_the_words_and_the_reason(house: House) -> None:
    """A report of a device that nobody verified is only listed where it is asked for."""
    house.receive(radiograph())
    mark(house, weasis("pneumonia not excluded"))
    mark(house, of_device())
    (row,) = listed(house)
    assert (row["state"], row["text"], row["images"]) == ("unmapped", "pneumonia not excluded", 1)
    assert "in doubt" in row["reason"]
    (ignored,) = listed(house, "ignored")
    assert (current(house), ignored["text"], ignored["reason"]) == (
        [],
        "",
        "a device says it, and no person verified it",
    )


def test_a_label_keeps_who_when_from_what_by_which_rule_and_whether_the_result_was_there(house: House) -> None:
    """One was made before the report was delivered, and the other one after it."""
    line = Line(house)
    house.receive(radiograph())
    mark(house, at(ohif("pneumonia", reader="Grey^Meredith"), house.clock.now))
    (label,) = current(house)
    assert (label.readers, label.made_at, label.result_visible) == (("Grey^Meredith",), house.clock.now, False)
    line.report()
    claimed = line.claim_delivery()
    assert claimed is not None
    house.database.write(lambda tx: outbox.finish(tx, claimed, house.clock(), 0x0000))
    house.clock.forward(60)
    mark(house, at(coded(PRESENT, reader="House^Gregory"), house.clock.now))
    (label,) = current(house)
    assert (label.readers, label.result_visible) == (("Grey^Meredith", "House^Gregory"), True)
    (row,) = (row for row in listed(house) if row["reader"] == "House^Gregory")
    assert (row["source_kind"], row["rule"], row["result_visible"]) == ("report", "finding_code", True)
    events = [entry for entry in line.study()["timeline"] if entry["event"] == "label recorded"]
    assert [entry["detail"]["reader"] for entry in events] == ["Grey^Meredith", "House^Gregory"]
    assert len(line.study()["labels"]) == 2


def test_of_one_reader_the_newest_label_counts_and_readers_who_disagree_are_listed(house: House) -> None:
    """Whichever came last; until one of them changes the label."""
    house.receive(radiograph())
    mark(house, at(standard("113000", "no pneumonia", uid="1.2.77.21"), datetime(2026, 1, 2, 11, tzinfo=UTC)))
    earlier = standard("113000", "pneumonia", uid="1.2.77.20", reader="GREY^MEREDITH^^")
    mark(house, at(earlier, datetime(2026, 1, 2, 10, tzinfo=UTC)))
    assert said(house) == NOT_THERE
    mark(house, coded(PRESENT))
    assert current(house) == []
    assert sorted(row["state"] for row in listed(house)) == ["conflict", "conflict", "superseded"]
    mark(house, at(standard("113000", "pneumonia", uid="1.2.77.22"), datetime(2026, 1, 2, 12, tzinfo=UTC)))
    assert said(house) == THERE


@pytest.mark.database("any")
def test_a_label_for_an_image_that_is_not_here_waits_for_it(house: House) -> None:
    """It is listed as parked, and counts once the image has come."""
    mark(house, weasis("pneumonia"))
    assert (current(house), [row["state"] for row in listed(house)]) == ([], ["parked"])
    house.receive(radiograph())
    assert said(house) == THERE


def test_an_image_that_is_rejected_or_called_unfit_has_no_label(house: House) -> None:
    """113010 leaves an image out for labels alone; a rejection note stays what it is."""
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    mark(house, weasis("pneumonia", images=[IMAGE, SECOND]))
    mark(house, standard("113010", images=[IMAGE]))
    assert said(house) == {(SECOND, "pneumonia"): True}
    assert house.database.read(standing.unfit) == {IMAGE}
    assert [row["state"] for row in listed(house)].count("unfit") == 1
    mark(house, standard("113000", images=[IMAGE]))
    assert house.database.read(standing.unfit) == set()
    mark(house, standard("113010", images=[IMAGE]))
    note(house, "113001", [SECOND])
    assert read(house) == 1
    assert (current(house), len(listed(house, "excluded"))) == ([], 2)
    assert listed(house, "ignored")[0]["reason"].startswith("it is a rejection note")


def test_a_report_without_images_labels_those_of_its_study_that_are_read(house: House) -> None:
    """An image that no rule reads gets no label by it."""
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND, patient_age="090Y"))
    mark(house, in_words("Bronchopneumonia."))
    assert said(house) == THERE


@pytest.mark.database("any")
def test_label_objects_start_delay_and_reopen_nothing(house: House) -> None:
    """The study is reported as if none had come."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    before = {key: line.study()[key] for key in ("state", "closed_at", "last_received_at", "jobs", "deliveries_made")}
    house.clock.forward(5)
    for document in (weasis("pneumonia"), coded(), ohif("pneumonia")):
        mark(house, document)
    assert {key: line.study()[key] for key in before} == before
    assert line.report() == 0


@pytest.mark.database("any")
def test_what_cannot_be_read_is_listed_and_can_be_read_again(house: House) -> None:
    """A content that never ends, an unknown character set, a file that is gone: nothing stops what comes after."""
    house.receive(radiograph())
    broken = weasis("pneumonia")
    house.receive(incoming(file_of(broken), "PACS"))
    (path,) = house.rows("SELECT path FROM instances WHERE kind = 'other'")[0]
    content = house.files.path(path).read_bytes()
    house.files.path(path).write_bytes(content[:-9])
    assert read(house) == 1
    (row,) = listed(house)
    assert (row["state"], "cannot be parsed" in row["reason"]) == ("refused", True)
    house.files.path(path).write_bytes(content)
    house.database.write(lambda tx: label_inbox.read_again(tx, house.clock()))
    assert (read(house), said(house)) == (1, THERE)


def test_an_object_that_comes_again_with_other_words_takes_back_what_it_said(house: House) -> None:
    """The same words again change nothing."""
    house.receive(radiograph())
    mark(house, weasis("pneumonia"))
    mark(house, weasis("pneumonia"))
    assert len(house.rows("SELECT id FROM labels")) == 1
    mark(house, weasis("no pneumonia"))
    assert said(house) == NOT_THERE
    assert [row["present"] for row in listed(house, "withdrawn")] == [True]


@pytest.mark.database("any")
def test_titles_and_names_of_a_site_count_where_it_says_so(house: House) -> None:
    """None by default; the text of the object comes before its title."""
    policy = replace(POLICY, vocabulary=vocabulary({"tuberculosis": ("TB", "肺结核")}, {}), titles={"DCM:113005": "TB"})
    house.receive(radiograph())
    mark(house, standard("113005", "for the meeting"), policy=policy)
    assert said(house) == {(IMAGE, "tuberculosis"): True}
    mark(house, standard("113005", "no pneumonia", uid="1.2.77.9"), policy=policy)
    assert said(house) == {(IMAGE, "pneumonia"): False, (IMAGE, "tuberculosis"): True}
    assert {row["source_kind"] for row in listed(house)} == {SourceKind.KEY_OBJECT}
