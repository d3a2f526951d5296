"""Storage commitment of a running node, for which other processes receive what its first process settles."""

from pathlib import Path

from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import AE_TITLE, Peer, serving
from tests.support.objects.images import other_images, write_as_dx
from tests.support.peers.committing import committing, request_of
from tests.support.programs.processes import free_port
from tests.support.waiting import wait_until

_PATIENCE_S = 60


def test_a_result_reaches_the_report_and_a_request_completes_a_study(tmp_path: Path, node_folder: MakeFolder) -> None:
    """The archive answers on a new association; the modality's request ends the wait of an hour."""
    (path,) = write_as_dx(other_images(("MR_small.dcm",)), tmp_path / "images")
    with committing("PACS") as archive:
        peers = [
            Peer("modality", "MODALITY", free_port(), may_send=True),
            Peer("pacs", "PACS", archive.port, gets_reports=True, more="storage_commitment = true"),
        ]
        tables = {"study": "max_wait_s = 3600"}
        home = node_folder(tmp_path / "node", peers, quiet_period_s=3600, tables=tables, processes=2)
        with serving(home) as node:
            archive.calls_back = (AE_TITLE, node.port)
            assert home.run("send", str(path), "--to", f"{AE_TITLE}@127.0.0.1:{node.port}", "--from", "MODALITY")
            # this node commits to nothing for others, and takes the word for it that the study is complete
            assert request_of("MODALITY", AE_TITLE, node.port, path) == 0x0124
            node.wait_said("commitment answered", _PATIENCE_S)
            wait_until(lambda: archive.statuses, _PATIENCE_S, "the answer to the archive")
            assert archive.statuses == [0x0000]
            (delivery,) = home.listing("deliveries")
            assert (delivery["state"], delivery["commitment"]) == ("done", "committed")
            assert [delivery["sop_instance_uid"]] == archive.held
