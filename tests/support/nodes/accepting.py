"""The receiving processes of a node under test: which there are, and an association with the one that is meant."""

import contextlib
import re
from collections.abc import Iterator, Sequence

from tests.support.nodes.process import Node
from tests.support.peers.raw_peer import RawPeer
from tests.support.programs.processes import standing_still

FIRST = 0
"""The number of the process that was started; it receives, too."""


def receivers(node: Node) -> dict[int, int]:
    """Return the process identifier of each receiving process, by its number, as the log says last."""
    ready = re.findall(r"receiving process ready .*\bprocess=(\d+) pid=(\d+)", node.process.errors())
    found = {int(number): int(pid) for number, pid in ready}
    assert found.keys() == {1, 2}
    return found


def accepting(node: Node) -> dict[int, int]:
    """Return all processes that accept connections: the first one as number 0."""
    return {FIRST: node.process.pid} | receivers(node)


@contextlib.contextmanager
def accepted_by(node: Node, number: int, address: str = "127.0.0.1") -> Iterator[RawPeer]:
    """Give an association with one process: the others stand still until it is open."""
    with still(node, [other for other in accepting(node) if other != number]):
        peer = RawPeer(node.port, address).associate()
    with peer:
        yield peer


@contextlib.contextmanager
def still(node: Node, numbers: Sequence[int]) -> Iterator[None]:
    """Let some processes stand still, those of them that live."""
    with standing_still([pid for number, pid in accepting(node).items() if number in numbers]):
        yield
