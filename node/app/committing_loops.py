"""The loops of storage commitment: peers are asked about what they were sent, and told what they asked."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from node.app.parts import Parts
from node.config import PeerSettings
from node.domain.identifiers import new_uid
from node.network.commitment import Heard
from node.network.peer import PeerAddress
from node.pipeline.delivery.commitment_heard import hearing_of
from node.pipeline.delivery.committing import Asker, Committing, Teller
from node.runtime.loop import WorkLoop
from node.store.database import Transaction
from node.store.sending import commitments, commitments_requested

_TELLS = "tell-commitment"


def committing_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield a loop for each peer that is asked, and for each that is told results where this node serves commitment.

    One that is slow so keeps no other waiting.
    """
    settings = parts.settings
    given = Committing(parts.database, settings.node.ae_title, parts.clock, parts.jitter)
    for peer in settings.peers:
        if peer.storage_commitment and peer.gets:
            asker = _asker(parts, given, peer)
            name = f"commit-{peer.name}"
            yield WorkLoop(name, asker.claim, asker.handle, asker.fail, asker.next_due, parts.clock)
    if settings.commitment.serve:
        for peer in {peer.ae_title: peer for peer in settings.peers}.values():
            teller, name = _teller(parts, given, peer), f"{_TELLS}-{peer.name}"
            yield WorkLoop(name, teller.claim, teller.handle, teller.fail, teller.next_due, parts.clock)


def take_back_commitments(tx: Transaction, now: datetime) -> None:
    """Take back what a killed process was asking or telling."""
    commitments.rescue(tx, now)
    commitments_requested.rescue(tx, now)


def _asker(parts: Parts, given: Committing, peer: PeerSettings) -> Asker:
    hearing = hearing_of(parts.settings, parts.clock, parts.jitter, new_uid)

    def hear(said: Heard) -> int:
        status = parts.database.write(lambda tx: hearing.hear(tx, said))
        parts.wake()
        return status

    answer_within_s, worker = parts.settings.commitment.answer_within_s, parts.worker(f"commit-{peer.name}")
    return Asker(given, peer.name, _address(peer), answer_within_s, hear, new_uid, worker)


def _teller(parts: Parts, given: Committing, peer: PeerSettings) -> Teller:
    callers, worker = {peer.ae_title: _address(peer)}, parts.worker(f"{_TELLS}-{peer.name}")
    forever = parts.settings.storage.keep_days == 0
    return Teller(given, callers, parts.files.path, worker, keeps_for_ever=forever)


def _address(peer: PeerSettings) -> PeerAddress:
    return PeerAddress(peer.ae_title, peer.host, peer.port)
