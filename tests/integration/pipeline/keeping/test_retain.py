"""Retention: what goes, what stays, and what a kill or a second copy makes of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from node.config import StorageSettings
from node.dicom.instance.part10 import preamble_and_meta
from node.domain.errors import OperatorError
from node.network.incoming import IncomingInstance
from node.pipeline.keeping.retain import DailyRetention, Retention, outlook, retain
from node.store.arriving import instances
from node.store.keeping import retention
from node.store.sending import outbox
from node.store.tables.choices import Commitment
from tests.support.houses.house import PIXELS, House, radiograph
from tests.support.houses.line import Line

_DAY_S = 86_400


def _retention(house: House, **storage: int) -> Retention:
    return Retention(house.database, house.files, StorageSettings(**storage), house.clock)


def _reported(house: House, study: str = "1.2.3", *numbers: int) -> Line:
    """Receive a study and bring it to the end of all work; its report counts as sent."""
    line = Line(house)
    for number in numbers or (1,):
        house.receive(radiograph(study_instance_uid=study, sop_instance_uid=f"{study}.1.{number}"))
    line.report()
    while (delivery := line.claim_delivery()) is not None:
        now = house.clock()
        house.database.write(lambda tx, delivery=delivery, now=now: outbox.finish(tx, delivery, now, 0))
    return line


def _run(retaining: Retention) -> int:
    removed = [retaining.remove(study) for study in retaining.removable()]
    return sum(one is not None for one in removed)


def _kept(house: House) -> list[str]:
    return list(house.files.kept())


def test_files_go_once_a_study_is_old_enough_and_rows_stay(house: House) -> None:
    """The report's bytes and identities too; the timeline says it."""
    line = _reported(house, "1.2.3", 1, 2)
    retaining = _retention(house, keep_days=30)
    house.clock.forward(29 * _DAY_S)
    assert _run(retaining) == 0
    assert len(_kept(house)) == 2
    house.clock.forward(2 * _DAY_S)
    assert _run(retaining) == 1
    assert _kept(house) == []
    assert not any((house.folder / "instances").glob("*/*"))
    study = line.study()
    assert [entry["detail"]["files"] for entry in study["timeline"] if entry["event"] == "files removed"] == [2]
    assert [one["removed_at"] for one in study["objects"]] == [house.clock().isoformat()] * 2
    assert len(line.reports()) == len(study["analyses"]) == 1
    assert _run(retaining) == 0


def _waiting_read(house: House, _line: Line) -> None:
    house.execute("UPDATE jobs SET state = 'waiting' WHERE kind = 'read'")


def _buried_read(house: House, _line: Line) -> None:
    house.execute("UPDATE jobs SET state = 'buried' WHERE kind = 'read'")


def _held_delivery(house: House, _line: Line) -> None:
    house.execute("UPDATE deliveries SET state = 'held'")


def _uncommitted(house: House, _line: Line) -> None:
    house.execute(f"UPDATE deliveries SET commitment = '{Commitment.ASKED}'")  # noqa: S608 - a word of our own


def _quarantined(house: House, _line: Line) -> None:
    house.receive(radiograph(PIXELS[::-1].copy()))


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_waiting_read, "work on it waits, runs, or was given up"),
        (_buried_read, "work on it waits, runs, or was given up"),
        (_held_delivery, "a result has not reached its peer"),
        (_uncommitted, "a peer is asked to commit to a result"),
        (_quarantined, "a copy in quarantine contradicts an image of it"),
    ],
)
def test_what_is_not_done_with_stays_however_old(
    house: House, happens: Callable[[House, Line], None], reason: str
) -> None:
    """And a listing says why."""
    line = _reported(house)
    happens(house, line)
    house.clock.forward(400 * _DAY_S)
    retaining = _retention(house, keep_days=30)
    assert retaining.removable() == []
    assert [why for _, why in retaining.kept()] == [reason]
    study = retaining.kept()[0][0]
    assert retaining.remove(study) is None
    assert len(_kept(house)) >= 1


