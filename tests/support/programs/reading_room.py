"""A study of each outcome, brought through a running node to a PACS with a viewer; every image painted, of nobody."""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from node.dicom.samples.synthetic_study import Origin, synthetic_study
from node.domain.identifiers import derived_uid
from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.objects.reports import Report, report_in
from tests.support.programs.dcmtk import storescu
from tests.support.programs.ohif import Viewer, ohif
from tests.support.programs.orthanc import DICOMWEB, Orthanc, orthanc
from tests.support.programs.processes import free_port
from tests.support.waiting import wait_until

SENDER = "MODALITY"
REPORTS_TIMEOUT_S = 180
_ORIGIN = Origin("shapes", "1", "ab" * 32, "20260102", "made up (no licence)", "none", 1, 1)
_SIDE = 224
SCENES = (
    "finding present", "finding absent", "region found", "anomaly", "not assessed", "failed", "several images",
    "later report", "corrected identity",
)  # fmt: skip
"""The outcomes that are brought."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What comes of one outcome's study: its images, and those that come when the first report is out."""

    first: tuple[Dataset, ...]
    then: tuple[Dataset, ...] = ()

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return str(self.first[0].StudyInstanceUID)


@dataclass(frozen=True, slots=True)
class ReadingRoom:
    """A PACS with its viewer, which holds a study of each outcome with the report of the node."""

    viewer: Viewer
    pacs: Orthanc
    node: Node
    scenes: dict[str, Scene]
    folder: Path

    def report(self, outcome: str) -> Report:
        """Return the newest report of an outcome's study, as the PACS gives it out."""
        found = self.pacs.find(Modality="SR", StudyInstanceUID=self.scenes[outcome].study)
        held = [self.pacs.get_bytes(f"/instances/{one}/file") for one in found]
        kept = [report_in(file, self.folder / f"{outcome}-{number}.dcm") for number, file in enumerate(held)]
        return max(kept, key=lambda report: "PredecessorDocumentsSequence" in report.dataset)


@contextlib.contextmanager
def reading_room(folder: Path, language: str = "en", outcomes: Sequence[str] = SCENES) -> Iterator[ReadingRoom]:
    """Run the node between a sender and a PACS with a viewer, until each study has its last report there."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        pacs = stack.enter_context(orthanc(folder / "orthanc", OverwriteInstances=True, **DICOMWEB))
        home = NodeFolder(folder / "node", _peers(pacs, language))
        made = _scenes(_painted(home, folder))
        scenes = {outcome: made[outcome] for outcome in outcomes}
        node = stack.enter_context(serving(home))
        _bring(node, pacs, [image for scene in scenes.values() for image in scene.first], folder / "first")
        wait_until(lambda: _reports(pacs) >= len(scenes), REPORTS_TIMEOUT_S, "a report of each study")
        if later := [scene for scene in scenes.values() if scene.then]:
            _bring(node, pacs, [image for scene in later for image in scene.then], folder / "then")
            wait_until(lambda: _reports(pacs) >= len(scenes) + len(later), REPORTS_TIMEOUT_S, "the later reports")
        yield ReadingRoom(stack.enter_context(ohif(pacs.http_port)), pacs, node, scenes, folder)


def _peers(pacs: Orthanc, language: str) -> list[Peer]:
    more = f'profile = "ohif"\nlanguage = "{language}"'
    sender = Peer("modality", SENDER, free_port(), may_send=True)
    return [sender, Peer("pacs", pacs.ae_title, pacs.port, gets_reports=True, more=more)]


def _reports(pacs: Orthanc) -> int:
    return len(pacs.find(Modality="SR"))


def _bring(node: Node, pacs: Orthanc, images: list[Dataset], folder: Path) -> None:
    """Send images to the PACS and to the node, as a modality does."""
    folder.mkdir()
    paths = [folder / f"{number}.dcm" for number in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        image.save_as(path)
        pacs.keeps(path)
    statuses = storescu(node.port, AE_TITLE, SENDER, paths).statuses
    if statuses != ["Success"] * len(paths):
        raise RuntimeError(f"the node answered {statuses}")


def _painted(home: NodeFolder, folder: Path) -> Callable[[str, int], Dataset]:
    """Let the node's own generator paint radiographs of nobody; return one by its label and number."""
    home.write()
    for label in ("pneumonia", "normal"):
        done = home.run("synthesise", "--label", label, "--count", "6", "--seed", "1", "--out", str(folder / label))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
    return lambda label, number: dcmread(folder / label / f"{label}-1-{number:04d}.dcm")


def _scenes(painted: Callable[[str, int], Dataset]) -> dict[str, Scene]:
    """Choose images of which the shipped model says what the outcome needs; its answers to them never change."""
    normal, renamed = painted("normal", 4), painted("normal", 4)
    renamed.PatientName = "SYNTHETIC^RENAMED"
    grown = painted("normal", 3)
    return {
        "finding present": Scene((painted("pneumonia", 3),)),
        "finding absent": Scene((painted("normal", 1),)),
        "region found": Scene((painted("pneumonia", 5),)),
        "anomaly": Scene((painted("pneumonia", 1),)),
        "not assessed": Scene((_of_shapes(),)),
        "failed": Scene((_of_padding(painted("normal", 5)),)),
        "several images": Scene(_one_study(painted("pneumonia", 4), painted("normal", 2))),
        "later report": Scene((grown,), _one_study(grown, painted("pneumonia", 6))[1:]),
        "corrected identity": Scene((normal,), (renamed,)),
    }


def _one_study(first: Dataset, second: Dataset) -> tuple[Dataset, Dataset]:
    for keyword in ("PatientID", "StudyInstanceUID", "StudyID"):
        setattr(second, keyword, first[keyword].value)
    second.SeriesNumber = 2
    return first, second


def _of_shapes() -> Dataset:
    """Return an image of no chest, which claims to be one: a checkerboard with a disc."""
    row, column = np.mgrid[0:_SIDE, 0:_SIDE]
    board = ((row // 28 + column // 28) % 2).astype(np.float32)
    board[(row - _SIDE / 2) ** 2 + (column - _SIDE / 2) ** 2 < (_SIDE / 4) ** 2] = 0.5
    return _read(synthetic_study(board, _ORIGIN))


def _of_padding(image: Dataset) -> Dataset:
    """Return an image without a pixel of anything: all of it is padding, so that reading it fails."""
    image.PixelData = bytes(len(image.PixelData))
    image.add_new("PixelPaddingValue", "US", 0)
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = derived_uid("padding", image.SOPInstanceUID)
    return image


def _read(file: bytes) -> Dataset:
    return dcmread(io.BytesIO(file))
