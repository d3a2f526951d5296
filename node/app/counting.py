"""The loop that asks senders what they hold of a study."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.pipeline.counting import Counter
from node.runtime.loop import WorkLoop


def counting_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop, where there is a peer that may be asked."""
    settings = parts.settings
    if any(peer.query for peer in settings.peers):
        counter = Counter(parts.database, settings.node.ae_title, settings.peers, parts.clock, parts.wake)
        yield WorkLoop("counting", counter.claim, counter.handle, counter.fail, counter.next_due, parts.clock)
