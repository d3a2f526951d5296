"""Backfill from archives that nobody here wrote: Orthanc, and DCMTK's dcmqrscp."""

import contextlib
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread

from node.network.peer import PeerAddress
from node.pipeline.steps import Step
from tests.peers.conftest import REPORT_TIMEOUT_S, SENDER
from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer, serving, start
from tests.support.objects.images import other_images, sample_file, shifted, write_as_dx
from tests.support.peers.asked import find
from tests.support.programs.dcmtk import dcmqrscp, storescu
from tests.support.programs.orthanc import orthanc
from tests.support.programs.processes import LOOPBACK, free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

QUERY = "StudyDate=20260101-20260103,Modality=DX"


def uids(paths: list[Path]) -> set[str]:
    """Return the studies of these files."""
    return {str(dcmread(path, stop_before_pixels=True).StudyInstanceUID) for path in paths}


def test_orthanc_is_searched_and_sends_and_results_leave_only_when_told(tmp_path: Path) -> None:
    """What matches comes, nothing else; the reports of the first backfill stay, those of the second leave."""
    images = write_as_dx(other_images(), tmp_path / "images")
    other = sample_file("CT_small.dcm")
    with orthanc(tmp_path / "orthanc") as pacs:
        peer = Peer("pacs", pacs.ae_title, pacs.port, may_send=True, gets_reports=True)
        home = NodeFolder(tmp_path / "node", [peer])
        with serving(home) as node:
            pacs.knows("NODE", AE_TITLE, node.port)
            for path in [*images[:-1], other]:
                pacs.keeps(path)
            done = home.run("backfill", "--from", "pacs", "--query", QUERY)
            assert (done.returncode, done.stderr) == (0, "")
            assert f"{len(images) - 1} studies found, {len(images) - 1} fetched" in done.stdout
            assert {row["study_instance_uid"] for row in home.listing("studies")} == uids(images[:-1])
            home.wait_settled(REPORT_TIMEOUT_S)
            assert {row["state"] for row in home.listing("studies")} == {"reported"}
            assert home.listing("deliveries") == []

            pacs.keeps(images[-1])
            (row,) = home.listing("backfill", "--from", "pacs", "--query", QUERY, "--send")
            assert (row["fetched"], row["studies"], row["sends"]) == (len(images), len(images), True)
            wait_until(lambda: pacs.find(Modality="SR"), REPORT_TIMEOUT_S, "the one report")
            home.wait_settled(REPORT_TIMEOUT_S)
            (delivery,) = home.listing("deliveries")
            assert {delivery["study_instance_uid"]} == uids(images[-1:])
            assert [each["ended_at"] is not None for each in home.listing("backfill", "--list")] == [True, True]


def test_a_backfill_goes_on_after_a_kill_of_the_node(tmp_path: Path) -> None:
    """Begun while no node runs, killed in the middle, and everything is there once at the end."""
    images = write_as_dx(shifted(other_images(), 15), tmp_path / "images")
    with contextlib.ExitStack() as stack:
        pacs = stack.enter_context(orthanc(tmp_path / "orthanc"))
        port = free_port()
        peer = Peer("pacs", pacs.ae_title, pacs.port, may_send=True)
        home = NodeFolder(tmp_path / "node", [peer])
        home.write()
        home.configuration.write_text(home.configuration.read_text().replace("port = 0", f"port = {port}", 1))
        assert home.run("migrate").returncode == 0
        pacs.knows("NODE", AE_TITLE, port)
        for path in images:
            pacs.keeps(path)
        begun = home.run("backfill", "--from", "pacs", "--query", QUERY, "--no-wait")
        assert begun.returncode == 0
        deadly = [sys.executable, "-m", "tests.support.nodes.killed", Step.COMMITTED, str(home.configuration)]
        node = start(home, deadly)
        stack.callback(node.process.kill)
        killed = node.process.process
        wait_until(lambda: killed.poll() is not None, REPORT_TIMEOUT_S, "the end at the second instance")
        (left,) = home.listing("backfill", "--list")
        assert left["ended_at"] is None
        assert home.run("backfill", "--from", "pacs", "--query", QUERY, "--no-wait").stdout.startswith("backfill 1:")
        node = start(home)
        stack.callback(node.process.kill)
        wait_until(lambda: home.listing("backfill", "--list")[0]["ended_at"], REPORT_TIMEOUT_S, "the end")
        (row,) = home.listing("backfill", "--list")
        assert (row["fetched"], row["buried"]) == (15, 0)
        assert Counter(row["study_instance_uid"] for row in home.listing("instances")) == Counter(uids(images))
        assert node.process.terminate() == 0


def test_dcmqrscp_is_searched_and_sends(tmp_path: Path) -> None:
    """An archive that tells neither modalities nor counts: its series are asked, and its last answer is believed."""
    images = write_as_dx(other_images(), tmp_path / "images")
    other, port = sample_file("CT_small.dcm"), free_port()
    home = NodeFolder(tmp_path / "node", [Peer("qr", "DCMQRSCP", port, may_send=True)])
    with serving(home) as node, dcmqrscp(tmp_path / "qr", port, AE_TITLE, node.port) as archive:
        sent = storescu(port, archive.ae_title, SENDER, [*images, other])
        assert sent.statuses == ["Success"] * (len(images) + 1)
        peer = PeerAddress(archive.ae_title, LOOPBACK, port)
        assert len(find(peer, AE_TITLE, "STUDY", {"StudyInstanceUID": ""})) == len(images) + 1
        done = home.run("backfill", "--from", "qr", "--query", QUERY)
        assert (done.returncode, done.stderr) == (0, "")
        assert {row["study_instance_uid"] for row in home.listing("studies")} == uids(images)


def test_an_archive_that_sends_to_the_wrong_port_is_told_to_the_operator(tmp_path: Path) -> None:
    """The reason stands in the listing, and once the archive knows where the node listens the study comes."""
    images = write_as_dx(other_images(("MR_small.dcm",)), tmp_path / "images")
    with orthanc(tmp_path / "orthanc") as pacs:
        peer = Peer("pacs", pacs.ae_title, pacs.port, may_send=True)
        home = NodeFolder(tmp_path / "node", [peer])
        with serving(home) as node:
            pacs.keeps(images[0])
            pacs.knows("NODE", AE_TITLE, free_port())
            assert home.run("backfill", "--from", "pacs", "--query", QUERY, "--no-wait").returncode == 0
            wait_until(lambda: home.listing("backfill", "--list")[0]["last_error"], REPORT_TIMEOUT_S, "the reason")
            pacs.knows("NODE", AE_TITLE, node.port)
            wait_until(lambda: home.listing("backfill", "--list")[0]["fetched"], REPORT_TIMEOUT_S, "the study")
