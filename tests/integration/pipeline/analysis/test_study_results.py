"""From the images of a study to its result: aggregation, key images, numbers of images, images of several frames."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import UltrasoundMultiFrameImageStorage

from node.dicom.samples.wrap import as_file, dx_dataset
from node.domain.aggregate import in_one
from node.domain.finding import Admission, FrameReading, Reading
from node.domain.identifiers import SOPInstanceUID
from node.domain.rule import Aggregation, Rule
from node.pipeline.analysis.frame_readings import OUTSIDE_LIMITS, of_frames
from node.pipeline.analysis.read_in_child import StoredImage, read_images
from node.pipeline.registry.catalogue import bundle_path
from node.store.codec import reading_from_json, reading_to_json
from tests.support.houses.house import SUBJECT, House, incoming, radiograph
from tests.support.houses.line import Line, positive, refused
from tests.support.houses.rules import let_read_by
from tests.support.objects.reports import content_items, texts

_SINGLE = "Single images reach the threshold: Pneumonia in 1."
_SCORES = {"1.2.3.1.1": 0.1, "1.2.3.1.2": 0.6, "1.2.3.1.3": 0.9}


def _line(house: House, rule: Rule) -> Line:
    """Return a line whose model has this rule and says of each image what `_SCORES` says."""
    line = Line(house, says=lambda uid: positive(uid, _SCORES[uid]))
    let_read_by(house, rule)
    return line


def _receive(house: House, *numbers: int) -> None:
    for number in numbers:
        house.receive(radiograph(sop_instance_uid=f"1.2.3.1.{number}"))


@pytest.mark.database("any")  # no database adds up what models say
@pytest.mark.parametrize(
    ("how", "score", "outcome", "keys"),
    [
        (Aggregation.ANY, None, "positive", ["1.2.3.1.3", "1.2.3.1.2"]),
        (Aggregation.MAXIMUM, 0.9, "positive", ["1.2.3.1.3"]),
        (Aggregation.MEAN, 1.6 / 3, "positive", ["1.2.3.1.3", "1.2.3.1.2"]),
        (Aggregation.TOP_K, 0.75, "positive", ["1.2.3.1.3", "1.2.3.1.2"]),
    ],
)
def test_a_rules_aggregation_makes_the_study_result(
    house: House, how: Aggregation, score: float | None, outcome: str, keys: list[str]
) -> None:
    """Score, threshold and key images stand in the analysis and in the report."""
    line = _line(house, Rule(aggregation=how, top_k=2))
    _receive(house, 1, 2, 3)
    line.report()
    (analysis,) = line.study()["analyses"]
    (finding,) = analysis["findings"]
    assert (analysis["outcome"], finding["aggregation"], finding["threshold"]) == (outcome, how.value, 0.5)
    assert finding["score"] == (None if score is None else pytest.approx(score))
    assert [key["sop_instance_uid"] for key in finding["key_images"]] == keys
    lines = texts(line.reports()[0])
    named = [f"Key image, Pneumonia: {key}" for key in keys]  # all three have the same number
    assert [text for text in lines if text.startswith("Key image")] == 2 * named  # of the study, and in the first group
    assert any(text.startswith("Study, Pneumonia: flagged") for text in lines)


def test_a_mean_may_be_negative_where_one_image_is_not(house: House) -> None:
    """The rule decides what a study is, not the highest image."""
    line = _line(house, Rule(aggregation=Aggregation.MEAN))
    _receive(house, 1, 2)
    line.report()
    assert line.study()["outcomes"] == {"starter": "negative"}
    assert _SINGLE in texts(line.reports()[0])


def test_a_study_of_another_number_of_images_is_listed_and_gets_no_object(house: House) -> None:
    """Until the missing image comes; then the reason is gone, and there is a report."""
    line = _line(house, Rule(min_images=2))
    _receive(house, 1)
    line.report()
    study = line.study()
    assert study["turned_away"] == {"starter": "it has 1 image that the model reads, fewer than min_images 2"}
    assert (study["state"], line.reports()) == ("turned away", [])
    assert "study turned away" in [entry["event"] for entry in study["timeline"]]
    _receive(house, 3)
    line.report()
    assert line.study()["turned_away"] == {}
    assert line.study()["outcomes"] == {"starter": "positive"}


def test_an_image_too_many_takes_back_what_has_not_left(house: House) -> None:
    """The report of fewer images says nothing of the study that it is by now."""
    line = _line(house, Rule(max_images=1))
    _receive(house, 3)
    line.report()
    assert [delivery["state"] for delivery in line.deliveries()] == ["waiting"]
    _receive(house, 1)
    line.report()
    assert [delivery["state"] for delivery in line.deliveries()] == ["cancelled"]
    assert line.study()["turned_away"] == {"starter": "it has 2 images that the model reads, more than max_images 1"}


def test_a_changed_aggregation_concludes_anew_from_the_same_readings(house: House) -> None:
    """When the study is composed again; nothing is read again."""
    line = _line(house, Rule())
    _receive(house, 1, 2)
    line.report()
    let_read_by(house, Rule(aggregation=Aggregation.MEAN))
    house.execute("UPDATE jobs SET state = 'waiting' WHERE kind = 'compose'")
    assert line.read() == 0
    line.compose()
    assert [one["outcome"] for one in line.study()["analyses"]] == ["positive", "negative"]


def test_the_key_frame_of_an_enhanced_image_is_referred_to_by_its_number(house: House) -> None:
    """In the group of the frame and in the study's lines; the image library names the image."""

    def says(uid: SOPInstanceUID) -> Reading:
        found = positive(uid).findings[0]
        frames = [
            FrameReading(number, admitted=True, findings=(replace(found, probability=number / 40),))
            for number in range(1, 31)
        ]
        return in_one(uid, frames, Admission(admitted=True))

    line = _line(house, Rule(modalities=("US",), body_parts=(), max_frames=100, aggregation=Aggregation.MAXIMUM))
    line.says = says
    house.rules["starter"] = Rule(modalities=("US",), body_parts=(), max_frames=100)
    house.receive(incoming(_of_frames(30)))
    line.report()
    (report,) = line.reports()
    numbers = [
        item.ReferencedSOPSequence[0].ReferencedFrameNumber
        for item in content_items(report)
        if "ReferencedSOPSequence" in item and "ReferencedFrameNumber" in item.ReferencedSOPSequence[0]
    ]
    assert set(numbers) == {30}
    assert "Key image, Pneumonia: series 1, image 1 (AP), frame 30" in texts(report)


