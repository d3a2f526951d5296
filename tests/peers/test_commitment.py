"""Storage commitment end to end with Orthanc, which asks and answers on associations of its own."""

from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.peers.conftest import REPORT_TIMEOUT_S, SENDER
from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer, serving
from tests.support.objects.images import other_images, write_as_dx
from tests.support.programs.dcmtk import storescu
from tests.support.programs.orthanc import Orthanc, orthanc
from tests.support.programs.processes import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(240)]


def test_orthanc_commits_to_a_report_and_a_lost_one_is_sent_again(tmp_path: Path) -> None:
    """Sent, asked, lost at Orthanc, failed, sent again under the same UID, and at last committed."""
    images = write_as_dx(other_images(("MR_small.dcm",)), tmp_path / "images")
    modality = Peer("modality", SENDER, free_port(), may_send=True)
    with orthanc(tmp_path / "orthanc") as pacs:
        archive = Peer("pacs", pacs.ae_title, pacs.port, gets_reports=True, more="storage_commitment = true")
        home = NodeFolder(tmp_path / "node", [modality, archive], tables={"commitment": "answer_within_s = 2"})
        with serving(home) as node:
            pacs.knows("NODE", AE_TITLE, free_port())  # nobody is there to take its result, and it is asked again
            assert storescu(node.port, AE_TITLE, SENDER, images).statuses == ["Success"]
            what = "a request without an answer"
            wait_until(lambda: "commitment not answered" in events(home), REPORT_TIMEOUT_S, what)
            (lost,) = pacs.find(Modality="SR")
            pacs.delete(f"/instances/{lost}")
            # another result may be on its way to nobody, of a moment at which the report was there
            wait_until(lambda: _ended(pacs), REPORT_TIMEOUT_S, "the end of what Orthanc does")
            pacs.knows("NODE", AE_TITLE, node.port)
            wait_until(lambda: "report committed" in events(home), REPORT_TIMEOUT_S, "a commitment")
            (delivery,) = home.listing("deliveries")
            assert (delivery["state"], delivery["commitment"]) == ("done", "committed")
            (kept,) = pacs.find(Modality="SR")
            assert pacs.get(f"/instances/{kept}")["MainDicomTags"]["SOPInstanceUID"] == delivery["sop_instance_uid"]
            assert "commitment failed" in events(home)
            assert "commitment not answered" in events(home)


def _ended(pacs: Orthanc) -> bool:
    return {job["State"] for job in pacs.get("/jobs?expand")} <= {"Success", "Failure"}


def events(home: NodeFolder) -> list[str]:
    """Return the events of the timeline of the one study."""
    studies = home.listing("studies")
    if not studies:
        return []
    (study,) = home.listing("studies", studies[0]["study_instance_uid"])
    return [entry["event"] for entry in study["timeline"]]


@pytest.mark.parametrize(("keep_days", "failures"), [(0, []), (30, [0x0213])])
def test_orthanc_asks_the_node_and_gets_a_true_answer(tmp_path: Path, keep_days: int, failures: list[int]) -> None:
    """What is held for ever is committed to, what retention will remove is not; what was never sent is unknown."""
    (path,) = write_as_dx(other_images(("MR_small.dcm",)), tmp_path / "images")
    image = dcmread(path, stop_before_pixels=True)
    with orthanc(tmp_path / "orthanc") as pacs:
        peer = Peer("pacs", pacs.ae_title, pacs.port, may_send=True)
        tables = {"commitment": "serve = true", "storage": f"keep_days = {keep_days}", "study": "max_wait_s = 900"}
        home = NodeFolder(tmp_path / "node", [peer], quiet_period_s=600, tables=tables)
        with serving(home) as node:
            pacs.knows("NODE", AE_TITLE, node.port)
            assert pacs.sends("NODE", [pacs.keeps(path)])["FailedInstancesCount"] == 0
            held = [str(image.SOPClassUID), str(image.SOPInstanceUID)]
            report = answered(pacs, [held])
            assert [each["FailureReason"] for each in report["Failures"]] == failures
            assert len(report["Success"]) == 1 - len(failures)
            unknown = answered(pacs, [[held[0], "1.2.3.4"]])
            assert [each["FailureReason"] for each in unknown["Failures"]] == [0x0112]
            wait_until(lambda: "study complete" in events(home), REPORT_TIMEOUT_S, "the study to be complete")
            wait_until(lambda: "commitment told" in events(home), REPORT_TIMEOUT_S, "the result to be settled")


def answered(pacs: Orthanc, instances: list[list[str]]) -> dict[str, Any]:
    """Have Orthanc ask the node to commit, wait for the result, and return it."""
    identity = pacs.post("/modalities/NODE/storage-commitment", {"DicomInstances": instances})["ID"]
    wait_until(
        lambda: pacs.get(f"/storage-commitment/{identity}")["Status"] != "Pending", REPORT_TIMEOUT_S, "the result"
    )
    return dict(pacs.get(f"/storage-commitment/{identity}"))
