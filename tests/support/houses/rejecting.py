"""Rejection notes sent to a house and applied, and deliveries that count as sent, as the loops would do it."""

import random
from collections.abc import Sequence

from node.domain.errors import Permanent
from node.pipeline.stopping.rejection_reader import RejectionReader
from node.pipeline.stopping.taking_back import NoteWriter
from node.store.sending import outbox
from node.store.stopping import rejection_notes
from tests.support.houses.house import House, incoming
from tests.support.houses.line import PACS, Line
from tests.support.objects.notes import rejection_file

TAKING = PACS.model_copy(update={"takes_rejection_notes": True})


def note(house: House, code: str, named: Sequence[str], uid: str = "1.2.99.1") -> None:
    """Let a rejection note come in, and be applied."""
    house.receive(incoming(rejection_file(code, named, uid), "PACS"))
    apply(house)


def apply(house: House) -> int:
    """Do what the loop does, and return how many notes it took."""
    notes = NoteWriter(house.database, [TAKING], house.clock)
    reader = RejectionReader(house.database, house.files, notes, house.clock, random.Random(1), house.wake)
    taken = 0
    while (
        claimed := house.database.write(lambda tx: rejection_notes.claim_note(tx, house.clock(), "test"))
    ) is not None:
        taken += 1
        try:
            reader.handle(claimed)
        except Permanent as error:
            reader.fail(claimed, error)
    return taken


def kinds(line: Line) -> list[tuple[str, str]]:
    """Return what is delivered, and the state of each."""
    return [(delivery["kind"], delivery["state"]) for delivery in line.deliveries()]


def count_as_sent(house: House, line: Line) -> None:
    """Let what waits count as sent, as a peer that answers 0x0000 does."""
    while (claimed := line.claim_delivery()) is not None:
        house.database.write(lambda tx, claimed=claimed: outbox.finish(tx, claimed, house.clock(), 0x0000))
