"""Off at once: what an operator does to everything that leaves, beside the running node or without one.

A hold is a row that every claim and every C-STORE asks for, so a command needs no way to the running node. What was
under way is stopped by the node within seconds; a command waits for that, so that its last word is true.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.lifecycle import HeldFor, State
from node.pipeline.opened import open_database, read_once
from node.pipeline.registry import recalled
from node.store import audit
from node.store.database import Database, Transaction
from node.store.listing import control_views
from node.store.registering import registry
from node.store.stopping import holds, releasing
from node.store.stopping.holds import ALL_MODELS
from node.store.stopping.releasing import Gathered
from node.store.tables.choices import RESULTS
from node.store.working import given_up

HOLDS_COLUMNS = ("model", "version", "reason", "held_by", "held_at", "released_by", "released_how", "released_at")
T = TypeVar("T")

REJECTIONS_COLUMNS = (
    "sop_instance_uid",
    "received_at",
    "state",
    "meaning",
    "calling_ae_title",
    "instances",
    "delivered",
    "error",
)

STOPPED_WITHIN_S = 8.0
"""How long a command waits until nothing is under way; the node stops it within 5 s."""

_LOOK_AGAIN_S = 0.1


def hold(settings: Settings, model: str, reason: str, who: str, now: datetime) -> str:
    """Let nothing leave any more, of all models or of one, until it is released; say what that means.

    Parameters
    ----------
    settings
        Whose database.
    model
        A registered name, or `ALL_MODELS`.
    reason
        Why, for the timelines and listings.
    who, now
        Who says so, and when.

    Raises
    ------
    OperatorError
        Where the model is not registered or no reason is given; nothing is held then.
    """
    if not reason.strip():
        raise OperatorError("a hold needs a reason: --reason TEXT", exit_code=2)

    def place(tx: Transaction) -> None:
        _require_registered(tx, model)
        placed = holds.place(tx, model, reason.strip(), who, now)
        detail = {"by": who, "reason": placed.reason}
        audit.add(tx, now, "hold placed", model=model, **detail)
        releasing.note(tx, releasing.of_model(tx, model), "delivery held back", now, **detail)

    with open_database(settings) as database:
        database.write(place)
        running = stopped(database, lambda tx: releasing.running(tx, model))
        waiting = database.read(lambda tx: len(releasing.of_model(tx, model)))
    what = f"model {model}" if model else "everything that leaves"
    under_way = (
        f"{len(running)} of them still count as under way, to {', '.join(dict.fromkeys(running))}: a running node is "
        "about to stop them, and without one nothing is"
        if running
        else "nothing is under way"
    )
    return f"{what} is held: {waiting} deliveries wait, {under_way}. `pacs-node release` lets go of it"


def release(settings: Settings, model: str, who: str, now: datetime, *, discard: bool) -> str:
    """End the holds that were placed on exactly this model, or on everything, and send or discard what gathered.

    Notes that take reports back are never discarded.

    Raises
    ------
    OperatorError
        Where no such hold is in force.
    """
    with open_database(settings) as database:
        database.read(lambda tx: _require_hold(tx, model))
        if discard:
            stopped(database, lambda tx: releasing.running(tx, model))
        released = database.write(lambda tx: _release(tx, model, who, now, discard=discard))
        still = database.read(holds.in_force)
    said = f"{len(released)} deliveries {'discarded' if discard else 'let go'}"
    return ". ".join([said, *(f"Still in force: {hold.said}" for hold in still)])


def release_deliveries(
    settings: Settings, ids: list[int], who: str, now: datetime, *, discard: bool, despite_patient: bool = False
) -> str:
    """Send or discard deliveries that are kept back by themselves; what else may keep one back is asked again.

    Parameters
    ----------
    settings, ids, who, now
        Whose database, which deliveries, who says so, and when.
    discard
        Whether they are cancelled; what was given up may be, too.
    despite_patient
        Whether they are sent although the peer holds the study under another identity.

    Raises
    ------
    OperatorError
        Where one of them is not held, or with `despite_patient` not for its patient; nothing is changed then.
    """
    waiving = {HeldFor.PATIENT} if despite_patient else {HeldFor.AGE, HeldFor.STUDY}

    def work(tx: Transaction) -> None:
        found = releasing.held(tx, ids, or_buried=discard)
        missing = sorted(set(ids) - {one.id for one in found})
        if missing:
            raise OperatorError(
                f"not held: {', '.join(map(str, missing))}; `pacs-node deliveries` lists those in the state held"
            )
        others = [str(one.id) for one in found if one.held_for != HeldFor.PATIENT]
        if despite_patient and others:
            raise OperatorError(
                f"not held for the patient: {', '.join(others)}; release them without --despite-patient"
            )
        if discard:
            either = (State.HELD, State.BURIED)
            releasing.discard(tx, found, now, "discarded by an operator", states=either, by=who)
            return
        for one in releasing.let_go(tx, found, now, waiving):
            said = {"by": who, "held_for": one.last_error} | ({"despite_patient": True} if despite_patient else {})
            releasing.note(tx, [one], "delivery released", now, **said)

    with open_database(settings) as database:
        database.write(work)
        still = [] if discard else database.read(holds.in_force)
    said = f"{len(set(ids))} deliveries {'discarded' if discard else 'let go'}"
    return ". ".join([said, *(f"Still in force: {hold.said}" for hold in still)])


def discard_jobs(settings: Settings, ids: list[int], who: str, now: datetime) -> str:
    """Cancel composes that were given up, so that nobody is told of them any more.

    Raises
    ------
    OperatorError
        Where one of them is no compose that was given up; nothing is changed then.
    """

    def work(tx: Transaction) -> None:
        missing = sorted(set(ids) - set(given_up.discard(tx, ids, who, now)))
        if missing:
            raise OperatorError(
                f"no composes that were given up: {', '.join(map(str, missing))}; `pacs-node queue` lists them as "
                "buried. An image that cannot be read needs no word: the report on its study says so"
            )

    with open_database(settings) as database:
        database.write(work)
    return f"{len(set(ids))} jobs discarded: no result of them is waited for, until an image of their study comes"


def holds_placed(settings: Settings) -> list[dict[str, Any]]:
    """Return every hold and recall, as `node.store.listing.control_views.holds` lists them."""
    return read_once(settings, control_views.holds)


def rejections(settings: Settings) -> list[dict[str, Any]]:
    """Return the rejection notes that came, as `node.store.listing.control_views.rejections` lists them."""
    return read_once(settings, control_views.rejections)


def in_short(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rejection notes as a table shows them: how many instances, and where which reports on them stand."""
    return [
        {
            **row,
            "instances": [
                f"{count} of study {study}"
                for study, count in Counter(one["study_instance_uid"] for one in row["instances"]).items()
            ],
            "delivered": [
                f"{one['sop_instance_uid']} at {one['peer']}: note {one['rejection_note'] or 'none'}"
                for one in row["delivered"]
            ],
        }
        for row in rows
    ]


