"""Holds on both databases: what they keep back, and what leaves under them."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import select, update

from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.store.database import Database, Transaction
from node.store.sending import outbox
from node.store.stopping import holds
from node.store.tables.choices import DeliveryKind
from node.store.tables.result_tables import Delivery
from node.store.working import analyses
from node.store.working.analyses import NewAnalysis, NewRendition
from tests.support.databases.stored import Later


@pytest.fixture
def waiting(database: Database, add_instance: Callable[..., object], now: datetime) -> dict[str, int]:
    """Put a report of each of two models into the outbox; return the numbers of the deliveries by model."""

    def add(tx: Transaction, model: str) -> int:
        analysis = NewAnalysis(StudyInstanceUID("1.2.3"), model, "1", Outcome.POSITIVE, "d", "c", "k", now)
        number = analyses.add(tx, analysis)
        uid = SOPInstanceUID(f"2.25.{len(model)}")
        report = NewRendition("1.2.3", uid, SeriesInstanceUID("2.25.9"), "1.2.840.10008.1.2", b"")
        outbox.add(tx, number, "pacs", analyses.add_rendition(tx, number, report), now)
        return tx.scalars(select(Delivery.id).where(Delivery.analysis_id == number)).one()

    database.write(add_instance)
    return {model: database.write(lambda tx: add(tx, model)) for model in ("starter", "digits")}  # noqa: B023 - run at once


def _free(database: Database) -> set[int]:
    return set(database.read(lambda tx: tx.scalars(select(Delivery.id).where(holds.not_held())).all()))


def _kept_back(database: Database, model: str, delivery: int) -> list[str]:
    """Return what the holds that keep a delivery back are of, as a listing finds them."""
    return database.read(
        lambda tx: [hold.model for hold in holds.in_force(tx) if hold.covers(model, tx.get_one(Delivery, delivery))]
    )


def test_a_hold_of_everything_keeps_back_every_delivery(
    database: Database, waiting: dict[str, int], now: datetime
) -> None:
    """And says who holds it, since when and why."""
    assert _free(database) == set(waiting.values())
    database.write(lambda tx: holds.place(tx, holds.ALL_MODELS, "wrong monitor", "ada", now))

    assert _free(database) == set()
    held = database.read(lambda tx: holds.holding(tx, "starter"))
    assert held is not None
    assert held.said == "everything that leaves is held since 2026-03-01 12:00:00 UTC by ada: wrong monitor"


def test_a_hold_of_one_model_leaves_the_others_alone(
    database: Database, waiting: dict[str, int], now: datetime
) -> None:
    """Asked by condition, by model and by delivery."""
    database.write(lambda tx: holds.place(tx, "starter", "odd scores", "ada", now))

    assert _free(database) == {waiting["digits"]}
    assert database.read(lambda tx: holds.holding(tx, "digits")) is None
    assert _kept_back(database, "digits", waiting["digits"]) == []
    assert _kept_back(database, "starter", waiting["starter"]) == ["starter"]


def test_a_hold_ends_for_exactly_what_it_was_placed_on(
    database: Database, waiting: dict[str, int], now: datetime, later: Later
) -> None:
    """Releasing everything leaves a model that was held by name held."""
    database.write(lambda tx: holds.place(tx, "starter", "odd scores", "ada", now))
    database.write(lambda tx: holds.place(tx, holds.ALL_MODELS, "wrong monitor", "ada", later(1)))

    lifted = database.write(lambda tx: holds.lift(tx, holds.ALL_MODELS, "sent", "bob", later(2)))

    assert [hold.reason for hold in lifted] == ["wrong monitor"]
    assert _free(database) == {waiting["digits"]}
    assert [hold.model for hold in database.read(holds.in_force)] == ["starter"]


def test_only_a_rejection_note_that_was_ordered_since_leaves_under_a_hold(
    database: Database, waiting: dict[str, int], now: datetime, later: Later
) -> None:
    """A report that was let go by itself stays, and so does a note that was ordered before; clocks have no say."""

    def let_go(identity: int, kind: DeliveryKind) -> None:
        past = database.read(holds.newest)
        values = {"kind": kind, "released_at": now, "past_hold": past}
        database.write(lambda tx: tx.execute(update(Delivery).where(Delivery.id == identity).values(**values)))

    let_go(waiting["starter"], DeliveryKind.REJECTION_NOTE)
    database.write(lambda tx: holds.place(tx, holds.ALL_MODELS, "wrong monitor", "ada", later(3600)))
    let_go(waiting["digits"], DeliveryKind.REPORT)
    assert _free(database) == set()
    let_go(waiting["starter"], DeliveryKind.REJECTION_NOTE)
    assert _free(database) == {waiting["starter"]}
    assert _kept_back(database, "starter", waiting["starter"]) == []
