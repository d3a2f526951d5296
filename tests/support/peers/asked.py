"""Peers asked one thing, each time on an association of its own."""

from collections.abc import Mapping

from node.network.peer import PeerAddress, Timeouts
from node.network.query import Level, open_search


def find(
    peer: PeerAddress,
    calling_ae_title: str,
    level: Level,
    keys: Mapping[str, str],
    timeouts: Timeouts | None = None,
    limit: int | None = None,
) -> list[dict[str, str]]:
    """Return what `Search.find` finds."""
    with open_search(peer, calling_ae_title, timeouts) as search:
        return search.find(level, keys, limit)
