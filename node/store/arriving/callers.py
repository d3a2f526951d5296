"""Callers that were turned away: one row for each, however often it tried."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select

from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.operation_tables import RefusedCaller

_MOST_CALLERS = 1000  # a scanner that invents AE titles must not fill the database


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was turned away, why, how often and when."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    reason: str
    times: int
    first_at: datetime
    last_at: datetime


def refused(tx: Transaction, calling: str, called: str, address: str, reason: str, now: datetime) -> None:
    """Count a refused association."""
    who = {"calling_ae_title": calling, "called_ae_title": called, "address": address, "reason": reason}
    statement = insert_into(tx, RefusedCaller).values(**who, times=1, first_at=now, last_at=now)
    again = {"times": RefusedCaller.times + 1, "last_at": now}
    tx.execute(statement.on_conflict_do_update(index_elements=list(who), set_=again))
    _forget_oldest(tx)


def all(tx: Transaction) -> list[Caller]:  # noqa: A001 - read as callers.all
    """Return the refused callers, the latest first."""
    rows = tx.scalars(select(RefusedCaller).order_by(RefusedCaller.last_at.desc(), RefusedCaller.id.desc()))
    return [
        Caller(row.calling_ae_title, row.called_ae_title, row.address, row.reason, row.times, row.first_at, row.last_at)
        for row in rows
    ]


def _forget_oldest(tx: Transaction) -> None:
    too_many = tx.execute(select(func.count()).select_from(RefusedCaller)).scalar_one() - _MOST_CALLERS
    if too_many > 0:
        oldest = select(RefusedCaller.id).order_by(RefusedCaller.last_at, RefusedCaller.id).limit(too_many)
        tx.execute(delete(RefusedCaller).where(RefusedCaller.id.in_(oldest)))
