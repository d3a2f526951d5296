"""The study as a whole in a report: it stands first, names images as a person knows them, and hides nothing."""

import io
from dataclasses import replace
from pathlib import Path

from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.domain.aggregate import aggregated, in_one
from node.domain.finding import Admission, FrameReading, Outcome
from node.domain.rule import Aggregation
from tests.support.objects.reports import concept, content_items
from tests.support.objects.studies import PNEUMONIA, Study, clip, slices, study_of

_QUALITATIVE_EVALUATIONS, _MEASUREMENTS, _COMMENT, _SUMMARY = "C0034375", "126010", "121106", "111065"
_PRESENT, _ABSENT, _PARTIALLY_SUCCEEDED = "52101004", "2667000", "111223"


def _report(study: Study) -> Dataset:
    return read_dataset(io.BytesIO(study.report()), is_implicit_VR=True, is_little_endian=True)


def _container(report: Dataset, name: str) -> Dataset:
    return next(item for item in report.ContentSequence if concept(item) == name)


def _comments(container: Dataset) -> list[str]:
    return [str(item.TextValue) for item in content_items(container) if concept(item) == _COMMENT]


def _coded(container: Dataset, name: str) -> list[str]:
    items = (item for item in container.ContentSequence if concept(item) == name and item.ValueType == "CODE")
    return [str(item.ConceptCodeSequence[0].CodeValue) for item in items]


def test_the_studys_result_stands_before_the_images_and_their_groups(tmp_path: Path) -> None:
    """Coded and as lines; and in the first group, because OHIF shows the comments of groups alone."""
    report = _report(study_of(tmp_path, "two images"))
    names = [concept(item) for item in report.ContentSequence if item.ValueType == "CONTAINER"]
    assert names == [_QUALITATIVE_EVALUATIONS, "111028", _MEASUREMENTS]
    assert _coded(_container(report, _QUALITATIVE_EVALUATIONS), PNEUMONIA.value) == [_PRESENT]
    result = [
        "At least one finding is flagged (images assessed: 2 of 2).",
        "Study, Pneumonia: flagged, in 1 of 2 (threshold 0.50)",
    ]
    assert _comments(_container(report, _QUALITATIVE_EVALUATIONS))[1:3] == result
    assert _comments(_container(report, _MEASUREMENTS))[4:6] == result


def test_a_mean_below_the_threshold_tells_of_the_image_above_it(tmp_path: Path) -> None:
    """The study is coded as without the finding, and nothing contradicts the image's own group."""
    study = study_of(tmp_path, "two images")
    low = replace(study.content.readings[0].findings[0], probability=0.01)
    readings = study.content.readings[0], replace(study.content.readings[1], findings=(low,))
    findings = tuple(aggregated(readings, Aggregation.MEAN))
    report = _report(study.saying(readings=readings, findings=findings, outcome=Outcome.NEGATIVE))
    summary = _container(report, _QUALITATIVE_EVALUATIONS)
    assert _coded(summary, PNEUMONIA.value) == [_ABSENT]
    assert _comments(summary)[1:3] == [
        "No finding is flagged for the study (images assessed: 2 of 2).",
        "Single images reach the threshold: Pneumonia in 1.",
    ]


def test_a_key_image_is_named_by_its_numbers_and_referred_to(tmp_path: Path) -> None:
    """With its view; the reference beside the line opens it."""
    study = study_of(tmp_path, "two images")
    summary = _container(_report(study), _QUALITATIVE_EVALUATIONS)
    (key,) = [item for item in content_items(summary) if str(item.get("TextValue", "")).startswith("Key image")]
    assert key.TextValue == "Key image, Pneumonia: series 1, image 1 (AP)"
    (reference,) = key.ContentSequence
    assert reference.RelationshipType == "INFERRED FROM"
    uid = study.content.readings[0].sop_instance_uid
    assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid


def test_images_of_the_same_numbers_are_named_by_their_uids(tmp_path: Path) -> None:
    """A number that stands for several names none."""
    study = slices(tmp_path, 3)
    (key, *_) = study.content.findings[0].key_images
    assert f"Key image, Pneumonia: {key.sop_instance_uid} (AP)" not in _comments(_report(study))
    assert f"Key image, Pneumonia: {key.sop_instance_uid}" in _comments(_report(study))


def test_frames_that_were_not_assessed_are_counted_and_named(tmp_path: Path) -> None:
    """The analysis is one that succeeded in part."""
    study = clip(tmp_path, 5)
    frames = [
        FrameReading(3, admitted=False) if frame.number == 3 else frame for frame in study.content.readings[0].frames
    ]
    reading = in_one(study.content.readings[0].sop_instance_uid, frames, Admission(admitted=True))
    summary = _container(_report(study.saying(readings=(reading,))), _QUALITATIVE_EVALUATIONS)
    assert _coded(summary, _SUMMARY) == [_PARTIALLY_SUCCEEDED]
    lines = _comments(summary)
    assert lines[1:3] == ["At least one finding is flagged (images assessed: 1 of 1).", "Frames assessed: 4 of 5."]
    assert lines[-2:] == ["Not assessed, series 1, image 1 (AP):", "frames 3"]


def test_a_long_report_says_only_of_what_it_holds_that_it_goes_into_it(tmp_path: Path) -> None:
    """All thirty were assessed: none is said not to be."""
    assert _comments(_container(_report(slices(tmp_path, 30)), _QUALITATIVE_EVALUATIONS))[-4:] == [
        "Of 30 images and frames, a few are detailed.",
        "Detailed: those that decided.",
        "Detailed: the highest of each class.",
        "Detailed: the most unusual.",
    ]
