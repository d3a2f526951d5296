"""Orthanc is asked what it holds of a study that it sent."""

import contextlib
from pathlib import Path

import pytest

from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer, serving
from tests.support.objects.images import other_images, write_as_dx
from tests.support.programs.orthanc import orthanc
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(240)]


def test_a_study_is_reported_once_all_that_orthanc_holds_is_here(tmp_path: Path) -> None:
    """Soon after its association, although the quiet period is five minutes; its own counts say so."""
    (image,) = write_as_dx(other_images()[:1], tmp_path / "images")
    with contextlib.ExitStack() as stack:
        pacs = stack.enter_context(orthanc(tmp_path / "orthanc"))
        more = "query = true"
        peer = Peer("pacs", pacs.ae_title, pacs.port, may_send=True, gets_reports=True, more=more)
        tables = {"study": "release_grace_s = 0.2"}
        node = stack.enter_context(serving(NodeFolder(tmp_path / "node", [peer], 300.0, tables)))
        pacs.knows("NODE", AE_TITLE, node.port)
        account = pacs.sends("NODE", [pacs.keeps(image)])
        assert account["FailedInstancesCount"] == 0
        wait_until(lambda: pacs.find(Modality="SR"), 60, "the report at Orthanc")
        (row,) = node.home.listing("studies")
    assert row["closed_by"] == "found at peer"
