"""The loops that send reports."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts, about
from node.pipeline.delivery.deliver import Courier, Delivering
from node.pipeline.intake.synthetic_in_files import test_peers
from node.runtime.loop import WorkLoop
from node.store.sending import outgoing


def deliver_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield a loop for each peer that gets something: one that is down or slow holds up nobody else.

    A peer that gets no reports any more may still get rejection notes, and what waits for it is not to wait for ever.
    """
    settings = parts.settings
    given = Delivering(
        parts.database,
        settings.node.ae_title,
        settings.deliver,
        test_peers(settings),
        parts.clock,
        parts.jitter,
    )
    awaited = parts.database.read(outgoing.peers_awaited)
    for peer in settings.peers:
        if peer.gets or peer.takes_rejection_notes or peer.name in awaited:
            name = f"deliver-{peer.name}"
            courier = Courier(given, peer, parts.worker(name))
            loop = WorkLoop(name, courier.claim, courier.handle, courier.fail, courier.next_due, parts.clock, about)
            courier.goes_on = loop.goes_on
            loop.at_end(courier.close)
            yield loop
