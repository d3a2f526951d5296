"""A node in trouble: no room, no folder, a locked database, no descriptors; it says so, and recovers by itself."""

import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import PIXELS, ct

_OUT_OF_RESOURCES = 0xA700
_MB = 1_000_000


@contextlib.contextmanager
def _limited(node: ReceivingNode, what: int, most: int) -> Iterator[None]:
    """Lower a limit of the running process for a while."""
    before = resource.prlimit(node.pid, what)
    resource.prlimit(node.pid, what, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(node.pid, what, before)


@contextlib.contextmanager
def _file_in_the_place_of(folder: Path) -> Iterator[None]:
    """Move a folder away, and put a file where it was."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


def test_a_write_that_fails_half_way_is_0xa700_and_leaves_no_part_of_it(crowded_node: ReceivingNode) -> None:
    """No file may grow beyond 5 MB, as on a disk that fills up; a smaller instance is stored meanwhile."""
    node, large = crowded_node, ct(crowded_node.uid(), changes={PIXELS: ("OW", bytes(7 * _MB))})
    files, peer = node.files(), node.associate()
    with _limited(node, resource.RLIMIT_FSIZE, 5 * _MB):
        assert peer.store(large) == _OUT_OF_RESOURCES
        assert node.files() == files
        node.stores(ct(node.uid()), peer)
    node.stores(large, peer)


@pytest.mark.parametrize("name", ["incoming", "instances"])
def test_a_folder_that_cannot_be_written_is_0xa700_until_it_can(name: str, node: ReceivingNode) -> None:
    """On the same association: the peer's next attempt is stored, without a restart."""
    peer, first, second = node.associate(), ct(node.uid()), ct(node.uid())
    with _file_in_the_place_of(node.process.home.data / name):
        assert peer.store(first) == _OUT_OF_RESOURCES
        assert peer.echo() == 0x0000
    assert node.incoming() == []
    for instance in (first, second):
        node.stores(instance, peer)


@pytest.mark.database("sqlite", reason="PostgreSQL has no lock on the whole database")
def test_a_database_that_is_locked_for_too_long_is_0xa700_until_it_is_free(node: ReceivingNode) -> None:
    """Four peers wait for it together; who only asks whether the node is there is answered meanwhile."""
    files, instances = node.files(), [ct(node.uid()) for _ in range(4)]
    peers, other = [node.associate() for _ in instances], node.associate()
    url = node.process.home.data / "node.db"
    with contextlib.closing(sqlite3.connect(url, isolation_level=None)) as locking, ThreadPoolExecutor(4) as pool:
        locking.execute("BEGIN IMMEDIATE")
        answers = [pool.submit(peer.store, instance) for peer, instance in zip(peers, instances, strict=True)]
        assert other.echo() == 0x0000
        assert {answer.result() for answer in answers} == {_OUT_OF_RESOURCES}
        assert node.files() == files
        locking.execute("ROLLBACK")
    for peer, instance in zip(peers, instances, strict=True):
        node.stores(instance, peer)


def test_a_node_that_runs_out_of_descriptors_serves_again_when_it_has_some(node: ReceivingNode) -> None:
    """A hundred connections meet a limit that leaves room for ten; those that wait are not what stays."""
    used = len(list(Path(f"/proc/{node.pid}/fd").iterdir()))
    with _limited(node, resource.RLIMIT_NOFILE, used + 10):
        for number in range(100):
            node.connect(f"127.0.0.{2 + number % 4}").send(b"\1")
        node.hang_up()
    node.serves()