def test_a_dry_run_says_what_would_go_and_removes_nothing(house: House) -> None:
    """Row by row, as the run itself says it."""
    _reported(house)
    now = house.clock.now + timedelta(days=31)
    (would,) = retain(house.settings(storage={"keep_days": 30}), lambda: now, dry_run=True)
    assert (would["action"], would["instances"], would["reason"]) == ("to be removed", 1, "")
    assert len(_kept(house)) == 1
    (did,) = retain(house.settings(storage={"keep_days": 30}), lambda: now, dry_run=False)
    assert did == would | {"action": "removed"}
    assert _kept(house) == []
    with pytest.raises(OperatorError, match="keep_days = 0: files stay for ever"):
        list(retain(house.settings(storage={"keep_days": 0}), lambda: now, dry_run=True))


def test_a_check_says_what_the_next_run_will_find(house: House) -> None:
    """So that nobody is surprised by a first day."""
    _reported(house)
    now = house.clock.now + timedelta(days=31)
    assert outlook(house.database, StorageSettings(keep_days=30), house.clock.now) is None
    assert outlook(house.database, StorageSettings(keep_days=0), now) is None
    said = outlook(house.database, StorageSettings(keep_days=30), now)
    assert said is not None
    assert said.startswith("the files of 1 studies (0 MB) are older than 30 days and go: ")


