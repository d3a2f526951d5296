"""Where something was seen, in a report: real regions as they are, and rectangles only for viewers that need one."""

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.uid import XRayAngiographicImageStorage

from node.domain.errors import Permanent
from node.domain.finding import Anomaly, Region
from node.domain.profile import PROFILES
from tests.support.objects.reports import concept, content_items
from tests.support.objects.studies import CASES, Study, clip, study_of

_TRIANGLE: Region = ((3.5, 4.0), (20.25, 6.0), (11.0, 33.0), (3.5, 4.0))


def _parsed(study: Study, profile: str = "default") -> Dataset:
    shaped = study.saying(profile=PROFILES[profile])
    return read_dataset(io.BytesIO(shaped.report()), is_implicit_VR=True, is_little_endian=True)


def _regions(item: Dataset) -> list[Dataset]:
    return [found for found in content_items(item) if found.ValueType == "SCOORD"]


def _points(region: Dataset) -> list[tuple[float, float]]:
    numbers = [float(number) for number in region.GraphicData]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _corners(region: Dataset, expected: Region) -> tuple[tuple[float, float], ...]:
    """Return a region's corners, begun where the expected one begins: a closed polyline may begin anywhere."""
    points = [point for point in _points(region)[:-1] if point in expected]
    first = points.index(expected[0])
    assert _points(region)[0] == _points(region)[-1]
    return (*points[first:], *points[:first], points[first])


def _groups(report: Dataset) -> list[Dataset]:
    return [item for item in content_items(report) if concept(item) == "125007"]


def _with_region(study: Study, region: Region) -> Study:
    reading = study.content.readings[0]
    findings = tuple(replace(finding, region=region) for finding in reading.findings)
    return study.saying(readings=(replace(reading, findings=findings),))


def _rewrite(path: Path, **changed: Any) -> None:
    dataset = dcmread(path)
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_a_region_stands_under_the_number_that_was_measured_there(tmp_path: Path) -> None:
    """As a closed polyline in columns and rows, on the image; what has none has none."""
    report = _parsed(_with_region(study_of(tmp_path, "positive"), _TRIANGLE))
    (region,) = _regions(report)
    (number,) = [item for item in content_items(report) if region in item.get("ContentSequence", ())]
    (selected,) = region.ContentSequence

    assert (number.ValueType, concept(number)) == ("NUM", "111012")
    assert (region.GraphicType, region.RelationshipType) == ("POLYLINE", "INFERRED FROM")
    assert _corners(region, _TRIANGLE) == _TRIANGLE
    assert (selected.ValueType, selected.RelationshipType) == ("IMAGE", "SELECTED FROM")


def test_the_anomaly_score_has_its_own_region(tmp_path: Path) -> None:
    """Under the z-score."""
    study = study_of(tmp_path, "negative")
    reading = replace(study.content.readings[0], anomaly=Anomaly(4.0, 99.0, _TRIANGLE))
    report = _parsed(study.saying(readings=(reading,)))
    (number,) = [item for item in content_items(report) if concept(item) == "113071"]

    assert _corners(number.ContentSequence[0], _TRIANGLE) == _TRIANGLE
    assert len(_regions(report)) == 1


def test_a_region_is_clipped_to_the_image(tmp_path: Path) -> None:
    """Of 40 rows and 30 columns; a viewer may draw what lies outside anywhere."""
    outside: Region = ((-2.0, 4.0), (31.0, -0.5), (20.0, 44.0), (-2.0, 4.0))
    (region,) = _regions(_parsed(_with_region(study_of(tmp_path, "positive"), outside)))

    clipped = ((0, 4), (30, 0), (20, 40), (0, 4))
    assert _corners(region, clipped) == clipped


@pytest.mark.parametrize("profile", ["default", "air"])
@pytest.mark.parametrize("case", CASES)
def test_no_rectangle_is_drawn_where_there_is_no_region(tmp_path: Path, case: str, profile: str) -> None:
    """Calm by default."""
    assert _regions(_parsed(study_of(tmp_path, case), profile)) == []


@pytest.mark.parametrize("case", CASES)
def test_each_group_has_a_rectangle_where_the_profile_asks_for_it(tmp_path: Path, case: str) -> None:
    """A group without one ends a viewer; closed, inside the image, and no two of an image alike."""
    report = _parsed(study_of(tmp_path, case), "ohif")
    outlines = set()
    for group in _groups(report):
        (region,) = _regions(group)
        points = _points(region)
        assert region.GraphicType == "POLYLINE"
        assert points[0] == points[-1]
        assert all(0 < x < 30 and 0 < y < 40 for x, y in points)
        outlines.add((tuple(points), region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID))
    assert len(outlines) == len(_groups(report))


def test_a_real_region_takes_the_place_of_the_rectangle(tmp_path: Path) -> None:
    """Also where the profile asks for rectangles; what has none still gets one."""
    finding, anomaly = _regions(_parsed(_with_region(study_of(tmp_path, "positive"), _TRIANGLE), "ohif"))

    assert _corners(finding, _TRIANGLE) == _TRIANGLE
    assert len(_points(anomaly)) == 7


