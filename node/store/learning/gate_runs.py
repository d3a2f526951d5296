"""Runs of the gate: the protocol is written down before a challenger is trained, the verdict when it is judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update

from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.version_tables import GateRun


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what was declared, when, and what came out."""

    run: str
    model: str
    protocol: Mapping[str, Any]
    protocol_digest: str
    declared_at: datetime
    verdict: Mapping[str, Any] | None = None
    judged_at: datetime | None = None


def declare(tx: Transaction, run: Run) -> Run:
    """Write a protocol down and return what is declared for this run: what was written first stays."""
    values = {"protocol": dict(run.protocol), "protocol_digest": run.protocol_digest, "declared_at": run.declared_at}
    added = insert_into(tx, GateRun).values(run=run.run, model=run.model, **values)
    tx.execute(added.on_conflict_do_nothing())
    found = get(tx, run.run)
    assert found is not None  # noqa: S101 it was added or is there, for the type checker
    return found


def get(tx: Transaction, run: str) -> Run | None:
    """Return one run, or None."""
    row = tx.get(GateRun, run, populate_existing=True)
    if row is None:
        return None
    declared = (row.run, row.model, row.protocol, row.protocol_digest, row.declared_at)
    return Run(*declared, row.verdict, row.judged_at)


def conclude(tx: Transaction, run: str, verdict: Mapping[str, Any], now: datetime) -> None:
    """Write the verdict down."""
    tx.execute(update(GateRun).where(GateRun.run == run).values(verdict=dict(verdict), judged_at=now))