def kept_back(settings: Settings) -> list[str]:
    """Return what an operator's word keeps back, a sentence each: holds, and recalled versions that still serve."""
    return read_once(settings, lambda tx: [f"hold: {hold.said}" for hold in holds.in_force(tx)] + recalled.notes(tx))


def stopped(database: Database, count: Callable[[Transaction], T]) -> T:
    """Wait until nothing is under way any more, or for `STOPPED_WITHIN_S`; return what still is."""
    deadline, pause = time.monotonic() + STOPPED_WITHIN_S, threading.Event()
    while (running := database.read(count)) and time.monotonic() < deadline:
        pause.wait(_LOOK_AGAIN_S)
    return running


def _release(tx: Transaction, model: str, who: str, now: datetime, *, discard: bool) -> list[Gathered]:
    lifted = holds.lift(tx, model, "discarded" if discard else "sent", who, now)
    reasons = "; ".join(hold.reason for hold in lifted)
    gathered = releasing.of_model(tx, model)
    audit.add(tx, now, "hold released", model=model, by=who, how="discarded" if discard else "sent", reason=reasons)
    if not discard:
        waiting = [one for one in gathered if one.state is State.WAITING]
        releasing.note(tx, waiting, "delivery released", now, by=who, held_for=reasons)
        return waiting
    reports = [one for one in gathered if one.kind in RESULTS]
    return releasing.discard(tx, reports, now, "discarded when the hold was released", by=who, held_for=reasons)


def _require_registered(tx: Transaction, model: str) -> None:
    names = [row.name for row in registry.all(tx)]
    if model != ALL_MODELS and model not in names:
        raise registry.no_model(model, names, exit_code=2)


def _require_hold(tx: Transaction, model: str) -> None:
    placed = holds.in_force(tx)
    if any(hold.model == model for hold in placed):
        return
    what = f"model {model}" if model else "everything"
    others = "; ".join(
        f"{hold.said} (`pacs-node release{f' --model {hold.model}' if hold.model else ''}`)" for hold in placed
    )
    raise OperatorError(f"no hold on {what} is in force: {others or 'nothing is held'}")
