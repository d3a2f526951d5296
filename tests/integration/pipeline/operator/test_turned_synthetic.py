"""A study that turns synthetic after it was reported: who is told, and which copies and objects count."""

import io
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import JPEG2000Lossless
from structlog.testing import capture_logs

from node import app
from node.dicom.samples.wrap import as_file, wrap_as_dx
from node.domain.rule import Rule
from node.network.incoming import IncomingInstance
from node.network.scu import StoreAnswer
from node.pipeline.delivery.settle import Settling
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from tests.support.houses.house import PIXELS, SUBJECT, House, incoming, radiograph
from tests.support.houses.line import PACS, TEST_PACS, Line

TURNED = "study turned synthetic; a report stands at pacs"
RAW_DATA = "1.2.840.10008.5.1.4.1.1.66"


def _synthetic(pixels: "np.ndarray[Any, Any]" = PIXELS, **changed: Any) -> IncomingInstance:
    """Return the radiograph of these tests, marked as synthetic, with other elements changed."""
    dataset = dcmread(io.BytesIO(wrap_as_dx(pixels, SUBJECT)))
    dataset.SyntheticData = "YES"
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return incoming(as_file(Dataset(dataset)))


def _sent_to_all(house: House) -> Line:
    """Return a line whose report about a real study stands at the real peer and at the test peer."""
    line = Line(house, (PACS, TEST_PACS))
    house.receive(radiograph())
    line.report()
    house.execute("UPDATE deliveries SET state = 'done'")
    return line


def _events(line: Line) -> list[str]:
    return [entry["event"] for entry in line.study()["timeline"]]


@pytest.mark.parametrize(
    "brings",
    [
        _synthetic(),
        _synthetic(SOPInstanceUID="1.2.3.1.2"),
        replace(_synthetic(), transfer_syntax_uid=JPEG2000Lossless),
        _synthetic(PIXELS[::-1]),
    ],
    ids=["a revision", "another image", "another transfer syntax", "other pixels"],
)
def test_a_report_that_stands_at_a_real_peer_is_told(house: House, brings: IncomingInstance) -> None:
    """In the timeline and in the log, once, and only for the peer that may not have it; the report is made again."""
    line = _sent_to_all(house)
    with capture_logs() as logged:
        house.receive(brings)
        house.receive(brings)
    assert [event for event in _events(line) if event.startswith("study turned")] == [TURNED]
    warnings = [entry for entry in logged if entry["event"] == "report on a synthetic study stands at a real peer"]
    assert [(entry["peer"], entry["log_level"]) for entry in warnings] == [("pacs", "warning")]
    assert line.study()["synthetic"]
    assert line.report() == 1
    assert line.reports()[-1].SyntheticData == "YES"


def test_a_report_that_arrives_after_its_study_turned_is_told_too(house: House) -> None:
    """It had left already: the answer of the peer comes last."""
    line = Line(house, (PACS, TEST_PACS))
    house.receive(radiograph())
    line.report()
    house.receive(_synthetic())
    assert TURNED not in _events(line)
    for peer in line.peers:
        delivery = line.claim_delivery()
        assert delivery is not None
        settling = Settling(house.database, peer, {"test-pacs"}, house.clock, random.Random(1))
        settling.by_answer(delivery, StoreAnswer(0x0000, ""))
    assert [event for event in _events(line) if event.startswith("study turned")] == [TURNED]


def test_a_report_that_a_test_peer_alone_holds_is_nothing_to_tell(house: House) -> None:
    """Such peers are for that."""
    line = Line(house, (TEST_PACS,))
    house.receive(radiograph())
    line.report()
    house.execute("UPDATE deliveries SET state = 'done'")
    house.receive(_synthetic())
    assert not [event for event in _events(line) if event.startswith("study turned")]


def test_the_timeline_says_which_copy_brought_the_mark(house: House) -> None:
    """A revision, as well as one that is only quarantined."""
    line = Line(house)
    for came in (radiograph(), _synthetic(), _synthetic(PIXELS[::-1])):
        house.receive(came)
    said = {entry["event"]: entry["detail"].get("synthetic") for entry in line.study()["timeline"]}
    assert said == {"instance stored": None, "revision stored": True, "instance quarantined": True}