def _told(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["study_instance_uid"], row["action"], row["reason"]


def test_with_a_target_of_space_the_oldest_go_until_it_is_met(house: House) -> None:
    """And never what is younger than keep_days; what stays for that is told."""
    for study in ("1.2.1", "1.2.2", "1.2.3"):
        _reported(house, study)
        house.clock.forward(10)
    house.execute("UPDATE instances SET size_bytes = 1000000")
    house.clock.forward(31 * _DAY_S)
    rows = list(retain(house.settings(storage={"keep_days": 30, "max_used_mb": 2}), house.clock, dry_run=False))
    met = "no more than max_used_mb = 2 is used without it"
    rest = [("1.2.2", "kept", met), ("1.2.3", "kept", met)]
    assert [_told(row) for row in rows] == [("1.2.1", "removed", ""), *rest]
    again = retain(house.settings(storage={"keep_days": 30, "max_used_mb": 2}), house.clock, dry_run=False)
    assert [_told(row) for row in again] == rest
    assert list(retain(house.settings(storage={"keep_days": 60, "max_used_mb": 1}), house.clock, dry_run=False)) == []


def test_the_daily_run_ends_and_comes_again_the_next_day(house: House) -> None:
    """A few studies at a time, the first not at once after a start."""
    for number in range(1, 4):
        _reported(house, f"1.2.{number}")
    house.clock.forward(31 * _DAY_S)
    daily = DailyRetention(_retention(house, keep_days=30), house.clock)
    assert daily.next_due() == house.clock() + timedelta(minutes=10)
    while (studies := daily.claim()) is not None:
        daily.handle(studies)
    assert _kept(house) == []
    assert daily.next_due() == house.clock() + timedelta(days=1)


def test_a_kill_between_rows_and_files_leaves_files_that_the_next_start_removes(house: House) -> None:
    """They are not adopted, and nothing is missing."""
    line = _reported(house, "1.2.3", 1, 2)
    house.clock.forward(31 * _DAY_S)
    before = house.clock() - timedelta(days=30)
    assert house.database.write(lambda tx: retention.remove(tx, "1.2.3", before, house.clock())) is not None
    found = house.recovery.run()
    assert (found.removed, found.adopted, found.missing, found.set_aside) == (2, 0, 0, 0)
    assert _kept(house) == []
    assert line.read() == 0
    assert house.recovery.run().removed == 0


def part10_file(came: IncomingInstance) -> bytes:
    """Return an instance as the file that a receiver keeps of it."""
    meta = preamble_and_meta(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid)
    return meta + came.dataset


def _removed(house: House, *numbers: int) -> Line:
    line = _reported(house, "1.2.3", *numbers)
    house.clock.forward(31 * _DAY_S)
    assert _run(_retention(house, keep_days=30)) == 1
    return line


def test_a_removed_instance_that_comes_again_is_stored_again_and_not_read_again(house: House) -> None:
    """It is what it was; its study is young from now on, and nothing new is reported."""
    line = _removed(house)
    assert house.receive(radiograph()) == 0x0000
    assert len(_kept(house)) == 1
    held = house.database.read(lambda tx: instances.held(tx, "1.2.3.1.1"))
    assert held is not None
    assert (held.removed_at, held.newest_path) == (None, _kept(house)[0])
    assert (line.read(), line.report()) == (0, 0)
    assert len(line.reports()) == 1
    assert _run(_retention(house, keep_days=30)) == 0
    assert "instance stored again" in [entry["event"] for entry in line.study()["timeline"]]
    assert house.recovery.run().missing == 0
    assert house.receive(radiograph()) == 0x0000
    assert len(_kept(house)) == 1


def test_a_kill_before_the_row_of_one_that_came_again_is_made_good_by_the_next_start(house: House) -> None:
    """Its file lies there, and its row says that it is gone: it is adopted, as any that came whole."""
    line = _removed(house)
    came = radiograph()
    part = house.files.open_part()
    part.write([part10_file(came)])
    path = house.files.keep(part, "1.2.3", came.sop_instance_uid)
    found = house.recovery.run()
    assert (found.adopted, found.removed, found.missing) == (1, 0, 0)
    held = house.database.read(lambda tx: instances.held(tx, came.sop_instance_uid))
    assert held is not None
    assert (held.removed_at, held.newest_path) == (None, path)
    assert line.read() == 0
    assert house.recovery.run().missing == 0


def test_one_that_comes_again_with_another_patient_is_read_again_and_reported(house: House) -> None:
    """The correction came after the files were gone: a corrected report, never quarantine."""
    line = _removed(house)
    assert house.receive(radiograph(patient_id="ID2", patient_name="Roe^Jane")) == 0x0000
    house.clock.forward(61)
    assert (line.read(), line.compose()) == (1, 1)
    assert [report.PatientID for report in line.reports()] == ["ID1", "ID2"]


def test_a_late_image_of_a_removed_study_makes_a_report_of_all_images(house: House) -> None:
    """What was read of those whose files are gone still counts."""
    line = _removed(house, 1, 2)
    house.receive(radiograph(sop_instance_uid="1.2.3.1.3"))
    line.report()
    (*_, latest) = line.study()["analyses"]
    assert latest["findings"][0]["assessed"] == 3
    (*_, report) = line.reports()
    (of_study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert len(of_study.ReferencedSeriesSequence[0].ReferencedSOPSequence) == 3


def test_a_version_that_has_not_read_them_says_so_of_removed_images(house: House) -> None:
    """They cannot be read again, and are not said to be anything."""
    line = _removed(house)
    served = line.catalogue.served("starter")
    newer = replace(served, identity=replace(served.identity, version="2.0.0", device_uid="2.25.77"))
    line.catalogue._served["starter"] = newer
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.report()
    (*_, report) = line.reports()
    parts = (part for part in report.ContentSequence if "ContentSequence" in part)
    texts = [str(item.TextValue) for part in parts for item in part.ContentSequence if "TextValue" in item]
    assert any("(images assessed: 1 of 2)." in text for text in texts)


def test_a_study_of_which_an_image_comes_at_that_moment_stays(house: House) -> None:
    """The rows are asked again under their lock."""
    line = _reported(house)
    house.clock.forward(31 * _DAY_S)
    retaining = _retention(house, keep_days=30)
    (study,) = retaining.removable()
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    assert retaining.remove(study) is None
    assert len(_kept(house)) == 2
    assert line.study()["instances"] == 2


def test_a_target_of_space_needs_an_age() -> None:
    """A node that may remove everything at once is a slip of the finger."""
    with pytest.raises(ValueError, match="max_used_mb needs keep_days"):
        StorageSettings(keep_days=0, max_used_mb=10)
