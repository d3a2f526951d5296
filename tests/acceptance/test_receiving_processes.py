"""Several receiving processes on one port and one database: ready together, limited together, dying one by one.

On SQLite the first process writes what they hand over, on PostgreSQL each writes for itself.
"""

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.accepting import FIRST, accepted_by, accepting, receivers, still
from tests.support.nodes.process import MODALITY, Node, NodeFolder, serving, start
from tests.support.objects.part10 import dataset_bytes
from tests.support.objects.raw_dataset import Instance, ct
from tests.support.peers.raw_peer import DATASET, LAST_COMMAND, LAST_DATASET, RawPeer, store_request
from tests.support.programs.processes import free_port, lives
from tests.support.waiting import wait_until

_PATIENCE_S = 30.0
_DRAINING, _LOCAL_LIMIT = (2, 3, 1), (2, 3, 2)


@pytest.fixture
def home(tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a folder for a node with two receiving processes, which lets four associations in, two from an address."""
    tables = {"receive": "processes = 2\nmax_associations = 4\nmax_associations_per_address = 2"}
    folder = node_folder(tmp_path, [MODALITY], tables=tables, models=())
    folder.write()
    return folder


@pytest.fixture
def node(home: NodeFolder) -> Iterator[Node]:
    """Run that node; it is drained after the test."""
    with serving(home) as running:
        yield running


def test_every_process_accepts_on_the_one_port(node: Node) -> None:
    """Whichever is free takes the next connection."""
    for number in accepting(node):
        with accepted_by(node, number) as peer:
            assert peer.echo() == 0x0000
            assert peer.store(ct(f"1.2.3.{number}")) == 0x0000


@pytest.mark.database("each")
def test_a_process_has_most_of_its_memory_in_common_with_the_others_and_no_pixel_library(node: Node) -> None:
    """Forked by a process of one thread, which has imported what all need and nothing that decodes or learns."""
    for pid in receivers(node).values():
        held = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        own, shared = (_kilobytes(held, name) for name in ("Private_Dirty", "Shared_Dirty"))
        assert own < shared / 2
        mapped = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        assert ("sqlite" in mapped or "psycopg" in mapped) is bool(node.home.database)
        assert [name for name in ("numpy", "gdcm", "tensorflow", "litert") if name in mapped] == []
        parent = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1]
        assert len(list(Path(f"/proc/{parent}/task").iterdir())) == 1


@pytest.mark.database("each")
def test_a_killed_process_takes_its_own_associations_along_and_nothing_that_was_acknowledged(node: Node) -> None:
    """The other one serves on, what was half received is swept, and the next process serves again."""
    kept, lost, after = ct("1.2.3.11"), ct("1.2.3.12"), ct("1.2.3.13")
    first = receivers(node)[1]
    with accepted_by(node, 1) as its_peer, accepted_by(node, 2) as other_peer:
        assert its_peer.store(kept) == 0x0000
        _send_half(its_peer, lost)
        wait_until(lambda: _incoming(node), _PATIENCE_S, "the half that came")
        os.kill(first, signal.SIGKILL)
        assert its_peer.read() is None
        assert other_peer.store(after) == 0x0000
    wait_until(lambda: receivers(node)[1] != first, _PATIENCE_S, "the next process")
    assert _incoming(node) == []
    with accepted_by(node, 1) as peer:
        assert peer.store(lost) == 0x0000
    assert _kept(node.home) == {one.sop_instance_uid: one.dataset for one in (kept, lost, after)}
    assert "signal SIGKILL" in node.process.errors()


def test_limits_hold_over_all_processes_and_a_killed_one_gives_its_part_back(node: Node) -> None:
    """In all and for an address, whichever process accepts."""
    with accepted_by(node, FIRST, "127.0.0.4"), accepted_by(node, 1), accepted_by(node, 2):
        for number in (1, 2):
            assert _rejection(node, number, "127.0.0.1") == _LOCAL_LIMIT
        with accepted_by(node, 1, "127.0.0.2"):
            assert _rejection(node, 2, "127.0.0.3") == _LOCAL_LIMIT
            os.kill(receivers(node)[1], signal.SIGKILL)
            wait_until(lambda: "signal SIGKILL" in node.process.errors(), _PATIENCE_S, "the end of a process")
            with accepted_by(node, 2, "127.0.0.3"), accepted_by(node, 2) as peer:
                assert peer.echo() == 0x0000
    assert "from this address" in node.process.errors()


def test_draining_lets_the_associations_of_every_process_finish(home: NodeFolder) -> None:
    """New ones are rejected transiently meanwhile, by whichever process accepts them; then the node exits with 0."""
    instances = [ct("1.2.3.21"), ct("1.2.3.22"), ct("1.2.3.23")]
    with _started(home) as node, accepted_by(node, FIRST, "127.0.0.4") as first, contextlib.ExitStack() as others:
        peers = [first, *(others.enter_context(accepted_by(node, number)) for number in (1, 2))]
        for peer, instance in zip(peers, instances, strict=True):
            _send_half(peer, instance)
        os.kill(node.process.pid, signal.SIGTERM)
        for number in (1, 2):
            wait_until(lambda n=number: _rejection(node, n, "127.0.0.9") == _DRAINING, _PATIENCE_S, "the draining")
        for peer, instance in zip(peers, instances, strict=True):
            _send_rest(peer, instance)
            assert peer.status() == 0x0000
            peer.release()
        assert node.process.process.wait(_PATIENCE_S) == 0
        assert "drained" in node.process.errors()
    assert _kept(home) == {one.sop_instance_uid: one.dataset for one in instances}


def test_a_second_signal_ends_every_process_at_once(home: NodeFolder) -> None:
    """Even while a peer keeps its association open."""
    with _started(home) as node, accepted_by(node, 1):
        left = receivers(node).values()
        os.kill(node.process.pid, signal.SIGTERM)
        wait_until(lambda: "draining" in node.process.errors(), _PATIENCE_S, "the drain")
        os.kill(node.process.pid, signal.SIGTERM)
        assert node.process.process.wait(_PATIENCE_S) == 1
        wait_until(lambda: not any(map(lives, left)), _PATIENCE_S, "the end of all")


@pytest.mark.database("postgresql")
def test_processes_whose_first_process_was_killed_finish_and_give_way_to_the_next_node(home: NodeFolder) -> None:
    """On the same port and data folder; what they acknowledge while it waits for them is not lost either."""
    text = home.configuration.read_text(encoding="utf-8").replace("port = 0", f"port = {free_port()}", 1)
    home.configuration.write_text(text, encoding="utf-8")
    instance = ct("1.2.3.31")
    with _started(home) as node:
        left = receivers(node).values()
        with accepted_by(node, 1) as peer:
            _send_half(peer, instance)
            os.kill(node.process.pid, signal.SIGKILL)
            node.process.process.wait(_PATIENCE_S)
            _send_rest(peer, instance)
            assert peer.status() == 0x0000
            peer.release()
        with _started(home) as following:
            assert not any(map(lives, left))
            assert following.port == node.port
            with accepted_by(following, 2) as another:
                assert another.store(ct("1.2.3.32")) == 0x0000
    assert _kept(home).keys() == {"1.2.3.31", "1.2.3.32"}


def test_a_process_that_cannot_start_keeps_the_node_from_starting(home: NodeFolder) -> None:
    """With its reason, and nothing is left behind."""
    (home.data / "associations.lock").mkdir(parents=True)
    done = home.run("serve")
    assert done.returncode == 1
    assert "receiving process 1 does not start" in done.stderr
    assert "associations.lock" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.database("sqlite", reason="on PostgreSQL each process writes for itself")
def test_nothing_is_acknowledged_once_the_process_that_writes_is_gone(home: NodeFolder) -> None:
    """What came whole is refused as something that may pass, and the file of nobody's row does not stay."""
    kept, lost = ct("1.2.3.41"), ct("1.2.3.42")
    with _started(home) as node, accepted_by(node, 1) as peer:
        assert peer.store(kept) == 0x0000
        _send_half(peer, lost)
        os.kill(node.process.pid, signal.SIGKILL)
        node.process.process.wait(_PATIENCE_S)
        _send_rest(peer, lost)
        assert peer.status() == 0xA700
        peer.release()
        with _started(home) as following:
            assert _kept(home) == {kept.sop_instance_uid: kept.dataset}
            assert len(list((home.data / "instances").rglob("*.dcm"))) == 1
            with accepted_by(following, 2) as again:
                assert again.store(lost) == 0x0000
    assert _kept(home) == {one.sop_instance_uid: one.dataset for one in (kept, lost)}


def test_what_comes_again_under_its_uid_is_answered_the_same_by_every_process(node: Node) -> None:
    """Equal bytes are held already; a changed header is a revision; both compared by the process that writes."""
    first = ct("1.2.3.51")
    with accepted_by(node, 1) as one, accepted_by(node, 2) as two:
        assert [peer.store(first) for peer in (one, two, one)] == [0x0000] * 3
    assert _kept(node.home) == {first.sop_instance_uid: first.dataset}
    assert len(list((node.home.data / "instances").rglob("*.dcm"))) == 1


@contextlib.contextmanager
def _started(home: NodeFolder) -> Iterator[Node]:
    """Run a node and leave none of its processes behind."""
    node = start(home)
    try:
        yield node
    finally:
        node.process.kill()


def _rejection(node: Node, number: int, address: str) -> tuple[int, int, int] | None:
    """Return the codes with which an association is rejected, None where it is accepted.

    By the one receiving process that does not stand still, where the first process has an association; that one writes
    down who was rejected.
    """
    with still(node, [other for other in receivers(node) if other != number]), RawPeer(node.port, address) as peer:
        answer = peer.request()
        assert answer is not None
        return answer.codes if answer.kind == 3 else None


def _kilobytes(held: str, name: str) -> int:
    return int(re.findall(rf"^{name}: +(\d+) kB$", held, re.MULTILINE)[0])


def _send_half(peer: RawPeer, instance: Instance) -> None:
    peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode(), instance.sop_class_uid))
    peer.fragment(DATASET, instance.dataset[: len(instance.dataset) // 2])


def _send_rest(peer: RawPeer, instance: Instance) -> None:
    peer.fragment(LAST_DATASET, instance.dataset[len(instance.dataset) // 2 :])


def _incoming(node: Node) -> list[Path]:
    return list((node.home.data / "incoming").iterdir())


def _kept(home: NodeFolder) -> dict[str, bytes]:
    """Return the datasets that rows name, by SOP Instance UID."""
    rows = home.listing("instances")
    return {row["sop_instance_uid"]: dataset_bytes((home.data / row["path"]).read_bytes()) for row in rows}
