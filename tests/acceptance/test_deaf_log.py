"""A running node whose log cannot be written: what it does goes on, with one process and with several."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import MODALITY, Node, NodeFolder, start
from tests.support.objects.raw_dataset import ct
from tests.support.peers.raw_peer import ASSOCIATE_RJ, RawPeer

_CALLED_BY_A_STRANGER = b"\1\1\3"  # permanent, of the service user, calling AE title not recognized


@pytest.mark.parametrize("processes", [1, 2])
def test_a_node_whose_log_cannot_be_written_serves_as_ever(
    tmp_path: Path, node_folder: MakeFolder, processes: int
) -> None:
    """It starts, sends away who speaks something else, rejects a stranger with a reason, stores, and drains."""
    home = node_folder(
        tmp_path,
        [MODALITY],
        tables={"receive": f"processes = {processes}"},
        models=(),
    )
    home.write()
    with _deaf(home) as node:
        for _ in range(2 * processes):
            with RawPeer(node.port) as scanner:
                scanner.connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert scanner.read() is not None
        with RawPeer(node.port) as stranger:
            answer = stranger.request(calling=b"STRANGER")
            assert (answer.kind, answer.body[1:4]) == (ASSOCIATE_RJ, _CALLED_BY_A_STRANGER)
        with RawPeer(node.port) as peer:
            peer.associate(calling=b"MODALITY")
            assert peer.store(ct("1.2.3.1")) == 0x0000
        assert node.process.terminate() == 0


@contextlib.contextmanager
def _deaf(home: NodeFolder) -> Iterator[Node]:
    """Run a node whose standard error is a full disk."""
    node = start(home, ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", *home.command("serve")])
    try:
        yield node
    finally:
        node.process.kill()
