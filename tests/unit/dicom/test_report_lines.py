"""What a person reads first in a report."""

from datetime import UTC, datetime

from node.dicom.report_lines import summary_lines
from node.domain.finding import Admission, Code, Finding, Reading
from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID
from node.domain.report import ModelIdentity, ReportContent
from node.pipeline.conclude import outcome_of

PICTURE = Code("PICTURE", "99TEST", "Picture")


def summary(*shares: float) -> str:
    """Return what the summary concludes of one image with these shares for the digits 0, 1, ..."""
    findings = tuple(
        Finding(f"digit {number}", Code(f"D{number}", "99TEST", f"Digit {number}"), PICTURE, share, 0.5)
        for number, share in enumerate(shares)
    )
    reading = Reading(SOPInstanceUID("1.2.3.1"), Admission(admitted=True), findings)
    model, now = ModelIdentity("digits", "1", "2.25.1"), datetime(2026, 1, 2, tzinfo=UTC)
    content = ReportContent(StudyInstanceUID("1.2.3"), model, outcome_of([reading]), (reading,), now)
    return summary_lines(content)[-1]


def test_of_several_classes_the_one_that_is_there_is_named() -> None:
    """Nobody has to look through ten groups for it."""
    assert summary(0.01, 0.97, 0.02) == "1 of 1 image assessed; flagged: Digit 1."


def test_where_no_class_has_the_majority_nothing_is_flagged() -> None:
    """An undecided answer names no class."""
    assert summary(0.4, 0.35, 0.25) == "1 of 1 image assessed; no finding is flagged."


def test_a_single_class_is_not_named_again() -> None:
    """Its own line says what it is."""
    assert summary(0.9) == "1 of 1 image assessed; at least one finding is flagged."
