"""Readings, analyses, registry, callers and audit on both databases."""

import random
from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy.exc import StatementError

from node.domain.errors import OperatorError
from node.domain.finding import Admission, Anomaly, Code, Finding, Outcome, Reading
from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID
from node.domain.rule import Rule
from node.store import audit
from node.store.arriving import callers
from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import JobKind, Mode
from node.store.working import analyses, findings, job_claims, queue
from node.store.working.analyses import NewAnalysis
from node.store.working.findings import NewReading
from node.store.working.queue import NewRead
from tests.support.databases.claimed import claim_one
from tests.support.databases.stored import Later

PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
LUNG = Code("39607008", "SCT", "Lung")


def _reading(sop_uid: str = "1.2.3.1", probability: float = 0.1 + 0.2) -> Reading:
    return Reading(
        SOPInstanceUID(sop_uid),
        Admission(admitted=True, score=0.25, limit=1.0),
        (Finding("pneumonia", PNEUMONIA, LUNG, probability, 0.5),),
        Anomaly(1.75, 96.0),
    )


def _analysis(now: datetime, version: str = "1", predecessor_id: int | None = None) -> NewAnalysis:
    study = StudyInstanceUID("1.2.3")
    return NewAnalysis(study, "starter", version, Outcome.POSITIVE, "digest", "{}", "key", now, predecessor_id)


def test_readings_come_back_as_they_were_in_the_order_of_the_instances(
    database: Database, add_instance: Callable[..., object]
) -> None:
    """To the last bit, admitted or not, and only those of the asked version."""
    refused = Reading(SOPInstanceUID("1.2.3.2"), Admission(False, PNEUMONIA, "it is no chest", 2.5, 1.0))

    def fill(tx: Transaction) -> None:
        for uid in ("1.2.3.1", "1.2.3.2"):
            add_instance(tx, uid)
        findings.put_all(tx, [NewReading("starter", "1", refused)])
        findings.put_all(tx, [NewReading("starter", "1", _reading())])
        findings.put_all(tx, [NewReading("starter", "2", _reading(probability=0.9))])
        findings.put_all(tx, [NewReading("other", "1", _reading(probability=0.8))])

    database.write(fill)

    assert database.read(lambda tx: findings.of_study(tx, "1.2.3", "starter", "1")) == [_reading(), refused]


