"""Stored instances and their studies on both databases."""

from collections.abc import Callable
from datetime import datetime

import pytest

from node.domain.finding import Admission, Outcome, Reading
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.store.arriving import arrivals, instances
from node.store.arriving.instances import NewCopy, NewInstance
from node.store.database import Database, Transaction
from node.store.disk import paths
from node.store.listing import views
from node.store.listing.listings import Listed
from node.store.tables.choices import InstanceKind
from node.store.working import analyses, findings, queue
from node.store.working.analyses import NewAnalysis, NewRendition
from node.store.working.findings import NewReading
from node.store.working.queue import NewRead
from tests.support.databases.stored import Later

Add = Callable[..., NewInstance]


def _study(database: Database, now: datetime, uid: str = "1.2.3") -> Listed:
    found = database.read(lambda tx: views.study(tx, uid, now=now))
    assert found is not None
    return found


@pytest.fixture
def copy(header: Callable[..., InstanceHeader], now: datetime) -> Callable[..., NewCopy]:
    """Return a function that makes a later copy of the image."""

    def make(path: str = "instances/ab/copy.dcm", reason: str = "", **elements: object) -> NewCopy:
        return NewCopy(header(**elements), path, 1001, "PACS", "PACSNODE", "127.0.0.2", now, reason)

    return make


def test_a_stored_instance_comes_back_as_it_was(database: Database, add_instance: Add) -> None:
    """Header, place, sender and time; and nothing for a UID that is not held."""
    new = database.write(lambda tx: add_instance(tx, patient_name="Müller^Änne", image_type=("DERIVED", "PRIMARY")))

    held = database.read(lambda tx: instances.held(tx, "1.2.3.1"))

    assert held is not None
    assert held.header == new.header
    assert (held.path, held.newest_path, held.size_bytes) == (new.path, new.path, 1000)
    assert (held.calling_ae_title, held.received_at) == ("SCANNER", new.received_at)
    assert held.transfer_syntax_uid == new.header.transfer_syntax_uid
    assert held.kind is InstanceKind.IMAGE
    assert database.read(lambda tx: instances.held(tx, "9.9")) is None


def test_text_that_a_peer_made_up_is_stored_as_text(database: Database, add_instance: Add, now: datetime) -> None:
    """Neither quotes nor characters that a database refuses do harm."""
    name = "Robert'); DROP TABLE studies;--\ud800^<script>"

    database.write(lambda tx: add_instance(tx, patient_name=name, patient_id="\0\0"))

    held = database.read(lambda tx: instances.held(tx, "1.2.3.1"))
    assert held is not None
    assert held.header.patient_name == name
    assert _study(database, now)["patient_name"] == name.replace("\ud800", "?")


def test_images_move_the_times_of_their_study(database: Database, add_instance: Add, later: Later) -> None:
    """The first time stays, the last one moves on, and never back."""
    database.write(lambda tx: add_instance(tx, "1.2.3.1", at=later(0)))
    database.write(lambda tx: add_instance(tx, "1.2.3.2", at=later(20)))
    database.write(lambda tx: add_instance(tx, "1.2.3.3", at=later(10)))

    study = _study(database, later(30))

    assert study["first_received_at"] == later(0).isoformat()
    assert study["last_received_at"] == later(20).isoformat()
    assert study["instances"] == 3


@pytest.mark.parametrize("kind", [InstanceKind.OWN, InstanceKind.OTHER])
def test_what_is_no_image_neither_starts_nor_moves_a_study(
    database: Database, add_instance: Add, later: Later, kind: InstanceKind
) -> None:
    """Our own report that a PACS sends back is stored, and that is all."""
    database.write(lambda tx: add_instance(tx, "7.1", "7", at=later(0), kind=kind))
    database.write(lambda tx: add_instance(tx, "1.2.3.1", at=later(0), patient_name="A"))
    database.write(lambda tx: add_instance(tx, "1.2.3.2", at=later(20), kind=kind, patient_name="B"))

    alone, study = _study(database, later(30), "7"), _study(database, later(30))

    assert (alone["state"], alone["last_received_at"], alone["instances"]) == ("not read", None, 0)
    assert (study["last_received_at"], study["patient_name"]) == (later(0).isoformat(), "A")
    assert (study["instances"], study["other_objects"]) == (1, 1)


