"""The loop that applies rejection notes."""

from collections.abc import Iterator
from typing import Any

from node.app.parts import Parts, about
from node.pipeline.stopping.rejection_reader import RejectionReader
from node.pipeline.stopping.taking_back import NoteWriter
from node.runtime.loop import WorkLoop
from node.store.stopping import rejection_notes


def rejecting_loops(parts: Parts) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop."""
    worker, database, clock = parts.worker("reject"), parts.database, parts.clock
    notes = NoteWriter(database, parts.settings.peers, clock)
    reader = RejectionReader(database, parts.files, notes, clock, parts.jitter, parts.wake)
    yield WorkLoop(
        "reject",
        lambda: database.write(lambda tx: rejection_notes.claim_note(tx, clock(), worker)),
        reader.handle,
        reader.fail,
        lambda: database.read(rejection_notes.next_due),
        clock,
        about,
    )
