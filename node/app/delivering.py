"""The loops that send reports."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.pipeline.asking import test_peers
from node.pipeline.deliver import Courier, Delivering
from node.runtime.loop import WorkLoop


def deliver_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield a loop for each peer: one that is down or slow holds up nobody else."""
    settings = parts.settings
    given = Delivering(
        parts.database,
        settings.node.ae_title,
        settings.deliver,
        test_peers(settings),
        parts.clock,
        parts.jitter,
    )
    for peer in settings.peers:
        if peer.gets:
            name = f"deliver-{peer.name}"
            courier = Courier(given, peer, parts.worker(name))
            loop = WorkLoop(name, courier.claim, courier.handle, courier.fail, courier.next_due, parts.clock)
            loop.at_end(courier.close)
            yield loop
