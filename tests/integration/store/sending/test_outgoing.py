"""What is asked of the outbox before something leaves, and how destinations are remembered, on both databases."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.lifecycle import HeldFor
from node.store.database import Database, Transaction
from node.store.sending import destinations, outbox, outgoing
from node.store.sending.destinations import Patience
from node.store.sending.outbox import ClaimedDelivery
from node.store.stopping import holds
from node.store.tables.choices import DeliveryKind
from node.store.tables.result_tables import Delivery
from node.store.working import analyses
from node.store.working.analyses import NewAnalysis, NewRendition
from tests.support.databases.stored import Later

SR, KEY_OBJECT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.1.2"

Offer = Callable[..., None]


@pytest.fixture
def offer(database: Database, add_instance: Callable[..., object], now: datetime) -> Offer:
    """Return a function that puts a report on one study into the outbox."""
    database.write(add_instance)

    def one(
        number: int,
        at: datetime = now,
        inputs: str = "d",
        sop_class: str = SR,
        kind: DeliveryKind = DeliveryKind.REPORT,
    ) -> None:
        def work(tx: Transaction) -> None:
            analysis = NewAnalysis(StudyInstanceUID("1.2.3"), "starter", "1", Outcome.POSITIVE, inputs, "c", "k", at)
            identity = analyses.add(tx, analysis)
            series = SeriesInstanceUID("2.25.9")
            rendition = NewRendition(sop_class, SOPInstanceUID(f"2.25.{number}"), series, IMPLICIT, b"")
            outbox.add(tx, identity, "pacs", analyses.add_rendition(tx, identity, rendition), at, kind=kind)

        database.write(work)

    return one


def _claimed(database: Database, at: datetime) -> ClaimedDelivery:
    claimed = database.write(lambda tx: outbox.claim(tx, at, 60, "w", ["pacs"]))
    assert claimed is not None
    return claimed


def test_a_result_is_as_old_as_the_first_from_the_same_images(database: Database, offer: Offer, later: Later) -> None:
    """Whatever was corrected since; other images make another result."""
    offer(1)
    offer(2, later(100))
    offer(3, later(200), inputs="other")
    since = [database.read(lambda tx: outgoing.known_since(tx, _claimed(database, later(300)))) for _ in range(3)]
    assert since == [later(0), later(0), later(200)]


def test_a_peer_holds_a_report_once_it_has_answered_so(database: Database, offer: Offer, later: Later) -> None:
    """Neither what waits counts nor a note that takes a report back."""
    offer(1)
    offer(2, later(1))
    note, other = _claimed(database, later(1)), _claimed(database, later(1))
    assert not database.read(lambda tx: outgoing.holds_report(tx, other))
    database.write(lambda tx: outbox.finish(tx, note, later(2), 0))
    assert database.read(lambda tx: outgoing.holds_report(tx, other))


def test_a_peer_holds_no_report_that_was_taken_back_there(database: Database, offer: Offer, later: Later) -> None:
    """So that what follows it is judged like a first result; a note that was given up takes nothing back."""
    offer(1)
    offer(2, later(1))
    first, other = _claimed(database, later(1)), _claimed(database, later(1))
    database.write(lambda tx: outbox.finish(tx, first, later(2), 0))
    series = SeriesInstanceUID("2.25.9")
    note = NewRendition(KEY_OBJECT, SOPInstanceUID("2.25.99"), series, IMPLICIT, b"")

    def take_back(tx: Transaction) -> None:
        rendition = analyses.add_rendition(tx, first.analysis_id, note)
        outbox.add(tx, first.analysis_id, "pacs", rendition, later(3), kind=DeliveryKind.REJECTION_NOTE)

    database.write(take_back)
    assert not database.read(lambda tx: outgoing.holds_report(tx, other))
    database.write(lambda tx: tx.execute(update(Delivery).where(Delivery.kind != "report").values(state="cancelled")))
    assert database.read(lambda tx: outgoing.holds_report(tx, other))


def test_what_waits_says_which_contexts_it_needs(database: Database, offer: Offer) -> None:
    """Each pair once, of what waits for that peer."""
    offer(1)
    offer(2)
    offer(3, sop_class=KEY_OBJECT, kind=DeliveryKind.REJECTION_NOTE)
    assert sorted(database.read(lambda tx: outgoing.syntaxes_waiting(tx, "pacs"))) == [
        (SR, IMPLICIT),
        (KEY_OBJECT, IMPLICIT),
    ]
    assert database.read(lambda tx: outgoing.syntaxes_waiting(tx, "archive")) == []


def test_the_oldest_that_waits_is_not_one_that_is_held(database: Database, offer: Offer, later: Later) -> None:
    """Neither by a reason of its own nor by an operator's hold."""
    offer(1)
    offer(2, later(50))
    assert database.read(lambda tx: outgoing.oldest_waiting(tx, "pacs")) == later(0)
    first = _claimed(database, later(60))
    assert database.write(lambda tx: outbox.hold(tx, first, later(60), "too late", HeldFor.AGE))
    assert database.read(lambda tx: outgoing.oldest_waiting(tx, "pacs")) == later(50)
    database.write(lambda tx: holds.place(tx, holds.ALL_MODELS, "wrong monitor", "ada", later(60)))
    assert database.read(lambda tx: outgoing.oldest_waiting(tx, "pacs")) is None