def test_a_finding_that_is_seen_nowhere_says_so(tmp_path: Path) -> None:
    """In a line of its group, and without an outline."""
    study = study_of(tmp_path, "positive")
    reading = study.content.readings[0]
    nowhere = tuple(replace(finding, spread=True) for finding in reading.findings)
    report = _parsed(study.saying(readings=(replace(reading, findings=nowhere),)))
    said = [item.TextValue for item in content_items(_groups(report)[0]) if item.ValueType == "TEXT"]

    assert _regions(report) == []
    assert "Where: no place of the image stands out." in said


def _label(region: Dataset) -> tuple[float, float]:
    """Return where OHIF writes a group's text: right of its first two points, halfway between their heights."""
    (one, other) = _points(region)[:2]
    return max(one[0], other[0]), (one[1] + other[1]) / 2


_ROUND: Region = tuple((15 + 10 * math.cos(turn), 20 + 12 * math.sin(turn)) for turn in [*np.linspace(0, 6, 20), 0])


@pytest.mark.parametrize("profile", ["default", "ohif"])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_texts_of_several_regions_lie_apart(tmp_path: Path, classes: int, profile: str) -> None:
    """Also where all of them are of one place: each begins elsewhere, at least five lines of text from the others."""
    study = study_of(tmp_path, "positive")
    reading = study.content.readings[0]
    one = replace(reading.findings[0], region=_ROUND)
    findings = tuple(replace(one, name=f"class {number}") for number in range(classes))
    unusual = Anomaly(4.0, 99.0, _ROUND)
    regions = _regions(_parsed(study.saying(readings=(replace(reading, findings=findings, anomaly=unusual),)), profile))
    heights = sorted(_label(region)[1] for region in regions)

    assert len(regions) == classes + 1
    assert min(np.diff(heights)) >= 0.12 * 40


def test_the_text_of_a_region_keeps_clear_of_the_rectangles(tmp_path: Path) -> None:
    """They begin at their upper left corner, where a text does not run out of the window."""
    finding, anomaly = _regions(_parsed(_with_region(study_of(tmp_path, "positive"), _ROUND), "ohif"))

    assert _label(finding)[1] - _label(anomaly)[1] >= 0.12 * 40
    assert all(_label(region)[0] <= 0.62 * 30 for region in (finding, anomaly))


def test_a_frame_is_named_where_the_source_has_several(tmp_path: Path) -> None:
    """A region lies on one frame."""
    study = study_of(tmp_path, "positive")
    _rewrite(study.sources[0], NumberOfFrames=3, SOPClassUID=XRayAngiographicImageStorage)
    regions = _regions(_parsed(study, "ohif"))

    assert len(regions) == 2
    for region in regions:
        assert region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 1


def test_a_region_names_the_frame_that_it_was_seen_on(tmp_path: Path) -> None:
    """Each on its own, where the frames were read one by one."""
    study = clip(tmp_path, 3)
    (reading,) = study.content.readings
    frames = tuple(
        replace(frame, findings=tuple(replace(one, region=_TRIANGLE) for one in frame.findings))
        if frame.number > 1
        else frame
        for frame in reading.frames
    )
    regions = _regions(_parsed(study.saying(readings=(replace(reading, frames=frames),))))

    selected = [region.ContentSequence[0].ReferencedSOPSequence[0] for region in regions]
    assert sorted(int(one.ReferencedFrameNumber) for one in selected) == [2, 3]


def test_no_frame_is_named_of_an_image_whose_class_has_but_one(tmp_path: Path) -> None:
    """A radiograph may say it had two, and a reference to one of them would not be valid."""
    study = _with_region(study_of(tmp_path, "positive"), _TRIANGLE)
    _rewrite(study.sources[0], NumberOfFrames=2)
    (region,) = _regions(_parsed(study))

    assert "ReferencedFrameNumber" not in region.ContentSequence[0].ReferencedSOPSequence[0]


@pytest.mark.filterwarnings("ignore")
def test_an_image_of_no_rows_gets_a_valid_rectangle(tmp_path: Path) -> None:
    """A header may be absurd; the report is not."""
    study = study_of(tmp_path, "not assessed")
    _rewrite(study.sources[0], Rows=0, Columns=0)
    (region,) = _regions(_parsed(study, "ohif"))

    assert len(set(_points(region))) == 6


@pytest.mark.parametrize("region", [((1.0, 1.0), (2.0, 2.0)), _TRIANGLE[:3], ((1.0, float("nan")), *_TRIANGLE[1:])])
def test_what_is_no_closed_polyline_is_refused(tmp_path: Path, region: Region) -> None:
    """Nothing invalid is ever sent."""
    with pytest.raises(Permanent, match="closed polyline"):
        _parsed(_with_region(study_of(tmp_path, "positive"), region))