def _of_frames(count: int) -> bytes:
    """Return an ultrasound clip as a file: noise, so that no model knows it."""
    dataset = dx_dataset(np.zeros((32, 32), np.uint8), SUBJECT)
    dataset.SOPClassUID, dataset.Modality, dataset.NumberOfFrames = UltrasoundMultiFrameImageStorage, "US", count
    dataset.PixelData = np.random.default_rng(1).integers(0, 256, (count, 32, 32), np.uint8).tobytes()
    del dataset.PresentationIntentType
    return as_file(dataset)


def test_an_image_of_more_frames_than_the_rule_allows_is_not_assessed(tmp_path: Path) -> None:
    """With the reason; what the rule allows is read frame by frame, and says how many it did not know."""
    path = tmp_path / "clip.dcm"
    path.write_bytes(_of_frames(3))
    uid, bundle = SOPInstanceUID("1.2.3.1.1"), bundle_path("starter")
    single = read_images([StoredImage(path, uid)], bundle)[0]
    assert single.admission.sentence == "The image has 3 frames; the model reads single images."
    fewer = read_images([StoredImage(path, uid, 2)], bundle)[0]
    assert fewer.admission.sentence == "The image has 3 frames; the model reads images of up to 2 frames."
    read = read_images([StoredImage(path, uid, 3)], bundle)[0]
    assert [frame.number for frame in read.frames] == [1, 2, 3]
    assert read.admission.reason == OUTSIDE_LIMITS
    assert "None of its 3 frames" in read.admission.sentence


def test_frames_that_were_not_admitted_count_as_none() -> None:
    """The image is read all the same, and says how many."""
    uid = SOPInstanceUID("1.2.3.1.1")
    reading = of_frames(uid, [positive(uid, 0.7), refused(uid), positive(uid, 0.8)])
    assert reading.admission.admitted
    assert reading.admission.sentence == "Of its 3 frames, 1 were not admitted and count as none."
    assert [finding.probability for finding in reading.findings] == [0.8]
    assert reading_from_json(reading_to_json(reading)) == reading
