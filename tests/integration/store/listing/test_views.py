"""The operator's listings: documented keys, plain values, true states."""

import json
import random
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from node.domain.finding import Admission, Outcome, Reading
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.lifecycle import State
from node.store.arriving import instances
from node.store.arriving.instances import NewCopy
from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.listing.listings import Listed
from node.store.sending import outbox
from node.store.tables.choices import JobKind
from node.store.working import analyses, findings, job_claims, queue
from node.store.working.analyses import NewAnalysis, NewRendition
from node.store.working.findings import NewReading
from node.store.working.queue import NewRead
from tests.support.databases.claimed import claim_one
from tests.support.databases.stored import Later

Add = Callable[..., object]


def _report(tx: Transaction, at: datetime, sop_uid: str, peers: tuple[str, ...], outcome: Outcome) -> int:
    new = NewAnalysis(StudyInstanceUID("1.2.3"), "starter", "1", outcome, "d", "c", "k", at)
    analysis_id = analyses.add(tx, new)
    rendition = NewRendition("1", SOPInstanceUID(sop_uid), SeriesInstanceUID("2.25.2"), "1.2", b"bytes")
    rendition_id = analyses.add_rendition(tx, analysis_id, rendition)
    for peer in peers:
        outbox.add(tx, analysis_id, peer, rendition_id, at)
    return analysis_id


def _studies(database: Database, now: datetime) -> list[Listed]:
    return database.read(lambda tx: views.studies(tx, now=now))


@pytest.fixture
def everything(database: Database, add_instance: Add, later: Later) -> None:
    """Store a study with something of every kind."""

    def fill(tx: Transaction) -> None:
        new = add_instance(tx, patient_name="Doe^Jane", patient_id="P1", accession_number="A1")
        queue.enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], later(0))
        queue.schedule_composes(tx, {("1.2.3", "starter"): later(10)})
        header = new.header  # type: ignore[attr-defined]
        instances.add_quarantined(tx, NewCopy(header, "quarantine/x", 1, "A", "B", "127.0.0.1", later(1), "why"))
        findings.put_all(tx, [NewReading("starter", "1", Reading(SOPInstanceUID("1.2.3.1"), Admission(True)))])
        _report(tx, later(2), "2.25.1", ("pacs",), Outcome.NEGATIVE)
        delivery = outbox.claim(tx, later(2), 60, "w", ("pacs",))
        assert delivery is not None
        outbox.fail(tx, delivery, later(3), "no", permanent=True, jitter=random.Random(7), status=0x0124)

    database.write(fill)


@pytest.mark.parametrize("listing", ["studies", "instances", "jobs", "deliveries"])
def test_a_listing_has_the_keys_that_its_docstring_names(
    database: Database, everything: None, later: Later, listing: str
) -> None:
    """No more and no less, and every row can be written as JSON."""
    function = getattr(views, listing)
    extra = {"now": later(5)} if listing == "studies" else {}

    rows = database.read(lambda tx: function(tx, **extra))

    documented = set(re.findall(r"``(\w+)``", function.__doc__))
    assert rows
    assert set(rows[0]) == documented
    json.dumps(rows, allow_nan=False)


def test_the_explanation_of_a_study_has_the_documented_keys(database: Database, everything: None, later: Later) -> None:
    """Also in its parts."""
    explained = database.read(lambda tx: views.study(tx, "1.2.3", now=later(5)))

    assert explained is not None
    parts = ("objects", "copies", "jobs", "deliveries_made", "readings", "analyses", "timeline")
    own = set(re.findall(r"``(\w+)``", str(views.study.__doc__)))
    nested = {key for part in ("copies", "readings", "analyses", "timeline") for row in explained[part] for key in row}
    assert nested | set(parts) | {"rejections", "untrue_reports", "outdated_heat_maps", "labels"} == own
    assert set(explained) - set(parts) - {"rejections", "untrue_reports", "outdated_heat_maps", "labels"} == set(
        _studies(database, later(5))[0]
    )
    assert all(explained[part] for part in parts)
    json.dumps(explained, allow_nan=False)


def test_an_unknown_study_is_none(database: Database, now: datetime) -> None:
    """The caller says so in its own words."""
    assert database.read(lambda tx: views.study(tx, "9.9", now=now)) is None