def test_a_held_delivery_is_claimed_by_nobody_and_cancelled_by_a_newer_report(
    database: Database, offer: Offer, later: Later
) -> None:
    """It waits for a person, or for something newer."""
    offer(1)
    claimed = _claimed(database, later(1))
    assert database.write(lambda tx: outbox.hold(tx, claimed, later(1), "too late", HeldFor.AGE))
    assert not database.write(lambda tx: outbox.hold(tx, claimed, later(1), "too late", HeldFor.AGE))
    assert database.write(lambda tx: outbox.claim(tx, later(9999), 60, "w", ["pacs"])) is None
    told = database.read(lambda tx: outgoing.told(tx, "1.2.3", "starter", "pacs"))
    assert told is not None
    assert database.write(lambda tx: outbox.cancel_waiting(tx, "1.2.3", "starter", "pacs", later(2))) == 1


def test_a_delivery_is_wanted_until_it_is_held_or_taken_over(database: Database, offer: Offer, later: Later) -> None:
    """Asked before each C-STORE, and while one is slow."""
    offer(1)
    claimed = _claimed(database, later(1))
    assert database.read(lambda tx: outgoing.is_wanted(tx, claimed))
    held = database.write(lambda tx: holds.place(tx, "starter", "odd scores", "ada", later(2)))
    assert not database.read(lambda tx: outgoing.is_wanted(tx, claimed))
    database.write(lambda tx: holds.lift(tx, held.model, "sent", "ada", later(3)))
    assert database.read(lambda tx: outgoing.is_wanted(tx, claimed))
    _claimed(database, later(100))  # its lease ran out
    assert not database.read(lambda tx: outgoing.is_wanted(tx, claimed))


def test_a_destination_is_remembered(database: Database, now: datetime, later: Later) -> None:
    """Failures in a row open its breaker, an answer closes it; the last error stays to be seen."""
    patience, jitter = Patience(failures=2, first_pause_s=10), random.Random(7)

    def fail(at: datetime) -> datetime | None:
        return database.write(lambda tx: destinations.failed(tx, "pacs", at, "no answer", patience, jitter))

    assert fail(now) is None
    until = fail(later(1))
    assert until is not None
    assert timedelta(seconds=8) <= until - later(1) <= timedelta(seconds=12)
    (known,) = database.read(destinations.all)
    assert (known.failures, known.paused_at(later(2)), known.paused_at(until)) == (2, until, None)
    database.write(lambda tx: destinations.answered(tx, "pacs", later(30)))
    known = database.read(lambda tx: destinations.get(tx, "pacs"))
    assert (known.failures, known.open_until, known.last_error) == (0, None, "no answer")
    assert (known.last_failure_at, known.last_success_at) == (later(1), later(30))


def test_a_pause_has_a_bound_however_long_a_peer_is_away() -> None:
    """After a year of failures, too."""
    patience = Patience(failures=3, first_pause_s=10, longest_pause_s=300)
    assert [patience.pause_s(failures) for failures in (2, 3, 4, 8, 100_000)] == [0, 10, 20, 300, 300]
