"""Studies of nobody from the command line into a running node: read, reported to a test peer, and to no other."""

import threading
from pathlib import Path

from node.dicom.encoding.transfer_syntax import IMPLICIT_VR_LITTLE_ENDIAN
from node.dicom.instance.header import inspect
from node.network.incoming import IncomingInstance, gathered
from node.network.scp import ScpSettings, StorageSCP
from tests.support.databases.kinds import MakeFolder
from tests.support.models.generators import write_generator
from tests.support.nodes.process import MODALITY, NodeFolder, Peer, serving
from tests.support.waiting import wait_until


class _Pacs:
    """A peer that keeps what comes."""

    def __init__(self, ae_title: str) -> None:
        self.got: list[IncomingInstance] = []
        self._arrived = threading.Lock()
        settings = ScpSettings(ae_title, "127.0.0.1", 0, accept_any_calling_ae=True)
        self.scp = StorageSCP(settings, gathered(self._store), lambda _: None)
        self.port = self.scp.start()

    def _store(self, came: IncomingInstance) -> int:
        with self._arrived:
            self.got.append(came)
        return 0x0000


def test_synthetic_studies_go_through_the_node_to_the_test_peer_alone(tmp_path: Path, node_folder: MakeFolder) -> None:
    """With the model active: synthesise, send, and look at what each peer got."""
    clinical, trial = _Pacs("CLINICAL"), _Pacs("TRIAL")
    peers = [
        MODALITY,
        Peer("clinical", "CLINICAL", clinical.port, gets_reports=True, test=False),
        Peer("trial", "TRIAL", trial.port, gets_reports=True),
    ]
    home = node_folder(tmp_path / "node", peers, tables={"go_live": "require_validation = false"})
    painted = tmp_path / "painted"
    generator = str(write_generator(tmp_path / "clouds"))
    try:
        with serving(home) as node:
            assert home.run("models", "mode", "starter", "active").returncode == 0
            arguments = ("--label", "pneumonia", "--count", "2", "--out", str(painted), "--generator", generator)
            assert "2 studies written" in home.run("synthesise", *arguments).stdout
            sent = home.run("send", str(painted), "--to", f"PACSNODE@127.0.0.1:{node.port}", "--from", "MODALITY")
            assert sent.returncode == 0, sent.stdout
            wait_until(lambda: len(trial.got) == 2, 90, "the reports")
            home.wait_settled(30)
            studies = home.listing("studies")
            told = home.run("studies", studies[0]["study_instance_uid"]).stdout
    finally:
        clinical.scp.stop()
        trial.scp.stop()
    assert clinical.got == []
    assert all(inspect(report.dataset, IMPLICIT_VR_LITTLE_ENDIAN).synthetic for report in trial.got)
    assert [(study["synthetic"], study["deliveries"]) for study in studies] == [(True, {"trial": "done"})] * 2
    assert "only to peers with test = true" in told


def test_a_label_that_no_generator_paints_is_exit_2(tmp_path: Path) -> None:
    """With those that it does."""
    home = NodeFolder(tmp_path / "node", [])
    generator = str(write_generator(tmp_path / "clouds"))
    done = home.run("synthesise", "--label", "fracture", "--out", str(tmp_path / "out"), "--generator", generator)
    assert done.returncode == 2
    assert "paints normal, pneumonia" in done.stderr
    assert "Traceback" not in done.stderr
