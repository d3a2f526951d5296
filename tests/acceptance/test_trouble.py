"""A running node whose disk fills up, and one that has lost files: what peers and operators see."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.network.incoming import IncomingInstance
from node.network.peer import Rejected
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from tests.support.databases.kinds import MakeFolder
from tests.support.databases.postgres import PostgresServer
from tests.support.houses.house import radiograph
from tests.support.nodes.process import MODALITY, Node, NodeFolder, serving, start


@pytest.fixture
def home(tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a folder with a node that reads nothing."""
    return node_folder(tmp_path, [MODALITY], models=())


def _store(node: Node, came: IncomingInstance, times: int = 1) -> list[int]:
    context = (came.sop_class_uid, came.transfer_syntax_uid)
    outgoing = OutgoingInstance(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.dataset)
    with open_association(PeerAddress("PACSNODE", "127.0.0.1", node.port), "MODALITY", [context]) as association:
        return [association.store(outgoing).status for _ in range(times)]


@contextmanager
def _full_disk(node: Node) -> Iterator[None]:
    """Let no file of the node grow further, neither an instance nor the database: a disk without room, without root."""
    unlimited = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (2000, unlimited[1]))
    try:
        yield
    finally:
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, unlimited)


def test_a_node_whose_disk_is_full_serves_again_as_soon_as_there_is_room(home: NodeFolder) -> None:
    """0xA700 for each instance of a running association, (2,3,1) for new ones, no partial file, and no restart."""
    with serving(home) as node:
        with _full_disk(node):
            assert _store(node, radiograph(), times=3) == [0xA700] * 3
            with pytest.raises(Rejected) as caught:
                _store(node, radiograph())
            assert caught.value.codes == (2, 3, 1)
            assert not list((home.data / "incoming").iterdir())
        assert _store(node, radiograph()) == [0x0000]
        assert len(home.listing("instances")) == 1


@pytest.mark.database("postgresql")
def test_a_node_whose_database_server_was_killed_serves_again_as_soon_as_it_is_back(
    home: NodeFolder, postgres_server: PostgresServer
) -> None:
    """What was acknowledged before and after is there, and what was not is answered with 0xA700."""
    second = radiograph(sop_instance_uid="1.2.3.1.2")
    with serving(home) as node:
        assert _store(node, radiograph()) == [0x0000]
        postgres_server.stop()
        try:
            assert _store(node, second) == [0xA700]
            with pytest.raises(Rejected) as caught:
                _store(node, second)
            assert caught.value.codes == (2, 3, 1)
        finally:
            postgres_server.start()
        assert _store(node, second) == [0x0000]
        assert len(home.listing("instances")) == 2


def test_a_node_that_can_accept_nobody_any_more_ends_as_failed(home: NodeFolder) -> None:
    """Ready and deaf is what nobody would notice: who is in finishes, and whatever runs the node starts it again."""
    home.write()
    command = [sys.executable, "-m", "tests.support.nodes.deaf", *home.command("serve")[3:]]
    node, came = start(home, command), radiograph()
    address = PeerAddress("PACSNODE", "127.0.0.1", node.port)
    try:
        with open_association(address, "MODALITY", [(came.sop_class_uid, came.transfer_syntax_uid)]) as association:
            os.kill(node.process.pid, signal.SIGUSR1)
            node.wait_said("accepting ended")
            outgoing = OutgoingInstance(
                came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.dataset
            )
            assert association.store(outgoing).status == 0x0000
        assert node.process.process.wait(30) == 1
        assert "could not receive any more and has ended" in node.process.errors()
    finally:
        node.process.kill()


def test_a_start_tells_which_stored_files_are_gone_and_the_next_copy_heals_it(home: NodeFolder) -> None:
    """In the log and in `check`; the node serves all the same."""
    with serving(home) as node:
        assert _store(node, radiograph()) == [0x0000]
    (row,) = home.listing("instances")
    (home.data / row["path"]).unlink()
    with serving(home) as node:
        assert "stored files are missing" in node.process.errors()
        assert f"fault files: gone from {home.data}: {row['path']}" in home.run("check").stdout.replace("  ", " ")
        assert _store(node, radiograph()) == [0x0000]
        assert "fault files" not in home.run("check").stdout
