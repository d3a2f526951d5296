"""What an operator does to rejection notes that came: a wrong one is undone, one that could not be read is retried."""

from datetime import datetime

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.lifecycle import State
from node.pipeline.opened import write_once
from node.store import audit
from node.store.database import Transaction
from node.store.registering import registry
from node.store.stopping import rejection_notes, undoing
from node.store.tables.choices import Mode


def undo(settings: Settings, note_uid: str, who: str, now: datetime) -> str:
    """Let nothing count any more that a rejection note said, and say what that means.

    What it named is read and reported again. What this node sent meanwhile because of it stays sent. A note that could
    not be read is dismissed by it.

    Raises
    ------
    OperatorError
        Where no such note came, it is being applied, or it was undone already.
    """

    def work(tx: Transaction) -> str:
        state = _state(tx, note_uid)
        if state is State.RUNNING:
            raise OperatorError(f"{note_uid} is being applied: say it again in a moment")
        if state is State.CANCELLED:
            raise OperatorError(f"{note_uid} was undone already: `pacs-node rejections retry` applies it again")
        rules = {row.name: None if row.mode is Mode.OFF else row.rule for row in registry.all(tx)}
        studies = undoing.undo(tx, note_uid, rules, who, now)
        if not studies:
            audit.add(tx, now, "rejection note dismissed", sop_uid=note_uid, by=who)
            return f"{note_uid} is dismissed: it had moved nothing"
        return f"what {note_uid} said counts no more: {len(studies)} studies are read and reported again"

    return write_once(settings, work)


def retry(settings: Settings, note_uid: str, who: str, now: datetime) -> str:
    """Let a rejection note be read and applied again that could not be read, or was undone; say what that means.

    Raises
    ------
    OperatorError
        Where no such note came, or it was neither.
    """

    def work(tx: Transaction) -> str:
        if _state(tx, note_uid) not in (State.BURIED, State.CANCELLED):
            raise OperatorError(f"{note_uid} is applied, or about to be: `pacs-node rejections` lists those refused")
        rejection_notes.read_again(tx, note_uid, now)
        audit.add(tx, now, "rejection note retried", sop_uid=note_uid, by=who)
        return f"{note_uid} is read again"

    return write_once(settings, work)


def _state(tx: Transaction, note_uid: str) -> State:
    state = undoing.state_of(tx, note_uid)
    if state is None:
        raise OperatorError(f"no rejection note {note_uid} came: `pacs-node rejections` lists those that did")
    return state
