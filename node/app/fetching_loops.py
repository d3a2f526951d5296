"""The loops that fetch studies from archives."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.network.peer import PeerAddress, Timeouts
from node.pipeline.fetching.backfill import SILENCE_S, Fetcher, Fetching
from node.runtime.loop import WorkLoop


def fetching_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield a loop for each peer that may send: one study at a time comes from each."""
    settings = parts.settings
    given = Fetching(parts.database, settings.node.ae_title, parts.clock, parts.jitter, Timeouts(answer_s=SILENCE_S))
    for peer in settings.peers:
        if peer.may_send or settings.receive.accept_any_calling_ae:
            name = f"fetch-{peer.name}"
            address = PeerAddress(peer.ae_title, peer.host, peer.port)
            fetcher = Fetcher(given, peer.name, address, parts.worker(name))
            loop = WorkLoop(name, fetcher.claim, fetcher.handle, fetcher.fail, fetcher.next_due, parts.clock)
            fetcher.goes_on = loop.goes_on
            yield loop
