"""How what is said of images becomes what is said of their study."""

import pytest

from node.domain.aggregate import MOST_KEY_IMAGES, aggregated, in_one, outcome_of
from node.domain.finding import Admission, Anomaly, Code, Finding, FrameReading, KeyImage, Outcome, Reading
from node.domain.identifiers import SOPInstanceUID
from node.domain.rule import Aggregation

_CODE = Code("233604007", "SCT", "Pneumonia")
_SITE = Code("39607008", "SCT", "Lung")


def _finding(probability: float, name: str = "pneumonia", threshold: float = 0.5) -> Finding:
    return Finding(name, _CODE, _SITE, probability, threshold)


def _images(*probabilities: float) -> list[Reading]:
    return [
        Reading(SOPInstanceUID(f"1.{number}"), Admission(admitted=True), (_finding(probability),))
        for number, probability in enumerate(probabilities, start=1)
    ]


def _refused(uid: str) -> Reading:
    return Reading(SOPInstanceUID(uid), Admission(admitted=False, sentence="no chest"))


def _keys(*uids: str) -> tuple[KeyImage, ...]:
    return tuple(KeyImage(SOPInstanceUID(uid)) for uid in uids)


@pytest.mark.parametrize(
    ("how", "scores", "score", "present", "keys"),
    [
        (Aggregation.ANY, (0.1, 0.6, 0.9), None, True, ("1.3", "1.2")),
        (Aggregation.ANY, (0.1, 0.4), None, False, ()),
        (Aggregation.MAXIMUM, (0.1, 0.6, 0.9), 0.9, True, ("1.3",)),
        (Aggregation.MAXIMUM, (0.1, 0.4), 0.4, False, ()),
        (Aggregation.MEAN, (0.1, 0.6, 0.9), 1.6 / 3, True, ("1.3", "1.2")),
        (Aggregation.MEAN, (0.1, 0.2, 0.9), 0.4, False, ()),
        (Aggregation.TOP_K, (0.1, 0.4, 0.8), 0.6, True, ("1.3",)),
        (Aggregation.TOP_K, (0.1, 0.3, 0.6), 0.45, False, ()),
        (Aggregation.TOP_K, (0.7,), 0.7, True, ("1.1",)),
    ],
)
def test_each_aggregation_gives_its_figure_its_verdict_and_its_key_images(
    how: Aggregation, scores: tuple[float, ...], score: float | None, present: object, keys: tuple[str, ...]
) -> None:
    """The highest image first; of a class that is absent no image is key."""
    (found,) = aggregated(_images(*scores), how, top_k=2)
    assert found.score == (None if score is None else pytest.approx(score))
    assert (found.present, found.key_images) == (present, _keys(*keys))
    assert (found.aggregation, found.threshold, found.assessed) == (how.value, 0.5, len(scores))
    assert found.reached == sum(one >= 0.5 for one in scores)
    assert found.averaged == (min(2, len(scores)) if how is Aggregation.TOP_K else None)


def test_a_score_at_the_threshold_is_present_in_every_aggregation() -> None:
    """The operating point belongs to the flagged side, for a study as for an image."""
    assert all(aggregated(_images(0.5), how)[0].present for how in Aggregation)


def test_classes_are_aggregated_each_by_itself() -> None:
    """The one image may decide the one class, and another image another."""
    one = Reading(SOPInstanceUID("1.1"), Admission(admitted=True), (_finding(0.9, "a"), _finding(0.1, "b", 0.05)))
    two = Reading(SOPInstanceUID("1.2"), Admission(admitted=True), (_finding(0.2, "a"), _finding(0.4, "b", 0.05)))
    first, second = aggregated([one, two], Aggregation.MAXIMUM)
    assert (first.name, first.score, first.key_images) == ("a", 0.9, _keys("1.1"))
    assert (second.name, second.score, second.key_images) == ("b", 0.4, _keys("1.2"))


def test_images_that_were_not_admitted_count_as_none() -> None:
    """A mean is of what was seen."""
    (found,) = aggregated([*_images(0.6), _refused("1.9")], Aggregation.MEAN)
    assert (found.score, found.assessed) == (0.6, 1)
    assert aggregated([_refused("1.9")], Aggregation.MEAN) == []
    assert outcome_of([_refused("1.9")], []) is Outcome.NOT_ASSESSED


def test_no_more_key_images_are_named_than_a_person_looks_at() -> None:
    """Of equal ones the first stay; how many reached the threshold is told all the same."""
    (found,) = aggregated(_images(*[0.9] * 300))
    assert found.key_images == _keys(*(f"1.{number}" for number in range(1, MOST_KEY_IMAGES + 1)))
    assert (found.reached, found.assessed) == (300, 300)


def test_frames_are_images_and_the_key_ones_are_named_by_number() -> None:
    """A frame that was not admitted counts as none."""
    frames = [
        FrameReading(number, admitted=number != 2, findings=(_finding(number / 10),) if number != 2 else ())
        for number in range(1, 7)
    ]
    image = in_one(SOPInstanceUID("1.5"), frames, Admission(admitted=True))
    (found,) = aggregated([image, *_images(0.2)], Aggregation.TOP_K, top_k=2)
    assert found.score == pytest.approx(0.55)
    assert found.key_images == (KeyImage(SOPInstanceUID("1.5"), 6), KeyImage(SOPInstanceUID("1.5"), 5))
    assert found.assessed == 6


def test_an_image_of_frames_says_the_highest_of_each_class() -> None:
    """And the most unusual frame is how unusual the image is."""
    frames = [
        FrameReading(1, True, (_finding(0.2, "a"), _finding(0.7, "b")), Anomaly(1.0, 80)),
        FrameReading(2, True, (_finding(0.3, "a"), _finding(0.1, "b")), Anomaly(2.0, 95)),
        FrameReading(3, admitted=False),
    ]
    image = in_one(SOPInstanceUID("1.5"), frames, Admission(admitted=True))
    assert [(one.name, one.probability) for one in image.findings] == [("a", 0.3), ("b", 0.7)]
    assert image.anomaly == Anomaly(2.0, 95)
    assert in_one(SOPInstanceUID("1.5"), frames[2:], Admission(admitted=False)).findings == ()
