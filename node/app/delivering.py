"""The loops that send reports."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.pipeline.deliver import Deliverer
from node.pipeline.failure import described, is_permanent
from node.runtime.loop import WorkLoop
from node.store import outbox
from node.store.outbox import ClaimedDelivery

_LEASE_S = 600.0


def deliver_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield a loop for each peer: one that is down or slow holds up nobody else."""
    peers = [peer for peer in parts.settings.peers if peer.gets]
    deliverer = Deliverer(parts.database, parts.settings.node.ae_title, peers, parts.clock, parts.jitter)
    for peer in peers:
        yield _deliver_loop(parts, peer.name, deliverer)


def _deliver_loop(parts: Parts, peer: str, deliverer: Deliverer) -> WorkLoop[ClaimedDelivery]:
    name = f"deliver-{peer}"
    worker, database, clock = parts.worker(name), parts.database, parts.clock

    def fail(delivery: ClaimedDelivery, error: Exception) -> None:
        reason, permanent = described(error), is_permanent(error)
        database.write(lambda tx: outbox.fail(tx, delivery, clock(), reason, permanent=permanent, jitter=parts.jitter))

    return WorkLoop(
        name,
        lambda: database.write(lambda tx: outbox.claim(tx, clock(), _LEASE_S, worker, [peer])),
        deliverer.handle,
        fail,
        lambda: database.read(lambda tx: outbox.next_due(tx, [peer])),
        clock,
    )
