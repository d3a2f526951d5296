"""Rejection notes between programs that nobody here wrote: what they send is applied, and ours is taken and valid."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread

from node.dicom.companions.rejection_note import build_rejection_note
from node.dicom.documents.key_objects import read_key_objects
from node.dicom.instance.part10 import preamble_and_meta
from node.domain.rejection import KEY_OBJECT_SELECTION, RejectionCode, note_identity
from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.objects.images import other_images, write_as_dx
from tests.support.objects.notes import rejection_file
from tests.support.objects.part10 import Part10File
from tests.support.objects.studies import IMPLICIT_VR_LITTLE_ENDIAN, NAMES, study_of
from tests.support.programs.dcmtk import Storescp, storescp, storescu
from tests.support.programs.orthanc import Orthanc, orthanc
from tests.support.programs.processes import free_port, program, run_program
from tests.support.programs.validators import dciodvfy
from tests.support.waiting import wait_until

pytestmark = pytest.mark.peers

_IOD = "KeyObjectSelectionDocument"
_TIMEOUT_S = 60


@pytest.mark.parametrize("code", RejectionCode)
@pytest.mark.parametrize("character_set", NAMES, ids=lambda name: name or "ASCII")
def test_our_note_is_valid_and_of_the_report_s_patient_and_study(
    tmp_path: Path, character_set: str, code: RejectionCode
) -> None:
    """By dciodvfy and dcentvfy, in every character set."""
    study = study_of(tmp_path, "positive", character_set)
    report = study.report_file(tmp_path)
    uid = note_identity(study.identity.sop_instance_uid, study.content.study_instance_uid, code).sop_instance_uid
    encoded = build_rejection_note(study.report(), code, "It was recalled.", datetime(2026, 11, 22, tzinfo=UTC))
    note = tmp_path / "note.dcm"
    note.write_bytes(preamble_and_meta(KEY_OBJECT_SELECTION, uid, IMPLICIT_VR_LITTLE_ENDIAN) + encoded)
    assert dciodvfy(note, _IOD) == []
    said = run_program([program("dcentvfy"), str(report), str(note)]).stdout
    assert [line for line in said.splitlines() if line.startswith("Error")] == []
    assert code.meaning in run_program([program("dsrdump"), str(note)]).stdout


def test_a_note_that_dcmtk_wrote_is_read(tmp_path: Path) -> None:
    """Its xml2dsr encodes the document anew."""
    ours, described, theirs = (tmp_path / name for name in ("ours.dcm", "note.xml", "theirs.dcm"))
    ours.write_bytes(rejection_file("113038", ["1.2.3.1.1", "1.2.3.1.2"]))
    run_program([program("dsr2xml"), str(ours), str(described)]).check_returncode()
    run_program([program("xml2dsr"), str(described), str(theirs)]).check_returncode()
    assert dcmread(theirs).file_meta.ImplementationVersionName.startswith("OFFIS")
    assert read_key_objects(theirs) == read_key_objects(ours)
    assert len(read_key_objects(theirs).named) == 2


@dataclass(frozen=True, slots=True)
class Site:
    """A node between a modality, Orthanc and DCMTK's storescp, both of which hold a report and take notes."""

    node: Node
    pacs: Orthanc
    receiver: Storescp
    image: Path

    def notes(self) -> list[Part10File]:
        """Return the rejection notes that storescp got."""
        return [file for file in self.receiver.received() if file.sop_class_uid == KEY_OBJECT_SELECTION]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Run it, and wait until both peers hold the report of one image."""
    (image,) = write_as_dx(other_images(("CT_small.dcm",)), tmp_path / "images")
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(storescp(tmp_path / "storescp"))
        pacs = stack.enter_context(orthanc(tmp_path / "orthanc"))
        taking = {"may_send": True, "gets_reports": True, "takes_rejection_notes": True}
        peers = [
            Peer("viewer", receiver.ae_title, receiver.port, **taking),
            Peer("pacs", pacs.ae_title, pacs.port, **taking),
            Peer("modality", "MODALITY", free_port(), may_send=True),
        ]
        node = stack.enter_context(serving(NodeFolder(tmp_path / "node", peers)))
        pacs.knows("NODE", AE_TITLE, node.port)
        assert storescu(node.port, AE_TITLE, "MODALITY", [image]).statuses == ["Success"]
        wait_until(lambda: receiver.received() and pacs.find(Modality="SR"), _TIMEOUT_S, "a report at both peers")
        node.home.wait_settled(_TIMEOUT_S)
        yield Site(node, pacs, receiver, image)


def test_a_note_from_orthanc_takes_back_what_orthanc_and_dcmtk_hold(site: Site, tmp_path: Path) -> None:
    """The notes are valid as they give them out, name the report, and start nothing when they come back."""
    image, theirs = dcmread(site.image), tmp_path / "note.dcm"
    theirs.write_bytes(rejection_file("113037", [image.SOPInstanceUID], "1.2.99.1", image.StudyInstanceUID))
    sent = site.pacs.sends("NODE", [site.pacs.keeps(theirs)])
    assert sent["FailedInstancesCount"] == 0
    ours = {"Modality": "KO", "SeriesDescription": "AI research results taken back"}
    wait_until(lambda: site.notes() and site.pacs.find(**ours), _TIMEOUT_S, "a note at both peers")
    site.node.home.wait_settled(_TIMEOUT_S)

    (note,) = site.notes()
    assert dciodvfy(note.path, _IOD) == []
    (report,) = (file for file in site.receiver.received() if file.sop_class_uid != KEY_OBJECT_SELECTION)
    said = read_key_objects(note.path)
    assert (said.code, [one.sop_instance_uid for one in said.named]) == (
        RejectionCode.PATIENT_SAFETY,
        [report.sop_instance_uid],
    )
    (listed,) = site.node.home.listing("rejections")
    assert (listed["state"], listed["calling_ae_title"]) == ("applied", site.pacs.ae_title)
    assert {row["peer"]: row["rejection_note"] for row in listed["delivered"]} == {"pacs": "done", "viewer": "done"}
    assert site.pacs.sends("NODE", site.pacs.find(**ours))["FailedInstancesCount"] == 0
    assert len(site.node.home.listing("rejections")) == 1