def test_reading_again_replaces(database: Database, add_instance: Callable[..., object]) -> None:
    """The same version on the same instance has one reading."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        findings.put_all(tx, [NewReading("starter", "1", _reading(probability=0.1))])
        findings.put_all(tx, [NewReading("starter", "1", _reading(probability=0.2))])

    database.write(fill)

    assert database.read(lambda tx: findings.of_study(tx, "1.2.3", "starter", "1")) == [_reading(probability=0.2)]


def test_a_number_that_is_none_is_refused(database: Database, add_instance: Callable[..., object]) -> None:
    """PostgreSQL would refuse it, and a report could not say it: a fault of the model, found where it is kept."""
    database.write(add_instance)

    unreadable = NewReading("starter", "1", _reading(probability=float("nan")))
    with pytest.raises((StatementError, ValueError), match="JSON compliant"):
        database.write(lambda tx: findings.put_all(tx, [unreadable]))


def test_instances_whose_read_was_given_up_are_told_with_their_error(
    database: Database, add_instance: Callable[..., object], now: datetime
) -> None:
    """The report says of them that they were not assessed, and why."""

    def fill(tx: Transaction) -> None:
        for uid in ("1.2.3.1", "1.2.3.2"):
            add_instance(tx, uid)
            queue.enqueue_reads(tx, [NewRead(uid, "1.2.3", "starter")], now)
        job = claim_one(tx, (JobKind.READ,), now, 60, "w")
        assert job is not None
        job_claims.fail(tx, job, now, "pixels unreadable", permanent=True, jitter=random.Random(7))

    database.write(fill)

    assert database.read(lambda tx: findings.unread(tx, "1.2.3", "starter")) == {"1.2.3.1": "pixels unreadable"}


def test_the_latest_analysis_names_its_predecessor(
    database: Database, add_instance: Callable[..., object], now: datetime
) -> None:
    """Whatever versions made the two."""

    def fill(tx: Transaction) -> tuple[int, int]:
        add_instance(tx)
        first = analyses.add(tx, _analysis(now))
        return first, analyses.add(tx, _analysis(now, "2", first))

    assert database.read(lambda tx: analyses.latest(tx, "1.2.3", "starter")) is None
    first, second = database.write(fill)

    latest = database.read(lambda tx: analyses.latest(tx, "1.2.3", "starter"))
    assert latest is not None
    assert (latest.id, latest.predecessor_id, latest.version) == (second, first, "2")
    assert (latest.outcome, latest.created_at, latest.patient_key) == (Outcome.POSITIVE, now, "key")
    assert database.read(lambda tx: analyses.latest(tx, "1.2.3", "other")) is None


def test_the_configuration_seeds_a_name_once(database: Database) -> None:
    """Afterwards the registry rules, also when the configuration says otherwise."""
    seeded = Registration("starter", "1", "starter", Mode.SHADOW, Rule(age_years=(0.0, 5.0)))
    other = Registration("starter", "2", "elsewhere", Mode.ACTIVE, Rule())

    assert database.write(lambda tx: registry.seed(tx, seeded))
    assert not database.write(lambda tx: registry.seed(tx, other))

    assert database.read(lambda tx: registry.get(tx, "starter")) == seeded
    assert database.read(registry.all) == [seeded]
    assert database.read(lambda tx: registry.get(tx, "unknown")) is None


def test_a_mode_is_changed_by_name(database: Database) -> None:
    """The one before is told, for the audit."""
    database.write(lambda tx: registry.seed(tx, Registration("starter", "1", "starter", Mode.SHADOW, Rule())))

    assert database.write(lambda tx: registry.set_mode(tx, "starter", Mode.ACTIVE)) is Mode.SHADOW

    found = database.read(lambda tx: registry.get(tx, "starter"))
    assert found is not None
    assert found.mode is Mode.ACTIVE


def test_an_unknown_model_is_named_with_those_there_are(database: Database) -> None:
    """So that a slip of the finger is seen at once."""
    database.write(lambda tx: registry.seed(tx, Registration("starter", "1", "starter", Mode.SHADOW, Rule())))

    with pytest.raises(OperatorError, match="no model 'startre'; registered: starter"):
        database.write(lambda tx: registry.set_mode(tx, "startre", Mode.OFF))


def test_a_refused_caller_is_one_row_however_often_it_tries(database: Database, later: Later) -> None:
    """With the first and the last time; another address or reason is another row."""
    for second in range(3):
        database.write(
            lambda tx, second=second: callers.refused(tx, "CT1", "PACSNODE", "10.0.0.5", "not known", later(second))
        )
    database.write(lambda tx: callers.refused(tx, "CT1", "PACSNODE", "10.0.0.6", "not known", later(9)))

    found = database.read(callers.all)

    assert [(one.address, one.times, one.first_at, one.last_at) for one in found] == [
        ("10.0.0.6", 1, later(9), later(9)),
        ("10.0.0.5", 3, later(0), later(2)),
    ]


def test_a_scanner_that_invents_names_does_not_fill_the_database(
    database: Database, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest are kept, the oldest forgotten."""
    monkeypatch.setattr(callers, "_MOST_CALLERS", 10)

    def scan(tx: Transaction) -> None:
        for number in range(25):
            callers.refused(tx, f"X{number}\0", "PACSNODE", "10.0.0.7", "not known", later(number))

    database.write(scan)

    found = [one.calling_ae_title for one in database.read(callers.all)]
    assert found == [f"X{number}\N{REPLACEMENT CHARACTER}" for number in range(24, 14, -1)]


def test_the_timeline_is_in_the_order_of_what_happened(
    database: Database, add_instance: Callable[..., object], later: Later
) -> None:
    """Entries of one moment stay in the order in which they were made."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        audit.add(tx, later(2), "report composed", study_uid="1.2.3", outcome="positive")
        audit.add(tx, later(1), "instance stored", study_uid="1.2.3", sop_uid="1.2.3.1", size_bytes=5)
        audit.add(tx, later(2), "delivery added", study_uid="1.2.3")
        audit.add(tx, later(0), "instance refused", study_uid="no uid " * 50)

    database.write(fill)

    explained = database.read(lambda tx: views.study(tx, "1.2.3", now=later(3)))
    assert explained is not None
    assert [entry["event"] for entry in explained["timeline"]] == [
        "instance stored",
        "report composed",
        "delivery added",
    ]
    assert explained["timeline"][0] == {
        "at": later(1).isoformat(),
        "event": "instance stored",
        "sop_instance_uid": "1.2.3.1",
        "detail": {"size_bytes": 5},
    }
