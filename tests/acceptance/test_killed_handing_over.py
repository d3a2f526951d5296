"""SIGKILL around the moment at which a receiving process hands an instance over to the process that writes."""

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from node.domain.errors import Transient
from node.network.incoming import IncomingInstance
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from node.pipeline.steps import Step
from tests.support.houses.house import radiograph
from tests.support.nodes.process import MODALITY, Node, NodeFolder, serving, start
from tests.support.objects.part10 import dataset_bytes
from tests.support.programs.processes import standing_still
from tests.support.waiting import wait_until

pytestmark = pytest.mark.database("sqlite", reason="on PostgreSQL each process writes for itself")

_FIRST, _SECOND = (radiograph(sop_instance_uid=f"1.2.3.1.{number}") for number in (1, 2))
_REFUSED, _CUT = 0xA700, None


@pytest.fixture
def home(tmp_path: Path) -> NodeFolder:
    """Give a node without models whose two receiving processes hand over what came."""
    peers = [MODALITY]
    folder = NodeFolder(tmp_path, peers, tables={"receive": "processes = 2"}, models=())
    folder.write()
    return folder


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        pytest.param(Step.FOLDER_SYNCED, _CUT, id="not handed over"),
        pytest.param(Step.HANDED_OVER, _CUT, id="handed over and not heard of"),
        pytest.param(Step.RECORDED, _REFUSED, id="handed over and not committed"),
        pytest.param(Step.COMMITTED, _REFUSED, id="committed and not answered"),
    ],
)
def test_a_kill_around_handing_over_acknowledges_nothing_and_loses_nothing(
    home: NodeFolder, step: Step, answer: int | None
) -> None:
    """The receiving process dies alone; with the one that writes, all end. The next start holds each image once."""
    with _dying_at(home, step) as node:
        assert _store(node, _FIRST) == 0x0000
        assert _store(node, _SECOND) == answer
        if answer == _REFUSED:
            wait_until(lambda: node.process.process.poll() is not None, 20, "the end of the first process")
        assert (node.process.process.poll() is None) is (answer is _CUT)
    with serving(home) as following:
        assert _kept(home) == [_FIRST, _SECOND]
        assert _store(following, _SECOND) == 0x0000
    assert _kept(home) == [_FIRST, _SECOND]


@contextlib.contextmanager
def _dying_at(home: NodeFolder, step: Step) -> Iterator[Node]:
    node = start(home, [sys.executable, "-m", "tests.support.nodes.killed", step, str(home.configuration)])
    try:
        yield node
    finally:
        node.process.kill()


def _store(node: Node, came: IncomingInstance) -> int | None:
    """Return the status of an instance that another process than the first receives, None where it was cut off."""
    context = (came.sop_class_uid, came.transfer_syntax_uid)
    outgoing = OutgoingInstance(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.dataset)
    opened = open_association(PeerAddress("PACSNODE", "127.0.0.1", node.port), "MODALITY", [context])
    try:
        with contextlib.ExitStack() as stack:
            with standing_still([node.process.pid]):
                association = stack.enter_context(opened)
            return association.store(outgoing).status
    except Transient:
        return None


def _kept(home: NodeFolder) -> list[IncomingInstance]:
    """Return which of the two are held, bit for bit, after seeing that no other file lies about."""
    with closing(sqlite3.connect(home.data / "node.db")) as database:
        rows = dict(database.execute("SELECT sop_instance_uid, path FROM instances"))
    held = [one for one in (_FIRST, _SECOND) if one.sop_instance_uid in rows]
    assert len(held) == len(rows)
    for one in held:
        assert dataset_bytes((home.data / rows[one.sop_instance_uid]).read_bytes()) == one.dataset
    assert {str(path.relative_to(home.data)) for path in (home.data / "instances").rglob("*.dcm")} == {*rows.values()}
    assert list((home.data / "incoming").iterdir()) == list((home.data / "quarantine").iterdir()) == []
    return held