@pytest.mark.parametrize(
    "changed",
    [
        {"SOPInstanceUID": "1.2.3.9", "PixelData": b"", "SOPClassUID": RAW_DATA},
        {"SOPInstanceUID": "1.2.3.9", "BodyPartExamined": "HAND"},
    ],
    ids=["no pixels", "turned away"],
)
def test_an_object_that_is_not_read_makes_no_study_synthetic(house: House, changed: dict[str, Any]) -> None:
    """It is noted, and real peers get the results about the images that are read."""
    house.rules = {"starter": Rule(age_years=(1, 5), body_parts=("CHEST",))}
    line = Line(house, (PACS, TEST_PACS))
    house.receive(radiograph())
    house.receive(_synthetic(**changed))
    line.report()
    study = line.study()
    assert not study["synthetic"]
    assert {(delivery["peer"], delivery["state"]) for delivery in study["deliveries_made"]} == {
        ("pacs", "waiting"),
        ("test-pacs", "waiting"),
    }
    (noted,) = [entry["detail"]["synthetic"] for entry in study["timeline"] if "synthetic" in entry["detail"]]
    assert "does not turn synthetic" in noted
    assert {row["sop_instance_uid"]: row["synthetic"] for row in study["objects"]} == {
        "1.2.3.1.1": False,
        "1.2.3.9": True,
    }


def _forget(house: House) -> None:
    """Leave the rows as a version stored them that did not know the element."""
    silent = "json_remove(header, '$.synthetic')"
    if not house.url.startswith("sqlite"):
        silent = "(header::jsonb - 'synthetic')::json"
    house.execute(f"UPDATE instances SET synthetic = false, header = {silent}")  # noqa: S608 - no value of anyone


@pytest.mark.parametrize("last", [None, "Roe^Jane"], ids=["the only copy", "an earlier copy"])
def test_migrate_asks_the_files_that_an_older_version_stored(house: House, last: str | None) -> None:
    """Once; whatever copy says so, and a report that left meanwhile is told of."""
    line = _sent_to_all(house)
    house.receive(_synthetic())
    if last:
        house.receive(radiograph(patient_name=last))
    _forget(house)
    house.execute("DELETE FROM audit")
    assert not line.study()["synthetic"]
    assert operate.migrate(line.configuration, house.clock()).endswith(
        "; 1 stored instances were asked whether they are synthetic"
    )
    study = line.study()
    assert study["synthetic"]
    assert [row["header_synthetic"] for row in study["objects"]] == [last is None]
    assert TURNED in _events(line)
    assert operate.migrate(line.configuration, house.clock()).endswith("already")


def test_migrate_leaves_what_a_missing_file_cannot_say(house: House) -> None:
    """It counts as real, and is asked again once the file is back."""
    line = Line(house)
    house.receive(_synthetic())
    _forget(house)
    ((path,),) = house.rows("SELECT path FROM instances")
    away = (house.folder / path).rename(house.folder / "away")
    assert operate.migrate(house.settings(), house.clock()).endswith("already")
    assert not line.study()["synthetic"]
    away.rename(house.folder / path)
    operate.migrate(house.settings(), house.clock())
    assert line.study()["synthetic"]


def test_a_start_asks_what_an_interrupted_migration_left(house: House) -> None:
    """Before any association is accepted or any report leaves."""
    line = _sent_to_all(house)
    house.receive(_synthetic())
    _forget(house)
    with app.opened_node(house.settings()) as node:
        node.start()
        node.drain(5)
    assert line.study()["synthetic"]


def test_the_operator_reads_where_a_report_stands_and_which_copy_said_so(house: House) -> None:
    """In the study's text and JSON, and in the listings."""
    line = _sent_to_all(house)
    house.receive(_synthetic())
    study = operate.study(line.configuration, "1.2.3", house.clock())
    assert study["standing"] == ["pacs"]
    said = explain(study)
    assert "A report about this synthetic study stands at pacs" in said
    assert "(0008,001C) of an image is YES" in said
    house.receive(radiograph(patient_name="Roe^Jane"))
    said = explain(operate.study(line.configuration, "1.2.3", house.clock()))
    assert "an earlier copy said YES" in said
    assert "is YES" not in said
    (row,) = operate.instances(line.configuration)
    assert (row["synthetic"], row["header_synthetic"]) == (True, False)
    assert "synthetic" in operate.STUDIES_COLUMNS
    assert operate.studies(line.configuration, house.clock())[0]["synthetic"] is True


def test_a_real_study_stands_nowhere_wrongly(house: House) -> None:
    """Its report is where it belongs."""
    line = _sent_to_all(house)
    study = operate.study(line.configuration, "1.2.3", house.clock())
    assert study["standing"] == []
    assert "ynthetic" not in explain(study).split("Timeline")[0]
