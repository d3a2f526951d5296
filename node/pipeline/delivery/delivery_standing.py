"""How delivery stands at each peer: what it answered, whether it is left alone, and what waits for too long."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from node.config import Settings
from node.domain.lifecycle import OPEN_STATES, State
from node.network.answer_status import StoreAnswer, worded
from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.listing.listings import Listed, iso
from node.store.sending import destinations, outgoing


class Trouble(NamedTuple):
    """What an operator should know of deliveries to a peer."""

    peer: str
    is_fault: bool
    text: str


def told_of(tx: Transaction, rows: list[Listed], now: datetime, age_alarm_s: float) -> list[Listed]:
    """Return listed deliveries with what their peers say and how long they wait.

    Returns
    -------
    list of dict
        The keys of `node.store.listing.views.deliveries`, and ``last_answer`` (status, meaning and comment in words, ""
        where none came), ``paused_until`` (of one that waits: nothing is tried at the peer before; else null) and
        ``overdue`` (whether it waits for longer than `age_alarm_s`, and no hold keeps it back).
    """
    pauses = {one.peer: one.paused_at(now) for one in destinations.all(tx)}
    return [row | _standing(row, pauses.get(row["peer"]), now, age_alarm_s) for row in rows]


def behind_pauses(database: Database, now: datetime) -> Iterator[Trouble]:
    """Yield, by peer that is left alone because it does not answer, how much waits and until when."""
    waiting = Counter(row["peer"] for row in database.read(views.deliveries) if row["state"] in OPEN_STATES)
    for destination in database.read(destinations.all):
        paused_until = destination.paused_at(now)
        if paused_until is not None:
            text = (
                f"{waiting[destination.peer]} wait; nothing is tried before {paused_until:%Y-%m-%d %H:%M:%S} UTC, after"
            )
            yield Trouble(destination.peer, False, f"{text} {destination.failures} failures: {destination.last_error}")


def troubles(settings: Settings, database: Database, now: datetime) -> Iterator[Trouble]:
    """Yield, by peer, that nothing is tried there, that something waits for too long, or for ever, or is held."""
    rows = database.read(views.deliveries)
    waiting = Counter(row["peer"] for row in rows if row["state"] in OPEN_STATES)
    held = Counter(row["peer"] for row in rows if row["state"] == State.HELD)
    yield from behind_pauses(database, now)
    for peer in sorted(waiting):
        yield from _overdue(settings, database, peer, now)
    for peer in sorted(waiting.keys() - {peer.name for peer in settings.peers}):
        text = f"{waiting[peer]} wait, and no [[peers]] table has that name: nothing takes them there until one has"
        yield Trouble(peer, True, text)
    for peer in sorted(held):
        yield Trouble(peer, False, f"{held[peer]} held: `pacs-node deliveries` says why and what ends it")


def _overdue(settings: Settings, database: Database, peer: str, now: datetime) -> Iterator[Trouble]:
    oldest, limit_s = database.read(lambda tx: outgoing.oldest_waiting(tx, peer)), settings.deliver.age_alarm_s
    if oldest is not None and now - oldest > timedelta(seconds=limit_s):
        since = f"{oldest:%Y-%m-%d %H:%M:%S} UTC"
        yield Trouble(peer, True, f"the oldest waits since {since}, longer than [deliver] age_alarm_s ({limit_s:g} s)")


def _standing(row: Listed, paused_until: datetime | None, now: datetime, age_alarm_s: float) -> dict[str, Any]:
    since = datetime.fromisoformat(row["waits_since"])
    waits = row["state"] in OPEN_STATES
    status = row["last_status"]
    return {
        "last_answer": "" if status is None else worded(StoreAnswer(status, row["last_comment"])),
        "paused_until": iso(paused_until) if waits else None,
        "overdue": waits and row["hold"] is None and now - since > timedelta(seconds=age_alarm_s),
    }
