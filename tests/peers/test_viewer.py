"""What a radiologist sees: reports of a running node, opened in OHIF in Chromium over Orthanc's DICOMweb.

Every image is painted and of nobody, so that the screenshots may be kept: each run puts them into the folder that
PACS_NODE_SCREENSHOTS names, where it names one.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

from tests.support.objects.reports import Report, concept, content_items
from tests.support.programs.ohif import Seen
from tests.support.programs.reading_room import SCENES, ReadingRoom, reading_room
from tests.support.programs.validators import dciodvfy

pytestmark = [pytest.mark.peers, pytest.mark.timeout(560)]

_COMMENT, _REGION = "121106", "111030"
_SHOWN = 5  # lines that the viewer draws beside a region, whatever more there are


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingRoom]:
    """Run a node between a modality and a PACS with a viewer, until there is a report of every outcome."""
    with reading_room(tmp_path_factory.mktemp("room")) as made:
        yield made


@pytest.fixture(scope="module")
def seen(room: ReadingRoom) -> dict[str, Seen]:
    """Open each report as a person does, and keep what is to be seen."""
    folder = Path(os.environ.get("PACS_NODE_SCREENSHOTS") or room.folder / "pictures")
    return room.viewer.open_reports({outcome: scene.study for outcome, scene in room.scenes.items()}, folder)


def _groups(report: Report) -> list[list[str]]:
    """Return the lines of each group of the report's first image: those that the viewer shows at once."""
    groups = [item for item in content_items(report.dataset) if concept(item) == "125007"]
    return [
        [str(item.TextValue) for item in group.ContentSequence if concept(item) == _COMMENT]
        for group in groups
        if _image_of(group) == _image_of(groups[0])
    ]


def _image_of(group: Dataset) -> str:
    (source,) = (item for item in group.ContentSequence if concept(item) == "121112")
    return str(source.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


@pytest.mark.parametrize("outcome", SCENES)
def test_the_viewer_shows_the_lines_of_a_report(room: ReadingRoom, seen: dict[str, Seen], outcome: str) -> None:
    """Beside the image that the report begins with, the first five of each group."""
    drawn = " ".join(one for one in seen[outcome].drawn if one.startswith("text: "))
    for lines in _groups(room.report(outcome)):
        assert [line for line in lines[:_SHOWN] if line not in drawn] == []


@pytest.mark.parametrize("outcome", SCENES)
def test_the_viewer_draws_the_regions_of_a_report(room: ReadingRoom, seen: dict[str, Seen], outcome: str) -> None:
    """One for each group: what was found, or the whole image."""
    assert seen[outcome].drawn.count("polyline") == len(_groups(room.report(outcome)))


@pytest.mark.parametrize("outcome", SCENES)
def test_the_viewer_complains_of_nothing(seen: dict[str, Seen], outcome: str) -> None:
    """Neither the page nor its console."""
    assert seen[outcome].errors == ()
    assert seen[outcome].picture.stat().st_size > 0


@pytest.mark.parametrize("outcome", SCENES)
def test_the_first_line_says_what_it_is(room: ReadingRoom, seen: dict[str, Seen], outcome: str) -> None:
    """Whatever the outcome, and also that the image is synthetic."""
    drawn = " ".join(seen[outcome].drawn)
    assert "RESEARCH RESULT by starter" in drawn
    assert "SYNTHETIC" in drawn
    assert _groups(room.report(outcome))[0][0].startswith("RESEARCH RESULT by starter")


def test_a_verdict_is_among_what_the_viewer_shows(seen: dict[str, Seen]) -> None:
    """No refusal looks like a finding, and nothing that was found is crowded out."""
    said = {outcome: " ".join(one.drawn) for outcome, one in seen.items()}
    assert {outcome for outcome, text in said.items() if ": flagged" in text} == {
        "finding present", "region found", "several images", "later report",
    }  # fmt: skip
    assert {outcome for outcome, text in said.items() if "ot assessed" in text} == {"not assessed", "failed"}


def test_an_anomaly_is_drawn_where_it_is(room: ReadingRoom) -> None:
    """With a region of its own, and no finding flagged."""
    regions = [item for item in content_items(room.report("anomaly").dataset) if concept(item) == _REGION]
    assert any(len(item.GraphicData) > 12 for item in regions)


def test_later_reports_name_their_predecessors(room: ReadingRoom) -> None:
    """So does a report under the right name, which is the one that the PACS shows."""
    assert {outcome for outcome in SCENES if "PredecessorDocumentsSequence" in room.report(outcome).dataset} == {
        "later report", "corrected identity",
    }  # fmt: skip
    assert room.report("corrected identity").dataset.PatientName == "SYNTHETIC^RENAMED"


def test_what_the_pacs_gives_out_is_valid(room: ReadingRoom) -> None:
    """As the node sent it."""
    reports = {outcome: room.report(outcome) for outcome in SCENES}
    assert {outcome: dciodvfy(report.path) for outcome, report in reports.items()} == {one: [] for one in SCENES}
