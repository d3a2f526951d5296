"""The outbox on both databases: sent once each, tried for as long as it takes, buried when it is of no use."""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import pytest

from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.lifecycle import State
from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.listing.listings import Listed
from node.store.sending import outbox
from node.store.sending.outbox import ClaimedDelivery
from node.store.working import analyses
from node.store.working.analyses import NewAnalysis, NewRendition
from tests.support.databases.stored import Later

LEASE_S = 60.0
BYTES = bytes(range(256)) * 40

Claim = Callable[..., ClaimedDelivery | None]


@dataclass(frozen=True)
class Reported:
    """A stored report."""

    analysis_id: int
    rendition_id: int


@pytest.fixture
def jitter() -> random.Random:
    """Return a seeded random source."""
    return random.Random(7)


@pytest.fixture
def report(database: Database, add_instance: Callable[..., object], now: datetime) -> Callable[..., Reported]:
    """Return a function that stores an analysis with its report; the first one stores the study too."""
    database.write(add_instance)

    def make(sop_uid: str = "2.25.1", model: str = "starter") -> Reported:
        def work(tx: Transaction) -> Reported:
            analysis_id = analyses.add(
                tx, NewAnalysis(StudyInstanceUID("1.2.3"), model, "1", Outcome.POSITIVE, "d", "c", "k", now)
            )
            rendition = NewRendition(
                "1.2.840.10008.5.1.4.1.1.88.34",
                SOPInstanceUID(sop_uid),
                SeriesInstanceUID("2.25.9"),
                "1.2.840.10008.1.2",
                BYTES,
            )
            return Reported(analysis_id, analyses.add_rendition(tx, analysis_id, rendition))

        return database.write(work)

    return make


@pytest.fixture
def add(database: Database, now: datetime) -> Callable[..., bool]:
    """Return a function that puts a report into the outbox."""

    def one(reported: Reported, peer: str = "pacs", at: datetime = now) -> bool:
        return database.write(lambda tx: outbox.add(tx, reported.analysis_id, peer, reported.rendition_id, at))

    return one


@pytest.fixture
def claim(database: Database, now: datetime) -> Claim:
    """Return a function that claims in a transaction of its own."""

    def one(at: datetime = now, peers: Collection[str] = ("pacs", "archive")) -> ClaimedDelivery | None:
        return database.write(lambda tx: outbox.claim(tx, at, LEASE_S, "w1", peers))

    return one


def _deliveries(database: Database) -> list[Listed]:
    return database.read(lambda tx: views.deliveries(tx, tuple(State)))


def test_a_claimed_delivery_carries_all_that_sending_needs(
    report: Callable[..., Reported], add: Callable[..., bool], claim: Claim, later: Later
) -> None:
    """Peer, study, and the report's identity and bytes as they were composed."""
    reported = report()
    assert add(reported)

    delivery = claim()

    assert delivery is not None
    assert (delivery.peer, delivery.study_instance_uid, delivery.model) == ("pacs", "1.2.3", "starter")
    assert (delivery.analysis_id, delivery.rendition.id) == (reported.analysis_id, reported.rendition_id)
    assert delivery.rendition.dataset == BYTES
    assert delivery.rendition.identity.sop_instance_uid == "2.25.1"
    assert delivery.rendition.transfer_syntax_uid == "1.2.840.10008.1.2"
    assert (delivery.attempt, delivery.lease_until) == (1, later(LEASE_S))


def test_a_report_is_sent_to_a_peer_once(
    report: Callable[..., Reported], add: Callable[..., bool], claim: Claim
) -> None:
    """Adding it again is harmless; another peer is another delivery."""
    reported = report()

    assert add(reported)
    assert not add(reported)
    assert add(reported, "archive")

    assert sorted(delivery.peer for delivery in iter(claim, None)) == ["archive", "pacs"]


def test_composing_the_same_report_twice_keeps_its_first_bytes(
    database: Database, report: Callable[..., Reported], now: datetime
) -> None:
    """The UID says what the report says, so the second one is the first."""
    first = report()
    again = NewRendition("1", SOPInstanceUID("2.25.1"), SeriesInstanceUID("2"), "3", b"other")

    assert database.write(lambda tx: analyses.add_rendition(tx, first.analysis_id, again)) == first.rendition_id

    kept = database.read(lambda tx: analyses.rendition(tx, first.rendition_id))
    assert kept.dataset == BYTES


def test_only_the_peers_that_may_be_sent_to_are_claimed(
    database: Database, report: Callable[..., Reported], add: Callable[..., bool], claim: Claim, now: datetime
) -> None:
    """A peer that is not asked for neither blocks the others nor shortens their sleep."""
    reported = report()
    add(reported, "archive")

    assert claim(peers=("pacs",)) is None
    assert claim(peers=()) is None
    assert database.read(lambda tx: outbox.next_due(tx, ("pacs",))) is None
    assert database.read(outbox.next_due) == now
    assert claim(peers=("archive",)) is not None


