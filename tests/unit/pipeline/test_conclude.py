"""From readings to a conclusion, and who gets it."""

import json

import pytest

from node.dicom.instance.header import inspect
from node.domain.aggregate import aggregated, outcome_of
from node.domain.finding import Outcome, Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.analysis.conclude import conclusion_of, destinations, inputs_of, patient_key
from tests.support.houses.house import radiograph
from tests.support.houses.line import PACS, TEST_PACS, negative, positive, refused

ONE, TWO = SOPInstanceUID("1.2"), SOPInstanceUID("1.3")


def _outcome(*readings: Reading) -> Outcome:
    return outcome_of(readings, aggregated(readings))


def _conclusion(*readings: Reading, synthetic: bool = False) -> str:
    return conclusion_of(_outcome(*readings), aggregated(readings), synthetic=synthetic)


def test_any_present_finding_makes_a_study_positive() -> None:
    """Whatever else was refused or negative."""
    assert _outcome(negative(ONE), refused(ONE), positive(TWO)) is Outcome.POSITIVE


def test_an_assessed_study_without_finding_is_negative() -> None:
    """One admitted image is an assessment."""
    assert _outcome(refused(ONE), negative(TWO)) is Outcome.NEGATIVE


def test_a_study_of_which_nothing_was_admitted_is_not_assessed() -> None:
    """Never negative: nobody looked."""
    assert _outcome(refused(ONE), refused(TWO)) is Outcome.NOT_ASSESSED


def test_a_finding_at_its_threshold_is_present() -> None:
    """The operating point belongs to the flagged side."""
    assert _outcome(positive(ONE, 0.5)) is Outcome.POSITIVE


def test_a_conclusion_holds_no_score_and_no_count() -> None:
    """So that a late image that changes nothing is not sent."""
    one, two = _conclusion(positive(ONE, 0.9)), _conclusion(positive(ONE, 0.8), negative(TWO))
    assert one == two
    assert json.loads(one) == {"outcome": "positive", "present": ["pneumonia"]}


def test_inputs_are_sorted_and_tell_an_image_that_could_not_be_read() -> None:
    """Its later reading makes another report."""
    assert inputs_of([positive(TWO), positive(ONE)], ()) == ("1.2", "1.3")
    assert inputs_of([positive(TWO), refused(ONE)], {ONE}) == ("1.2 unread", "1.3")


def test_the_patient_key_changes_with_whatever_says_whose_study_it_is() -> None:
    """Name, ID, issuer, birth date, sex, accession number; and not with a description."""
    key = _key()
    for change in ({"patient_name": "Roe"}, {"patient_id": "X"}, {"accession_number": "A"}, {"patient_sex": "F"}):
        assert _key(**change) != key
    assert _key(study_description="other") == key


def _key(**changes: str) -> str:
    came = radiograph(**changes)
    return patient_key(inspect(came.dataset, came.transfer_syntax_uid))


@pytest.mark.parametrize(("mode", "names"), [("active", ["pacs", "test-pacs"]), ("shadow", ["test-pacs"]), ("off", [])])
def test_the_mode_decides_who_gets_a_report(mode: str, names: list[str]) -> None:
    """Shadow is for test peers."""
    found = destinations([PACS, TEST_PACS], mode, Outcome.NEGATIVE)
    assert found == names


@pytest.mark.parametrize(("mode", "names"), [("active", ["test-pacs"]), ("shadow", ["test-pacs"]), ("off", [])])
def test_a_report_about_synthetic_images_is_for_test_peers_in_every_mode(mode: str, names: list[str]) -> None:
    """It belongs into no patient's record."""
    assert destinations([PACS, TEST_PACS], mode, Outcome.NEGATIVE, synthetic=True) == names


def test_a_conclusion_about_synthetic_images_is_another_one() -> None:
    """So that a study that turns out to be synthetic is reported again."""
    assert _conclusion(positive(ONE), synthetic=True) != _conclusion(positive(ONE))


def test_a_peer_that_gets_no_reports_or_not_this_outcome_is_no_destination() -> None:
    """As configured."""
    silent = PACS.model_copy(update={"gets": ()})
    alarms_only = PACS.model_copy(update={"outcomes": ("positive",)})
    assert destinations([silent, alarms_only], "active", Outcome.NOT_ASSESSED) == []
