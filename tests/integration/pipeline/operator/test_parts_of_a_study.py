"""Reports of a part of a study, studies that are turned away by number, and what peers hold before a report."""

import pytest

from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.domain.rule import Rule
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from node.store.tables.choices import Mode
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, TEST_PACS, Line, negative, positive, refused
from tests.support.houses.rejecting import note
from tests.support.houses.rules import let_read_by
from tests.support.objects.reports import coded_values, content_items

_PARTIALLY_SUCCEEDED = "111223"


def _receive(house: House, *numbers: int) -> None:
    for number in numbers:
        house.receive(radiograph(sop_instance_uid=f"1.2.3.1.{number}"))


def _sent(house: House) -> None:
    house.execute("UPDATE deliveries SET state = 'done' WHERE state = 'waiting'")


def _states(line: Line) -> list[str]:
    return [delivery["state"] for delivery in line.deliveries()]


def _replaced(house: House) -> list[str]:
    lines = explain(operate.study(house.settings(), "1.2.3", house.clock())).splitlines()
    return [line.strip() for line in lines if "takes the place of" in line]


def _second_positive(uid: SOPInstanceUID) -> Reading:
    return positive(uid) if uid.endswith(".2") else negative(uid)


def test_a_report_of_a_part_says_so_and_the_one_of_all_follows_it(house: House) -> None:
    """Also where it concludes the same: a peer never keeps what one image of five says."""
    line = Line(house, says=negative)
    _receive(house, 1)
    line.read()
    _receive(house, 2, 3, 4, 5)
    house.clock.forward(901)
    assert line.compose() == 1
    _sent(house)
    assert (line.read(), line.compose()) == (4, 1)
    part, whole = line.reports()
    assert (part.CompletionFlag, whole.CompletionFlag) == ("PARTIAL", "COMPLETE")
    assert _PARTIALLY_SUCCEEDED in coded_values(part)
    assert _PARTIALLY_SUCCEEDED not in coded_values(whole)
    texts = [str(item.TextValue) for item in content_items(part) if "TextValue" in item]
    assert {"No finding is flagged (images assessed: 1 of 5).", "Images not read yet: 4."} <= set(texts)
    assert _states(line) == ["done", "waiting"]


def test_a_study_whose_read_images_were_all_rejected_waits_for_the_others(house: House) -> None:
    """However long that takes; then there is a report."""
    line = Line(house)
    _receive(house, 1)
    line.read()
    _receive(house, 2)
    note(house, "113001", ["1.2.3.1.1"])
    house.clock.forward(901)
    assert line.compose() == 0
    assert line.read() == 1
    house.clock.forward(901)
    assert line.compose() == 1
    (analysis,) = line.study()["analyses"]
    assert analysis["outcome"] == "positive"


def test_what_was_cancelled_because_the_study_was_turned_away_leaves_once_it_is_not(house: House) -> None:
    """And the cancelled delivery gives the true reason."""
    line = Line(house)
    let_read_by(house, Rule(min_images=2, max_images=3))
    _receive(house, 1, 2)
    line.report()
    _receive(house, 3, 4)
    line.report()
    (cancelled,) = line.deliveries()
    assert cancelled["state"] == "cancelled"
    (entry,) = [one for one in line.study()["timeline"] if one["event"] == "delivery cancelled"]
    assert entry["detail"]["reason"] == "the study is turned away for its number of images"
    note(house, "113001", ["1.2.3.1.3", "1.2.3.1.4"])
    line.report()
    assert _states(line) == ["cancelled", "waiting"]
    assert line.study()["turned_away"] == {}


def test_a_report_names_what_its_peer_has_and_not_what_never_left(house: House) -> None:
    """Negative, negative, positive: the second is not sent, so the third takes the place of the first."""
    line = Line(house, says=lambda uid: positive(uid) if uid.endswith(".3") else negative(uid))
    for number in (1, 2, 3):
        _receive(house, number)
        line.report()
        _sent(house)
    first, _, third = line.reports()
    assert _named(third) == [first.SOPInstanceUID]
    assert _replaced(house) == [f"takes the place of {first.SOPInstanceUID}"] * 2


def test_a_report_whose_predecessor_was_cancelled_names_none(house: House) -> None:
    """Nobody has it."""
    line = Line(house, says=_second_positive)
    for number in (1, 2):
        _receive(house, number)
        line.report()
    assert _named(line.reports()[1]) == []
    assert _replaced(house) == []


def test_a_report_to_a_real_peer_names_none_that_only_a_test_peer_has(house: House) -> None:
    """As when a model that was in shadow becomes active."""
    line = Line(house, [PACS, TEST_PACS], mode=Mode.SHADOW, says=_second_positive)
    _receive(house, 1)
    line.report()
    _sent(house)
    house.execute("UPDATE models SET mode = 'active'")
    _receive(house, 2)
    line.report()
    assert _named(line.reports()[1]) == []
    _sent(house)
    line.says = refused
    house.receive(radiograph(sop_instance_uid="1.2.3.1.1", patient_name="Roe^Jane"))
    line.report()
    *_, second, third = line.reports()
    assert _named(third) == [second.SOPInstanceUID]


def _named(report: object) -> list[str]:
    studies = getattr(report, "PredecessorDocumentsSequence", ())
    return [
        str(item.ReferencedSOPInstanceUID)
        for study in studies
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]


def test_images_that_are_not_read_yet_count_for_the_most_a_study_may_have(house: House) -> None:
    """A result of one image is none of a study that has two."""
    line = Line(house)
    let_read_by(house, Rule(max_images=1))
    _receive(house, 1)
    line.read()
    _receive(house, 2)
    house.clock.forward(901)
    line.compose()
    assert line.reports() == []
    assert line.study()["turned_away"] == {"starter": "it has 2 images that the model reads, more than max_images 1"}


def test_too_few_images_are_not_turned_away_while_others_are_still_to_be_read(house: House) -> None:
    """They are waited for."""
    line = Line(house)
    let_read_by(house, Rule(min_images=2))
    _receive(house, 1)
    line.read()
    _receive(house, 2)
    house.clock.forward(901)
    line.compose()
    assert (line.study()["turned_away"], line.reports()) == ({}, [])
    assert (line.read(), line.compose()) == (1, 1)
    assert len(line.reports()) == 1


@pytest.mark.parametrize(("least", "reports"), [(1, 1), (2, 0)])
def test_images_that_were_not_assessed_do_not_count_for_the_least(house: House, least: int, reports: int) -> None:
    """A result of one assessed image is none where the rule wants two."""
    line = Line(house, says=lambda uid: refused(uid) if uid.endswith(".2") else positive(uid))
    let_read_by(house, Rule(min_images=least))
    _receive(house, 1, 2)
    line.report()
    assert len(line.reports()) == reports
    said = "it has 2 images that the model reads, 1 of them not assessed, fewer than min_images 2"
    assert line.study()["turned_away"] == ({} if reports else {"starter": said})


def test_a_study_that_is_turned_away_says_where_an_earlier_report_of_it_stands(house: House) -> None:
    """It was of fewer images, and a reader finds it there."""
    line = Line(house)
    let_read_by(house, Rule(max_images=1))
    _receive(house, 1)
    line.report()
    _sent(house)
    _receive(house, 2)
    line.report()
    study = line.study()
    assert study["turned_away"]["starter"].endswith("more than max_images 1; an earlier report of it stands at pacs")
    (entry,) = [one for one in study["timeline"] if one["event"] == "study turned away"]
    assert entry["detail"]["standing"] == ["pacs"]
