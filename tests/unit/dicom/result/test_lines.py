"""What a person reads first in a report."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from node.dicom.result.lines import anomaly_lines, place_lines, threshold_of, told_apart
from node.dicom.result.study_summary import summary as summary_of
from node.domain.aggregate import aggregated, in_one, outcome_of
from node.domain.finding import Admission, Anomaly, Code, Finding, FrameReading, Reading
from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID
from node.domain.report import ModelIdentity, ReportContent
from node.domain.rule import Aggregation
from node.domain.words import languages, words_in

PICTURE = Code("PICTURE", "99TEST", "Picture")


def summary(*shares: float) -> str:
    """Return what the summary concludes of one image with these shares for the digits 0, 1, ..."""
    findings = tuple(
        Finding(f"digit {number}", Code(f"D{number}", "99TEST", f"Digit {number}"), PICTURE, share, 0.5)
        for number, share in enumerate(shares)
    )
    reading = Reading(SOPInstanceUID("1.2.3.1"), Admission(admitted=True), findings)
    model, now = ModelIdentity("digits", "1", "2.25.1"), datetime(2026, 1, 2, tzinfo=UTC)
    of_study = tuple(aggregated([reading]))
    outcome = outcome_of([reading], of_study)
    content = ReportContent(StudyInstanceUID("1.2.3"), model, outcome, (reading,), now, findings=of_study)
    return summary_of(content, [])[1].text


def test_of_several_classes_the_one_that_is_there_is_named() -> None:
    """Nobody has to look through ten groups for it."""
    assert summary(0.01, 0.97, 0.02) == "Flagged: Digit 1 (images assessed: 1 of 1)."


def test_where_no_class_has_the_majority_nothing_is_flagged() -> None:
    """An undecided answer names no class."""
    assert summary(0.4, 0.35, 0.25) == "No finding is flagged (images assessed: 1 of 1)."


def test_a_single_class_is_not_named_again() -> None:
    """Its own line says what it is."""
    assert summary(0.9) == "At least one finding is flagged (images assessed: 1 of 1)."


def of_study(how: Aggregation, *readings: Reading) -> list[str]:
    """Return the lines of a study's classes and key images, and whatever follows them."""
    findings = tuple(aggregated(readings, how, top_k=2))
    model, now = ModelIdentity("digits", "1", "2.25.1"), datetime(2026, 1, 2, tzinfo=UTC)
    outcome = outcome_of(readings, findings)
    content = ReportContent(StudyInstanceUID("1.2.3"), model, outcome, readings, now, findings=findings)
    lines = [line.text for line in summary_of(content, [])]
    first = next(number for number, line in enumerate(lines) if line.startswith("Study, "))
    return lines[first:]


def image(number: int, share: float) -> Reading:
    """Return the reading of one image of a study."""
    finding = Finding("digit", Code("D", "99TEST", "Digit"), PICTURE, share, 0.5)
    return Reading(SOPInstanceUID(f"1.2.3.{number}"), Admission(admitted=True), (finding,))


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        (Aggregation.ANY, ["flagged, in 2 of 3 (threshold 0.50)"]),
        (Aggregation.MAXIMUM, ["flagged, score 0.90 (threshold 0.50)", "Score of the study: the highest of 3."]),
        (Aggregation.MEAN, ["flagged, score 0.53 (threshold 0.50)", "Score of the study: the mean of 3."]),
        (
            Aggregation.TOP_K,
            ["flagged, score 0.75 (threshold 0.50)", "Score of the study: the mean of the 2 highest of 3."],
        ),
    ],
)
def test_a_study_of_several_images_says_its_score_its_threshold_and_its_key_images(
    how: Aggregation, lines: list[str]
) -> None:
    """A line for each, because viewers draw a text with line breaks as one long line."""
    said = of_study(how, image(1, 0.1), image(2, 0.6), image(3, 0.9))
    keys = [line for line in said if line.startswith("Key image")]
    assert said[: len(lines)] == [f"Study, Digit: {lines[0]}", *lines[1:]]
    assert keys[0] == "Key image, Digit: 1.2.3.3"
    assert len(keys) == (1 if how is Aggregation.MAXIMUM else 2)


def test_a_key_frame_is_named_by_its_number() -> None:
    """As Referenced Frame Number counts."""
    frames = [FrameReading(number, admitted=True, findings=image(1, number / 10).findings) for number in range(1, 10)]
    enhanced = in_one(SOPInstanceUID("1.2.3.1"), frames, Admission(admitted=True))
    assert of_study(Aggregation.MAXIMUM, enhanced) == [
        "Study, Digit: flagged, score 0.90 (threshold 0.50)",
        "Score of the study: the highest of 9.",
        "Key image, Digit: 1.2.3.1, frame 9",
    ]


def test_a_study_that_is_not_flagged_has_no_key_image() -> None:
    """Nothing in it decided anything."""
    assert of_study(Aggregation.MEAN, image(1, 0.1), image(2, 0.6)) == [
        "Study, Digit: not flagged, score 0.35 (threshold 0.50)",
        "Score of the study: the mean of 2.",
    ]


def test_of_many_images_the_summary_says_that_the_report_goes_into_a_few() -> None:
    """And of how many the result is made."""
    assert of_study(Aggregation.ANY, *(image(number, 0.1) for number in range(300)))[-2:] == [
        "Of 300 images and frames, a few are detailed.",
        "Detailed: the highest of each class.",
    ]


@pytest.mark.parametrize(
    ("score", "threshold", "shown"),
    [
        (0.998, 0.5, ("0.998", "0.500")),
        (1.0, 0.5, ("1.00", "0.50")),
        (0.001, 0.0008, ("0.0010", "0.0008")),
        (0.5, 0.5, ("0.50", "0.50")),
        (0.4999, 0.5, ("0.4999", "0.5000")),
    ],
)
def test_numbers_never_say_more_than_is_known(score: float, threshold: float, shown: tuple[str, str]) -> None:
    """Nothing is rounded up to certainty, and what lies apart does not look the same."""
    assert told_apart(score, threshold) == shown


def test_a_small_threshold_is_not_shown_as_none() -> None:
    """Two digits where these say something."""
    assert [threshold_of(one) for one in (0.5, 0.26, 0.004)] == ["0.50", "0.26", "0.004"]


@pytest.mark.parametrize(
    ("percentile", "said"),
    [
        (0.0, "above 0 of 100 normals"),
        (70.9, "above 70 of 100 normals"),
        (98.99, "above 98 of 100 normals"),
        (99.0, "above 99 of 100 normals"),
        (99.96, "above 99.9 of 100 normals"),
        (100.0, "above all normals"),
    ],
)
def test_a_score_is_said_to_be_above_no_more_normals_than_it_is(percentile: float, said: str) -> None:
    """Never rounded up, and never above 100.0 of 100."""
    first, *_ = anomaly_lines(words_in("en"), Anomaly(2.0, percentile))
    assert first == f"Abnormality: z-score 2.00, {said}"


@pytest.mark.parametrize("language", languages())
def test_an_answer_without_a_place_says_so(language: str) -> None:
    """Where the model was asked where; what was not asked says nothing of it."""
    words, finding = words_in(language), Finding("digit", Code("D", "99TEST", "Digit"), PICTURE, 0.9, 0.5)
    assert place_lines(words, replace(finding, spread=True)) == words.lines("no_place")
    assert place_lines(words, Anomaly(2.0, 99.0, spread=True)) == words.lines("no_place")
    assert place_lines(words, finding) == place_lines(words, Anomaly(2.0, 99.0)) == []
