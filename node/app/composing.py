"""The loop that composes reports."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.pipeline.compose import Composer
from node.runtime.loop import WorkLoop
from node.store.tables import JobKind

_LEASE_S = 120.0


def compose_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop."""
    peers = parts.settings.peers
    composer = Composer(parts.database, parts.files, parts.catalogue, peers, parts.clock, parts.wake)
    yield parts.job_loop("compose", JobKind.COMPOSE, _LEASE_S, composer.handle)