def test_a_study_shows_where_it_stands(database: Database, add_instance: Add, later: Later) -> None:
    """From the first image to the report, step by step."""

    def state(at: float) -> object:
        return _studies(database, later(at))[0]["state"]

    def claim(at: float) -> job_claims.ClaimedJob:
        job = database.write(lambda tx: claim_one(tx, tuple(JobKind), later(at), 60, "w"))
        assert job is not None
        return job

    database.write(lambda tx: add_instance(tx, turned_away={"other": "modality DX is not in modalities CT"}))
    assert state(0) == "not read"
    database.write(lambda tx: queue.enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], later(0)))
    database.write(lambda tx: queue.schedule_composes(tx, {("1.2.3", "starter"): later(60)}))
    assert state(1) == "receiving"
    read = claim(1)
    assert state(1) == "reading"
    database.write(lambda tx: job_claims.finish(tx, read, later(2)))
    assert state(59) == "receiving"
    assert state(60) == "waiting"
    compose = claim(60)
    assert state(61) == "reading"

    def composed(tx: Transaction) -> None:
        assert job_claims.finish(tx, compose, later(61))
        _report(tx, later(61), "2.25.1", ("pacs", "archive"), Outcome.POSITIVE)

    database.write(composed)
    assert state(62) == "reported"
    (study,) = _studies(database, later(62))
    assert study["outcomes"] == {"starter": "positive"}
    assert study["deliveries"] == {"pacs": "waiting", "archive": "waiting"}
    assert study["turned_away"] == {"other": "modality DX is not in modalities CT"}


def test_a_study_with_a_buried_job_is_shown_as_buried(database: Database, add_instance: Add, later: Later) -> None:
    """Whatever else became of it: somebody must look."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        queue.enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], later(0))
        job = claim_one(tx, tuple(JobKind), later(0), 60, "w")
        assert job is not None
        job_claims.fail(tx, job, later(0), "no", permanent=True, jitter=random.Random(7))
        _report(tx, later(1), "2.25.1", (), Outcome.NOT_ASSESSED)

    database.write(fill)

    assert _studies(database, later(2))[0]["state"] == "buried"


def test_only_the_newest_report_counts_in_the_list(database: Database, add_instance: Add, later: Later) -> None:
    """What became of the older one is in the study's explanation."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        _report(tx, later(0), "2.25.1", ("pacs",), Outcome.NEGATIVE)
        outbox.cancel_waiting(tx, "1.2.3", "starter", "pacs", later(1))
        _report(tx, later(1), "2.25.2", ("archive",), Outcome.POSITIVE)

    database.write(fill)

    (study,) = _studies(database, later(2))
    assert (study["outcomes"], study["deliveries"]) == ({"starter": "positive"}, {"archive": "waiting"})
    explained = database.read(lambda tx: views.study(tx, "1.2.3", now=later(2)))
    assert explained is not None
    assert {one["peer"]: one["state"] for one in explained["deliveries_made"]} == {
        "pacs": "cancelled",
        "archive": "waiting",
    }


def test_a_model_that_read_something_did_not_turn_the_study_away(
    database: Database, add_instance: Add, now: datetime
) -> None:
    """The listing names only models that read nothing of it."""

    def fill(tx: Transaction) -> None:
        add_instance(tx, "1.2.3.1")
        queue.enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], now)
        add_instance(tx, "1.2.3.2", turned_away={"starter": "it has no pixels", "other": "modality"})

    database.write(fill)

    assert _studies(database, now)[0]["turned_away"] == {"other": "modality"}


def test_the_study_that_began_last_comes_first(database: Database, add_instance: Add, later: Later) -> None:
    """And a limit leaves the older ones out."""
    for number in range(5):
        database.write(
            lambda tx, number=number: add_instance(tx, f"{number}.1", str(number), at=later(number), modality="CT")
        )

    listed = database.read(lambda tx: views.studies(tx, 3, now=later(10)))

    assert [study["study_instance_uid"] for study in listed] == ["4", "3", "2"]
    assert [study["modalities"] for study in listed] == [["CT"]] * 3


def test_what_is_settled_is_listed_only_when_asked_for(database: Database, everything: None, later: Later) -> None:
    """The queue shows work, not history."""
    assert [job["state"] for job in database.read(views.jobs)] == ["waiting", "waiting"]
    assert [one["state"] for one in database.read(views.deliveries)] == ["buried"]
    assert database.read(lambda tx: views.jobs(tx, (State.DONE,))) == []
    assert len(database.read(lambda tx: views.jobs(tx, limit=1))) == 1
