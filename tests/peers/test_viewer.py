"""What a radiologist sees: reports of a running node, opened in OHIF in Chromium over Orthanc's DICOMweb."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dcmtk import storescu
from tests.support.images import chest_radiographs, other_images, write_as_dx
from tests.support.nodes import AE_TITLE, NodeFolder, Peer, serving
from tests.support.ohif import Seen, Viewer, ohif
from tests.support.orthanc import DICOMWEB, Orthanc, orthanc
from tests.support.programs import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(480)]

SENDER = "MODALITY"
RESEARCH = "RESEARCH RESULT by starter"
WARNING = ("Not a cleared medical device.", "Not for diagnosis or treatment. Unverified.")
#: Of OHIF's own tour of its buttons, whose first stop the test skips.
_OF_THE_TOUR = "No element was found for the selector supplied to advanceOn"


@dataclass(frozen=True, slots=True)
class ReadingRoom:
    """A PACS with its viewer, and the studies that a node has reported there, by what their reports say."""

    viewer: Viewer
    studies: dict[str, list[str]]
    folder: Path

    def seen(self, outcome: str) -> Seen:
        """Open the report of a study with this outcome."""
        return self.viewer.open_report(self.studies[outcome][0], self.folder / f"{outcome}.png")


@pytest.fixture(scope="module")
def reading_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingRoom]:
    """Run the node between a sender and a PACS with a viewer, until each study has its report."""
    folder = tmp_path_factory.mktemp("viewer")
    paths = write_as_dx([*chest_radiographs(4), *other_images()[:1]], folder / "images")
    with contextlib.ExitStack() as stack:
        pacs = stack.enter_context(orthanc(folder / "orthanc", **DICOMWEB))
        node = stack.enter_context(serving(NodeFolder(folder / "node", _peers(pacs))))
        for path in paths:
            pacs.keeps(path)
        assert storescu(node.port, AE_TITLE, SENDER, paths).statuses == ["Success"] * len(paths)
        wait_until(lambda: len(pacs.find(Modality="SR")) >= len(paths), 120, "a report of each study at the PACS")
        yield ReadingRoom(stack.enter_context(ohif(pacs.http_port)), _by_outcome(node.home), folder)


def _peers(pacs: Orthanc) -> list[Peer]:
    sender = Peer("modality", SENDER, free_port(), may_send=True)
    return [sender, Peer("pacs", pacs.ae_title, pacs.port, gets_reports=True)]


def _by_outcome(home: NodeFolder) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for study in home.listing("studies"):
        found.setdefault(study["outcomes"]["starter"], []).append(study["study_instance_uid"])
    return found


@pytest.mark.data
@pytest.mark.parametrize("outcome", ["positive", "negative", "not_assessed"])
def test_the_viewer_opens_the_report_and_shows_what_it_is(reading_room: ReadingRoom, outcome: str) -> None:
    """The line that says what it is, whoever reads it and whatever it says; and the viewer complains of nothing."""
    seen = reading_room.seen(outcome)

    assert RESEARCH in seen.text
    assert all(line in seen.text for line in WARNING)
    assert [error for error in seen.errors if _OF_THE_TOUR not in error] == []
    assert seen.picture.stat().st_size > 0


@pytest.mark.data
def test_the_viewer_shows_what_was_found(reading_room: ReadingRoom) -> None:
    """In words, beside something drawn over the image."""
    flagged, clear = reading_room.seen("positive"), reading_room.seen("negative")

    assert "Pneumonia: flagged" in flagged.text
    assert "Pneumonia: not flagged" in clear.text
    assert "polyline" in flagged.drawn


@pytest.mark.data
def test_the_viewer_shows_that_nothing_was_assessed_and_no_score(reading_room: ReadingRoom) -> None:
    """A reader must not take a refusal for a finding."""
    seen = reading_room.seen("not_assessed")

    assert "not assessed" in seen.text.lower()
    assert "flagged" not in seen.text