def test_instances_of_a_study_come_in_a_fixed_order(database: Database, add_instance: Add) -> None:
    """By series and UID, whatever the order in which they came: the report lists them so."""
    for uid, series in (("1.2.3.9", "1.2.3.0"), ("1.2.3.1", "1.2.3.7"), ("1.2.3.5", "1.2.3.0")):
        database.write(lambda tx, uid=uid, series=series: add_instance(tx, uid, series_instance_uid=series))
    database.write(lambda tx: add_instance(tx, "7.1", "7"))

    found = database.read(lambda tx: instances.of_study(tx, "1.2.3"))

    assert [one.header.sop_instance_uid for one in found] == ["1.2.3.5", "1.2.3.9", "1.2.3.1"]


def test_a_revision_counts_from_now_on_and_the_first_copy_stays(
    database: Database, add_instance: Add, copy: Callable[..., NewCopy], now: datetime
) -> None:
    """A PACS that corrects the patient under the old UID: study and report follow, nothing is lost."""
    first = database.write(lambda tx: add_instance(tx, patient_id="1", patient_name="Wrong"))
    revised = copy(patient_id="2", patient_name="Right")

    database.write(lambda tx: instances.add_revision(tx, revised))
    database.write(lambda tx: instances.update_header(tx, "1.2.3.1", revised.header, path=revised.path))

    held = database.read(lambda tx: instances.held(tx, "1.2.3.1"))
    assert held is not None
    assert held.header == revised.header
    assert (held.path, held.newest_path) == (first.path, revised.path)
    assert database.read(lambda tx: instances.newest_path(tx, "1.2.3.1")) == revised.path
    study = _study(database, now)
    assert (study["patient_id"], study["patient_name"]) == ("2", "Right")
    assert [(one["kind"], one["path"]) for one in study["copies"]] == [("revision", revised.path)]


def test_a_correction_may_move_an_instance_to_another_study(
    database: Database, add_instance: Add, copy: Callable[..., NewCopy], now: datetime
) -> None:
    """The new study is there with it, its readings and its jobs; the old one without."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        queue.enqueue_reads(tx, [NewRead("1.2.3.1", "1.2.3", "starter")], now)
        findings.put_all(tx, [NewReading("starter", "1", Reading(SOPInstanceUID("1.2.3.1"), Admission(True)))])

    database.write(fill)
    moved = copy(study_uid="5")

    database.write(lambda tx: instances.update_header(tx, "1.2.3.1", moved.header))

    there, left = _study(database, now, "5"), _study(database, now)
    assert (there["instances"], len(there["readings"]), len(there["jobs"])) == (1, 1, 1)
    assert (left["instances"], len(left["readings"]), len(left["jobs"])) == (0, 0, 0)


def test_every_file_that_a_row_refers_to_is_known(
    database: Database, add_instance: Add, copy: Callable[..., NewCopy]
) -> None:
    """First copies, revisions and quarantined ones; whatever else lies there was never acknowledged."""
    first = database.write(add_instance)
    database.write(lambda tx: instances.add_revision(tx, copy("instances/ab/revised.dcm")))
    database.write(lambda tx: instances.update_header(tx, "1.2.3.1", first.header, path="instances/ab/newer.dcm"))

    known = database.read(lambda tx: [one.path for one in paths.in_order(tx)])

    assert known == sorted({first.path, "instances/ab/revised.dcm", "instances/ab/newer.dcm"})


def test_a_quarantined_copy_changes_nothing_but_the_list_of_copies(
    database: Database, add_instance: Add, copy: Callable[..., NewCopy], now: datetime
) -> None:
    """Other pixels under the same UID wait for an operator."""
    first = database.write(lambda tx: add_instance(tx, patient_name="First"))

    database.write(
        lambda tx: instances.add_quarantined(tx, copy("quarantine/x.dcm", "other pixels", patient_name="Second"))
    )

    held = database.read(lambda tx: instances.held(tx, "1.2.3.1"))
    assert held is not None
    assert (held.header, held.newest_path) == (first.header, first.path)
    (kept,) = _study(database, now)["copies"]
    assert (kept["kind"], kept["reason"], kept["path"]) == ("quarantined", "other pixels", "quarantine/x.dcm")


def test_our_own_reports_are_known_by_their_uid(database: Database, add_instance: Add, now: datetime) -> None:
    """So that a PACS that forwards them back starts no loop."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        new = NewAnalysis(StudyInstanceUID("1.2.3"), "starter", "1", Outcome.NEGATIVE, "d", "c", "k", now)
        rendition = NewRendition("1", SOPInstanceUID("2.25.1"), SeriesInstanceUID("2.25.2"), "1.2", b"")
        analyses.add_rendition(tx, analyses.add(tx, new), rendition)

    database.write(fill)

    known = database.read(lambda tx: arrivals.known_among(tx, ["2.25.1", "1.2.3.1"]))

    assert (known.own, known.held) == ({"2.25.1"}, {"1.2.3.1"})
