"""Labels by programs that nobody here wrote: DCMTK sends them, Orthanc relays them, and they count as made."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept, ObserverContext, PersonObserverIdentifyingAttributes
from pydicom import Dataset, dcmread

from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.objects.images import other_images, write_as_dx
from tests.support.objects.labels import ABSENT, coded, ohif, weasis
from tests.support.objects.notes import file_of
from tests.support.programs.dcmtk import storescu
from tests.support.programs.orthanc import Orthanc, orthanc
from tests.support.programs.processes import free_port, program, run_program
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

_WITHIN_S = 90
_SENDER = "WEASIS"


@dataclass(frozen=True, slots=True)
class Site:
    """A node with two receiving processes beside Orthanc, and one study of each of some images."""

    folder: Path
    node: Node
    pacs: Orthanc
    images: list[Dataset]

    def file(self, dataset: Dataset) -> Path:
        """Write an object that a viewer made."""
        path = self.folder / f"{dataset.SOPInstanceUID}.dcm"
        path.write_bytes(file_of(dataset))
        return path

    def sends(self, *paths: Path) -> None:
        """Send files to the node with storescu."""
        assert set(storescu(self.node.port, AE_TITLE, _SENDER, paths, "-R").statuses) == {"Success"}

    def relays(self, *paths: Path) -> None:
        """Let Orthanc hold files and send them on."""
        sent = self.pacs.sends("NODE", [self.pacs.keeps(path) for path in paths])
        assert sent["FailedInstancesCount"] == 0

    def labels(self, count: int) -> list[dict[str, Any]]:
        """Return what is listed, once so much of it is read."""

        def listed() -> list[dict[str, Any]]:
            return [row for row in self.node.home.listing("labels") if row["state"] != "unread"]

        wait_until(lambda: len(listed()) >= count, _WITHIN_S, f"{count} labels")
        return listed()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run it; the images have come, and nothing is labelled."""
    folder = tmp_path_factory.mktemp("labels")
    paths = write_as_dx(other_images()[:3], folder / "images")
    with contextlib.ExitStack() as stack:
        pacs = stack.enter_context(orthanc(folder / "orthanc"))
        peers = [
            Peer("pacs", pacs.ae_title, pacs.port, may_send=True, gets_reports=True),
            Peer("viewer", _SENDER, free_port(), may_send=True),
        ]
        home = NodeFolder(folder / "node", peers, processes=2)
        node = stack.enter_context(serving(home))
        pacs.knows("NODE", AE_TITLE, node.port)
        ready = Site(folder, node, pacs, [dcmread(path) for path in paths])
        ready.sends(*paths)
        home.wait_settled(_WITHIN_S)
        yield ready


def _of(image: Dataset, document: Dataset) -> Dataset:
    """Return a document of the patient and study of an image."""
    document.StudyInstanceUID = image.StudyInstanceUID
    document.PatientID, document.PatientName = image.PatientID, image.PatientName
    for study in document.CurrentRequestedProcedureEvidenceSequence:
        study.StudyInstanceUID = image.StudyInstanceUID
        study.ReferencedSeriesSequence[0].SeriesInstanceUID = image.SeriesInstanceUID
    return document


def _selected(image: Dataset, uid: str) -> KeyObjectSelectionDocument:
    """Return a Key Object Selection as highdicom makes it, of a person who describes it."""
    person = ObserverContext(CodedConcept("121006", "DCM", "Person"), PersonObserverIdentifyingAttributes("Wang^Li"))
    title = CodedConcept("113000", "DCM", "Of Interest")
    content = KeyObjectSelection(title, [image], person, description="Pneumonia, right lower lobe")
    return KeyObjectSelectionDocument([image], content, f"{uid}.0", 1, uid, 1, manufacturer="somebody")


def test_labels_sent_by_dcmtk_and_relayed_by_orthanc_count_as_they_were_made(site: Site) -> None:
    """In three forms, of three readers, for three studies; the listing says of each where it comes from."""
    first, second, third = site.images
    site.sends(site.file(_of(first, weasis("未见肺炎", [first.SOPInstanceUID], uid="1.2.77.101"))))
    site.relays(site.file(_of(second, ohif("pneumonia", [second.SOPInstanceUID], uid="1.2.77.102"))))
    selected = site.folder / "selected.dcm"
    _selected(third, "1.2.77.103").save_as(selected)
    site.relays(selected)
    rows = {row["source_uid"]: row for row in site.labels(3)}
    assert {(uid, row["state"], row["present"], row["reader"], row["rule"]) for uid, row in rows.items()} == {
        ("1.2.77.101", "current", False, f"somebody at {_SENDER}", "key_object_text"),
        ("1.2.77.102", "current", True, f"somebody at {site.pacs.ae_title}", "finding_text"),
        ("1.2.77.103", "current", True, "Wang^Li", "key_object_text"),
    }
    assert rows["1.2.77.101"]["text"] == "未见肺炎"
    assert {row["sop_instance_uid"] for row in rows.values()} == {image.SOPInstanceUID for image in site.images}
    (study,) = site.node.home.listing("studies", first.StudyInstanceUID)
    assert [entry["event"] for entry in study["timeline"]].count("label recorded") == 1
    assert len(study["analyses"]) == 1


def test_a_report_of_a_person_that_dcmtk_wrote_anew_is_read(site: Site) -> None:
    """Its xml2dsr encodes the document in its own way; its own reports that Orthanc sends back are no labels."""
    image = site.images[0]
    ours = site.file(_of(image, coded(ABSENT, images=[image.SOPInstanceUID], uid="1.2.77.104")))
    described, theirs = site.folder / "sr.xml", site.folder / "theirs.dcm"
    run_program([program("dsr2xml"), str(ours), str(described)]).check_returncode()
    run_program([program("xml2dsr"), str(described), str(theirs)]).check_returncode()
    site.sends(theirs)
    reports = site.pacs.find(Modality="SR", Manufacturer="pacs-node*")
    assert reports
    assert site.pacs.sends("NODE", reports)["FailedInstancesCount"] == 0
    wait_until(
        lambda: any(row["source_uid"] == "1.2.77.104" for row in site.labels(1)), _WITHIN_S, "the label of the report"
    )
    (row,) = (row for row in site.labels(1) if row["source_uid"] == "1.2.77.104")
    assert (row["state"], row["present"], row["reader"], row["rule"]) == (
        *("current", False, "House^Gregory", "finding_code"),
    )
    own = dcmread(theirs).file_meta.ImplementationVersionName
    assert own.startswith("OFFIS")
    assert all(row["source_kind"] in {"key_object", "report"} for row in site.labels(1))
    assert len({row["source_uid"] for row in site.labels(1)}) == len(site.labels(1))
