"""The loops that ask senders what they hold of a study."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.pipeline.analysis.counting import Counter
from node.runtime.loop import WorkLoop


def counting_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield a loop for each peer that may be asked, so that one which is slow keeps no other waiting."""
    settings = parts.settings
    for peer in {peer.ae_title: peer for peer in settings.peers if peer.query}.values():
        counter = Counter(parts.database, settings.node.ae_title, [peer], parts.clock, parts.wake)
        name = f"counting-{peer.name}"
        yield WorkLoop(name, counter.claim, counter.handle, counter.fail, counter.next_due, parts.clock)
