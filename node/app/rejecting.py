"""The loop that applies rejection notes."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts
from node.pipeline.failure import described, is_permanent
from node.pipeline.rejections import RejectionReader, malformed
from node.pipeline.taking_back import NoteWriter
from node.runtime.loop import WorkLoop
from node.store import rejections
from node.store.database import Transaction
from node.store.rejections import ClaimedNote


def rejecting_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop."""
    worker, database, clock = parts.worker("reject"), parts.database, parts.clock
    notes = NoteWriter(database, parts.settings.peers, clock)
    reader = RejectionReader(database, parts.files, notes, clock, parts.wake)

    def fail(note: ClaimedNote, error: Exception) -> None:
        database.write(lambda tx: _fail(tx, parts, note, error))

    yield WorkLoop(
        "reject",
        lambda: database.write(lambda tx: rejections.claim_note(tx, clock(), worker)),
        reader.handle,
        fail,
        lambda: database.read(rejections.next_due),
        clock,
    )


def _fail(tx: Transaction, parts: Parts, note: ClaimedNote, error: Exception) -> None:
    reason, now = described(error), parts.clock()
    if rejections.fail(tx, note, now, reason, permanent=is_permanent(error), jitter=parts.jitter):
        malformed(tx, note, reason, now)