def test_a_sent_delivery_keeps_the_peers_status(
    database: Database, report: Callable[..., Reported], add: Callable[..., bool], claim: Claim, later: Later
) -> None:
    """0x0111, which says that the peer holds it already, counts as sent and stays to be seen."""
    add(report())
    delivery = claim()
    assert delivery is not None

    assert database.write(lambda tx: outbox.finish(tx, delivery, later(1), 0x0111))

    assert [(one["state"], one["last_status"]) for one in _deliveries(database)] == [("done", 0x0111)]
    assert claim(at=later(10_000)) is None


def test_a_late_sender_settles_nothing(
    database: Database,
    report: Callable[..., Reported],
    add: Callable[..., bool],
    claim: Claim,
    later: Later,
    jitter: random.Random,
) -> None:
    """After its lease another one sends; what the first one says of it changes nothing."""
    add(report())
    late = claim()
    current = claim(at=later(LEASE_S + 1))
    assert late is not None
    assert current is not None

    assert not database.write(lambda tx: outbox.finish(tx, late, later(70), 0))
    assert not database.write(lambda tx: outbox.fail(tx, late, later(70), "late", permanent=True, jitter=jitter))
    assert not database.write(lambda tx: outbox.release(tx, late, later(70)))

    assert database.write(lambda tx: outbox.finish(tx, current, later(70), 0))


def test_a_peer_that_is_down_is_tried_for_as_long_as_it_takes(
    database: Database,
    report: Callable[..., Reported],
    add: Callable[..., bool],
    claim: Claim,
    later: Later,
    jitter: random.Random,
) -> None:
    """A hundred failures later it still waits, at most a good quarter of an hour; the timeline tells it once."""
    add(report())
    for number in range(100):
        delivery = claim(at=later(2000.0 * number))
        assert delivery is not None
        at = later(2000.0 * number)
        database.write(
            lambda tx, delivery=delivery, at=at: outbox.fail(
                tx, delivery, at, "connection refused", permanent=False, jitter=jitter
            )
        )

    (waiting,) = _deliveries(database)
    assert (waiting["state"], waiting["failures"], waiting["attempt"]) == ("waiting", 100, 100)
    explained = database.read(lambda tx: views.study(tx, "1.2.3", now=later(0)))
    assert explained is not None
    assert [entry["event"] for entry in explained["timeline"]] == ["delivery failed"]


def test_a_sender_that_dies_is_replaced_without_limit(
    database: Database, report: Callable[..., Reported], add: Callable[..., bool], claim: Claim, later: Later
) -> None:
    """A killed node loses no delivery, however often it is killed."""
    add(report())
    for number in range(20):
        assert claim(at=later(100.0 * number)) is not None

    assert database.write(lambda tx: outbox.rescue(tx, later(1901), everything=True)) == 1
    assert claim(at=later(1901)) is not None


def test_a_permanent_answer_is_buried_with_status_and_reason(
    database: Database,
    report: Callable[..., Reported],
    add: Callable[..., bool],
    claim: Claim,
    later: Later,
    jitter: random.Random,
) -> None:
    """The operator sees what the peer answered."""
    add(report())
    delivery = claim()
    assert delivery is not None

    database.write(
        lambda tx: outbox.fail(
            tx, delivery, later(1), "SOP class not supported", permanent=True, jitter=jitter, status=0x0122
        )
    )

    (buried,) = _deliveries(database)
    assert (buried["state"], buried["last_status"]) == ("buried", 0x0122)
    assert buried["last_error"] == "SOP class not supported"
    assert claim(at=later(10_000)) is None


def test_a_newer_report_cancels_what_still_waits_of_the_older(
    database: Database, report: Callable[..., Reported], add: Callable[..., bool], claim: Claim, later: Later
) -> None:
    """What is under way goes on; another model's report is not touched."""
    first, second, other = report("2.25.1"), report("2.25.2"), report("2.25.3", model="other")
    add(first, "archive")
    under_way = claim(peers=("archive",))
    add(first, "pacs")
    add(other, "pacs")

    assert database.write(lambda tx: outbox.cancel_waiting(tx, "1.2.3", "starter", "pacs", later(1))) == 1
    assert database.write(lambda tx: outbox.cancel_waiting(tx, "1.2.3", "starter", "archive", later(1))) == 0
    add(second, "pacs")

    states = {(one["sop_instance_uid"], one["peer"]): one["state"] for one in _deliveries(database)}
    assert states == {
        ("2.25.1", "archive"): "running",
        ("2.25.1", "pacs"): "cancelled",
        ("2.25.2", "pacs"): "waiting",
        ("2.25.3", "pacs"): "waiting",
    }
    assert under_way is not None
    assert database.write(lambda tx: outbox.finish(tx, under_way, later(2), 0))


def test_the_oldest_delivery_leaves_first(
    report: Callable[..., Reported], add: Callable[..., bool], claim: Claim, later: Later
) -> None:
    """Each peer gets its reports in the order in which they were made."""
    first, second = report("2.25.1"), report("2.25.2")
    add(second, at=later(-1))
    add(first, at=later(-2))

    assert [delivery.rendition.sop_instance_uid for delivery in iter(claim, None)] == ["2.25.1", "2.25.2"]
