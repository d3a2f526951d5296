"""SIGKILL at every step between the first byte of an instance and its answer, and what the next start makes of it."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from node.dicom.instance.part10 import read_part10
from node.domain.errors import Transient
from node.network.incoming import IncomingInstance
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from node.pipeline.steps import Step
from tests.support.databases.kinds import SQLITE, MakeFolder
from tests.support.databases.rows import rows_in
from tests.support.houses.house import radiograph
from tests.support.nodes.process import MODALITY, Node, NodeFolder, serving, start
from tests.support.waiting import wait_until

IN_THE_DATABASE = (Step.RECORDED, Step.COMMITTED)
BY_ONE_PROCESS = tuple(step for step in Step if step is not Step.HANDED_OVER)  # which has nobody to hand it to
KEPT_FROM = (Step.RENAMED, Step.FOLDER_SYNCED, *IN_THE_DATABASE)


@pytest.fixture
def home(tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a node without models: what is received is only kept."""
    folder = node_folder(tmp_path, [MODALITY], models=())
    folder.write()
    return folder


def _store(node: Node, came: IncomingInstance) -> int:
    context = (came.sop_class_uid, came.transfer_syntax_uid)
    with open_association(PeerAddress("PACSNODE", "127.0.0.1", node.port), "MODALITY", [context]) as association:
        outgoing = OutgoingInstance(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.dataset)
        return association.store(outgoing).status


def _instance(number: int) -> IncomingInstance:
    return radiograph(sop_instance_uid=f"1.2.3.1.{number}")


def _files(home: NodeFolder, below: str) -> list[Path]:
    """Return the files below a folder of the data folder."""
    return sorted(path for path in (home.data / below).rglob("*") if path.is_file())


def _check(home: NodeFolder, sent: Sequence[IncomingInstance]) -> None:
    """See that these are held bit for bit, and that no other file lies about."""
    rows = dict(rows_in(home.url, "SELECT sop_instance_uid, path FROM instances"))
    assert rows.keys() == {came.sop_instance_uid for came in sent}
    for came in sent:
        assert read_part10(home.data / rows[came.sop_instance_uid]).dataset == came.dataset
    assert _files(home, "instances") == sorted(home.data / path for path in rows.values())
    assert not _files(home, "incoming")
    assert not _files(home, "quarantine")


def _starts_after(home: NodeFolder, node: Node, sent: Sequence[IncomingInstance], killed_at: Step | None) -> None:
    """See what the start after a kill has made of the last instance, and let its peer try a second time.

    From the rename on, the whole instance lay there and was adopted, or was committed already.
    """
    *acknowledged, last = sent
    _check(home, sent if killed_at in KEPT_FROM else acknowledged)
    assert _store(node, last) == 0x0000
    _check(home, sent)


@pytest.mark.database("each")
def test_a_kill_at_any_step_loses_nothing_and_leaves_nothing(home: NodeFolder, database_kind: str) -> None:
    """What was acknowledged is there, the peer's second try is acknowledged, and nothing is torn or left over.

    Each start finds what the kill before it left, serves the second try, and dies at the next step.
    """
    sent, killed_at = [_instance(0)], None
    for step in BY_ONE_PROCESS if database_kind == SQLITE else IN_THE_DATABASE:
        node = start(home, [sys.executable, "-m", "tests.support.nodes.killed", step, str(home.configuration)])
        try:
            _starts_after(home, node, sent, killed_at)
            sent.append(_instance(len(sent)))
            with pytest.raises(Transient):
                _store(node, sent[-1])
            wait_until(lambda: node.process.process.poll() is not None, 20, "the end of the node")  # noqa: B023
            assert node.process.process.returncode == -signal.SIGKILL
        finally:
            node.process.kill()
        killed_at = step
    with serving(home) as node:
        _starts_after(home, node, sent, killed_at)
