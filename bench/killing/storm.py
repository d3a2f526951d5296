"""A storm: instances are released in portions, and after each the node is killed in one of the ways."""

import itertools
import time
from collections.abc import Sequence

from bench.killing.kills import Kill, Phase, Toll, kill_while_starting, strike, wait_for_moment
from bench.killing.modalities import Sender
from bench.sending.upper_layer import Instance
from tests.support.nodes.process import Node, NodeFolder, start

_START_S, _WORK_S = 3.0, 10.0  # the longest that a kill waits, while starting and while working


class Storm:
    """Instances in portions, and one kill after each.

    Parameters
    ----------
    home, sender
        Where the node runs, and who sends to it.
    kills, portioned
        What strikes, and what is sent before each strike; one portion more is sent at the end.
    """

    def __init__(
        self, home: NodeFolder, sender: Sender, kills: Sequence[Kill], portioned: Sequence[Sequence[Instance]]
    ) -> None:
        self.toll = Toll()
        self._home, self._sender = home, sender
        self._kills, self._portions = kills, portioned
        self._node: Node | None = None

    def rage(self) -> Node:
        """Release all portions and return the node that runs at the end."""
        for number, (kill, portion) in enumerate(zip(self._kills, self._portions, strict=False), start=1):
            began = time.monotonic()
            self._one_kill(number, kill, portion)
            acknowledged, after_s = len(self._sender.acknowledged), time.monotonic() - began
            what = f"{kill.phase:<9} {kill.victim:<5} {after_s:5.1f} s"
            print(f"kill {number:>2} {what}, {acknowledged} instances acknowledged", flush=True)
        node = self._serving()
        self._sender.release(self._portions[-1])
        return node

    def _one_kill(self, number: int, kill: Kill, portion: Sequence[Instance]) -> None:
        if kill.phase is Phase.STARTING and self._node is None:
            self._sender.release(portion)
            kill_while_starting(self._home, kill, _START_S, self.toll)
            return
        node = self._serving()
        self._sender.release(portion)
        wait_for_moment(kill, self._sender, len(portion), _WORK_S)
        if not strike(kill, node, number // 4, self.toll):
            self._node = None
            self._sender.node_is_at(0)

    def _serving(self) -> Node:
        """Return the running node, started where it does not run."""
        if self._node is not None and self._node.process.process.poll() is not None:
            self.toll.fell += 1
            self._node.process.kill()
            self._node = None
        if self._node is None:
            self._node = start(self._home)
            self._sender.node_is_at(self._node.port)
        return self._node


def portions(instances: Sequence[Instance], views: int, count: int) -> list[Sequence[Instance]]:
    """Cut the instances into `count` portions of whole studies, as even as they go."""
    studies = len(instances) // views
    edges = [studies * number // count * views for number in range(count + 1)]
    return [instances[low:high] for low, high in itertools.pairwise(edges)]
