"""What may be at a peer: whether it has answered so, or was offered it and nobody knows what became of it.

A peer may store a report and the answer may never be booked: it comes too late, the connection breaks, or this process
ends. A delivery is running and its rendition pinned before its first byte leaves. Whoever ends that without an answer
notes the time (`offered_at`), unless it was the worker itself and knows that nothing left; so no commit is made for the
mark.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, exists, or_, true
from sqlalchemy.orm import aliased

from node.domain.lifecycle import State
from node.store.tables.choices import DeliveryKind
from node.store.tables.result_tables import Analysis, Delivery, Rendition

MAY_HAVE_IT = "; the peer may have got it"
"""What is said of a delivery that ends without an answer."""

HEAT_MAP_NOTE = "rejection note of heat maps"
"""The profile of notes that take a heat map back because a newer result came, and leave its report where it is."""


def may_be_there() -> ColumnElement[bool]:
    """Return the condition for deliveries whose peer has them, or may have them; its query names `Delivery`."""
    is_leaving = and_(Delivery.state == State.RUNNING, Delivery.pinned_at.is_not(None))
    return or_(Delivery.offered_at.is_not(None), Delivery.state == State.DONE, is_leaving)


def marked(now: datetime, *, if_running: bool = False) -> dict[str, Any]:
    """Return the values that note an offer, with `if_running` of the rows that are running when they are changed.

    Of what is not pinned, nothing has left.
    """
    running = Delivery.state == State.RUNNING if if_running else true()
    left = and_(Delivery.pinned_at.is_not(None), running)
    return {"offered_at": case((left, now), else_=Delivery.offered_at)}


def said(reason: str, offered_at: datetime | None) -> str:
    """Return why a delivery ended, with the word that its peer may have it where that is so."""
    return reason if offered_at is None else reason + MAY_HAVE_IT


def taken_back(peer: str | SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Return the condition for analyses whose reports a note takes back at a peer; its query names `Analysis`.

    The peer may be a column of `Delivery`, where its query names that, too.
    """
    note, made = aliased(Delivery), aliased(Rendition)
    of_analysis = note.analysis_id == Analysis.id, note.peer == peer, note.state != State.CANCELLED
    of_report = note.kind == DeliveryKind.REJECTION_NOTE, made.id == note.rendition_id, made.profile != HEAT_MAP_NOTE
    return exists().where(*of_analysis, *of_report).correlate(Analysis, Delivery)
