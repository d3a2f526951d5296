"""Two hours of a hospital: a study is routed here, its results come back, and then all under the right patient."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    DigitalXRayImageStorageForPresentation,
)

from node.dicom.samples.wrap import wrap_as_dx
from tests.support.databases.kinds import MakeFolder
from tests.support.houses.house import PIXELS, SUBJECT
from tests.support.nodes.process import AE_TITLE, Node, Peer, serving
from tests.support.objects.notes import file_of
from tests.support.peers.storing_archive import Archive, archive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

STUDY = SUBJECT.study_instance_uid
_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Hospital:
    """A node and its PACS, which routes studies to it and keeps its reports."""

    node: Node
    pacs: Archive

    def send(self, datasets: list[Dataset]) -> list[int]:
        """Send as the PACS does, on one association; return the statuses."""
        entity: Any = AE("PACS")
        for sop_class in (DigitalXRayImageStorageForPresentation, Comprehensive3DSRStorage):
            entity.add_requested_context(sop_class)
        association = entity.associate("127.0.0.1", self.node.port, ae_title=AE_TITLE)
        assert association.is_established
        statuses = [association.send_c_store(dcmread(io.BytesIO(file_of(dataset)))).Status for dataset in datasets]
        association.release()
        return statuses

    def wait_for_reports(self, count: int) -> None:
        """Wait until the PACS holds that many."""
        wait_until(lambda: len(self.pacs.stored) >= count, _WITHIN_S, f"{count} reports at the PACS")

    def study(self) -> dict[str, Any]:
        """Return everything that the node knows of the study."""
        (study,) = self.node.home.listing("studies", STUDY)
        return study


@pytest.fixture
def hospital(tmp_path: Path, node_folder: MakeFolder) -> Iterator[Hospital]:
    """Run a node of several receiving processes, and a PACS that sends one study on an association."""
    with contextlib.ExitStack() as stack:
        pacs = stack.enter_context(archive())
        one_each = "one_study_per_association = true"
        peer = Peer("pacs", "PACS", pacs.port, may_send=True, gets_reports=True, more=one_each)
        tables = {"receive": "processes = 2", "study": "release_grace_s = 0.2"}
        node = stack.enter_context(serving(node_folder(tmp_path, [peer], quiet_period_s=300.0, tables=tables)))
        yield Hospital(node, pacs)


def _images(patient_name: str, patient_id: str) -> list[Dataset]:
    subjects = (replace(SUBJECT, sop_instance_uid=f"{SUBJECT.series_instance_uid}.{number}") for number in (1, 2))
    images = [dcmread(io.BytesIO(wrap_as_dx(PIXELS, subject))) for subject in subjects]
    for image in images:
        image.PatientName, image.PatientID = patient_name, patient_id
    return images


def test_a_study_comes_back_with_its_results_and_then_under_the_right_patient(hospital: Hospital) -> None:
    """All 0x0000, nothing is read again, and one report is current: that with the right patient."""
    assert hospital.send(_images("Unknown^Man", "EMERGENCY-7")) == [0, 0]
    hospital.wait_for_reports(1)
    assert hospital.send(hospital.pacs.stored[:1]) == [0]
    assert hospital.send(_images("Doe^John", "4711")) == [0, 0]
    hospital.wait_for_reports(2)
    assert hospital.send(hospital.pacs.stored[:2]) == [0, 0]
    assert hospital.send(_images("Doe^John", "4711")) == [0, 0]
    hospital.node.home.wait_settled(_WITHIN_S)

    first, second = hospital.pacs.stored
    assert (str(first.PatientName), first.PatientID) == ("Unknown^Man", "EMERGENCY-7")
    assert (str(second.PatientName), second.PatientID) == ("Doe^John", "4711")
    assert second.SeriesInstanceUID == first.SeriesInstanceUID
    predecessor = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == first.SOPInstanceUID

    study = hospital.study()
    assert (study["patient_name"], study["patient_id"]) == ("Doe^John", "4711")
    assert [(job["state"], job["attempt"]) for job in study["jobs"] if job["kind"] == "read"] == [("done", 1)] * 2
    assert sorted(row["kind"] for row in study["objects"]) == ["image", "image", "own", "own"]
    assert [delivery["state"] for delivery in study["deliveries_made"]] == ["done", "done"]
    assert len(study["analyses"]) == 2
    signals = [entry["detail"]["signal"] for entry in study["timeline"] if entry["event"] == "study complete"]
    assert signals == ["association released", "association released"]
