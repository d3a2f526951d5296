"""The loops that fetch studies from archives."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.network.peer import PeerAddress, Timeouts
from node.pipeline.fetching.backfill import SILENCE_S, Fetcher, Fetching
from node.runtime.loop import WorkLoop
from node.store.keeping.backfills import ClaimedStudy


class _FetchLoop(WorkLoop[ClaimedStudy]):
    """A loop whose work in hand, a study that may take long, is broken off when it is asked to end."""

    @property
    def goes_on(self) -> bool:
        """Whether it was not asked to end."""
        return not self._stopping


def fetching_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield a loop for each peer that may send: one study at a time comes from each."""
    settings = parts.settings
    given = Fetching(parts.database, settings.node.ae_title, parts.clock, parts.jitter, Timeouts(answer_s=SILENCE_S))
    for peer in settings.peers:
        if peer.may_send or settings.receive.accept_any_calling_ae:
            name = f"fetch-{peer.name}"
            address = PeerAddress(peer.ae_title, peer.host, peer.port)
            fetcher = Fetcher(given, peer.name, address, parts.worker(name))
            loop = _FetchLoop(name, fetcher.claim, fetcher.handle, fetcher.fail, fetcher.next_due, parts.clock)
            fetcher.goes_on = _asked(loop)
            yield loop


def _asked(loop: _FetchLoop) -> Any:
    return lambda: loop.goes_on
