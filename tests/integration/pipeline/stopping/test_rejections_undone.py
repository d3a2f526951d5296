"""Rejection notes that were corrected, undone or retried, that come while a report is made, and a clock set back."""

import random
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest

from node.app.deliver_loops import deliver_loops
from node.domain.errors import OperatorError
from node.domain.rejection import Named, RejectionCode
from node.pipeline.checks import stop_checks
from node.pipeline.delivery import delivery_standing, leaving
from node.pipeline.operator.operate import study
from node.pipeline.operator.study_text import explain
from node.pipeline.stopping import control, undo_rejections
from node.store.database import Transaction
from node.store.listing import control_views
from node.store.sending import outgoing
from node.store.stopping import rejecting, rejection_notes
from tests.support.houses.house import House, incoming, radiograph
from tests.support.houses.line import PACS, Line, negative, positive
from tests.support.houses.rejecting import TAKING, apply, count_as_sent, kinds, note
from tests.support.objects.notes import code as coded
from tests.support.objects.notes import file_of, key_objects, rejection_file
from tests.test_docs import documented_json_keys

FIRST, SECOND, NOTE = "1.2.3.1.1", "1.2.3.1.2", "1.2.99.1"
ON_POSTGRESQL = pytest.mark.database("postgresql")  # the other has one writer


def _two_images(house: House) -> Line:
    line = Line(house, [TAKING], says=lambda uid: positive(uid) if uid == SECOND else negative(uid))
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    house.clock.forward(61)
    line.read()
    return line


def _reject(house: House, tx: Transaction) -> None:
    named = [Named("1.2.3", SECOND)]  # type: ignore[arg-type]
    rejection_notes.put(tx, NOTE, RejectionCode.PATIENT_SAFETY, named, "PACS", house.clock())
    rejecting.end_work(tx, NOTE, RejectionCode.PATIENT_SAFETY, house.clock())


def _in_between(house: House, end: Callable[[], object]) -> threading.Thread:
    """Apply a note in a transaction that ends once `end` has returned; return once it is applied."""
    applied = threading.Event()

    def work(tx: Transaction) -> None:
        _reject(house, tx)
        applied.set()
        end()

    thread = threading.Thread(target=lambda: house.database.write(work))
    thread.start()
    assert applied.wait(20)
    return thread


@ON_POSTGRESQL
def test_a_note_that_ends_while_a_report_is_made_does_not_lose_the_report(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report that it meets is not kept, and the study is composed without the image."""
    line, may_end = _two_images(house), threading.Event()
    house.receive(incoming(rejection_file("113037", [SECOND]), "PACS"))
    thread = _in_between(house, lambda: may_end.wait(20))
    import tests.support.houses.line as made_by  # noqa: PLC0415

    real = made_by._written_once

    def late(*given: object) -> bytes:
        may_end.set()
        thread.join()
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(made_by, "_written_once", late)
    composed = line.compose()
    may_end.set()
    thread.join()
    assert composed == 2, [(job["kind"], job["state"], job["last_error"]) for job in line.study()["jobs"]]
    assert line.study()["outcomes"] == {"starter": "negative"}
    assert kinds(line) == [("report", "waiting")]


@ON_POSTGRESQL
def test_a_report_is_not_settled_while_a_note_on_its_study_is_applied(house: House) -> None:
    """Otherwise neither would see the other, and the report would be cancelled later for good."""
    line = _two_images(house)
    house.receive(incoming(rejection_file("113037", [SECOND]), "PACS"))
    composing = threading.Thread(target=line.compose)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    def until_it_waits_or_is_done() -> None:
        composing.start()
        for _ in range(2000):
            if not composing.is_alive() or house.rows(waits) != [(0,)]:
                return
            composing.join(0.01)

    _in_between(house, until_it_waits_or_is_done).join()
    composing.join()
    line.compose()
    assert line.study()["outcomes"] == {"starter": "negative"}
    assert SECOND not in str(line.reports())


def test_a_clock_set_back_does_not_let_a_rejected_image_pass(house: House) -> None:
    """What came first is told without the clock: a report made before the note is taken back."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    house.clock.forward(61)
    line.read()
    house.clock.forward(-50)
    house.execute("UPDATE jobs SET due_at = '2026-01-01 00:00:00+00:00'")
    assert line.compose() == 1
    count_as_sent(house, line)
    house.clock.forward(-30)
    note(house, "113037", [FIRST])
    assert sorted(kinds(line)) == [("rejection_note", "waiting"), ("report", "done")]
    assert [one["rejection_note"] for one in line.study()["untrue_reports"]] == ["waiting"]


def test_a_late_image_that_is_rejected_does_not_make_an_older_report_untrue(house: House) -> None:
    """It was not in it."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    house.receive(radiograph(sop_instance_uid=SECOND))
    note(house, "113037", [SECOND])
    assert line.study()["untrue_reports"] == []
    assert kinds(line) == [("report", "waiting")]


def test_a_note_that_was_corrected_under_its_uid_is_read_again(house: House) -> None:
    """One that was refused, and one that names another image by now."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    house.receive(radiograph(sop_instance_uid=SECOND))
    house.receive(incoming(file_of(key_objects(coded("113037"), [])), "PACS"))
    apply(house)
    assert house.receive(incoming(rejection_file("113039", [FIRST]), "PACS")) == 0x0000
    assert apply(house) == 1
    assert house.receive(incoming(rejection_file("113037", [FIRST, SECOND]), "PACS")) == 0x0000
    assert apply(house) == 1
    assert line.report() == 0
    (told,) = house.database.read(control_views.rejections)
    assert (told["state"], told["error"], told["code_value"]) == ("applied", "", "113037")
    assert {one["code_value"] for one in told["instances"]} == {"113037"}


def test_a_wrong_note_is_undone(house: House) -> None:
    """Its image counts again, and a new report follows the one that was taken back."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    count_as_sent(house, line)
    note(house, "113037", [FIRST])
    count_as_sent(house, line)
    assert "1 studies" in undo_rejections.undo(house.settings(), NOTE, "ada", house.clock())
    assert line.compose() == 1
    assert kinds(line) == [("report", "done"), ("rejection_note", "done"), ("report", "waiting")]
    assert line.claim_delivery() is not None
    assert line.study()["rejected"] == 0
    (told,) = house.database.read(control_views.rejections)
    assert (told["state"], told["instances"][0]["undone_by"]) == ("undone", "ada")
    assert set(told["instances"][0]) >= {"undone_at"}
    assert "rejection undone" in [entry["event"] for entry in line.study()["timeline"]]
    assert "undone by ada" in explain(study(house.settings(), "1.2.3", house.clock()))
    with pytest.raises(OperatorError, match="was undone already"):
        undo_rejections.undo(house.settings(), NOTE, "ada", house.clock())
    undo_rejections.retry(house.settings(), NOTE, "ada", house.clock())
    apply(house)
    assert line.study()["rejected"] == 1


def test_an_image_that_came_after_its_note_is_read_once_the_note_is_undone(house: House) -> None:
    """No model had been asked."""
    line = Line(house)
    note(house, "113038", [FIRST])
    house.receive(radiograph())
    undo_rejections.undo(house.settings(), NOTE, "ada", house.clock())
    assert (line.report(), kinds(line)) == (1, [("report", "waiting")])
    assert [one["turned_away"] for one in line.study()["objects"] if one["kind"] == "image"] == [{}]


def test_a_note_that_nobody_can_read_is_dismissed(house: House) -> None:
    """Then `check` says nothing of it."""
    house.receive(incoming(file_of(key_objects(coded("113038"), [])), "PACS"))
    apply(house)
    assert house.database.read(rejection_notes.count_refused) == 1
    assert "dismissed" in undo_rejections.undo(house.settings(), NOTE, "ada", house.clock())
    assert house.database.read(rejection_notes.count_refused) == 0
    with pytest.raises(OperatorError, match="no rejection note"):
        undo_rejections.undo(house.settings(), "1.2.5", "ada", house.clock())


def test_what_stands_untrue_or_waits_for_nobody_is_said_by_check(house: House) -> None:
    """Reports that no note takes back, and deliveries to a peer that is gone from the configuration."""
    line = Line(house, [PACS, PACS.model_copy(update={"name": "gone"})])
    house.receive(radiograph())
    line.report()
    house.execute("UPDATE deliveries SET state = 'done' WHERE peer = 'pacs'")
    plain = TAKING.model_copy(update={"takes_rejection_notes": False})
    settings = house.settings().model_copy(update={"peers": [plain]})
    assert {one.peer for one in delivery_standing.troubles(settings, house.database, house.clock())} == {"gone"}
    assert house.database.read(outgoing.peers_awaited) == {"gone"}
    house.receive(incoming(rejection_file("113037", [FIRST]), "PACS"))
    house.database.write(lambda tx: rejection_notes.put(tx, NOTE, RejectionCode.QUALITY, NAMED, "PACS", house.clock()))
    said = [line for line in stop_checks.lines(house.database) if line.subject == "deliveries to pacs"]
    assert ["1 reports there rest on rejected images" in line.text for line in said] == [True]


def test_a_peer_that_only_takes_notes_has_a_courier_and_a_table_names_what_stands_where(house: House) -> None:
    """It got reports once, and what takes them back is not to wait for ever."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    count_as_sent(house, line)
    note(house, "113037", [FIRST])
    (row,) = control.in_short(house.database.read(control_views.rejections))
    (report,) = line.study()["untrue_reports"]
    assert row["instances"] == ["1 of study 1.2.3"]
    assert row["delivered"] == [f"{report['sop_instance_uid']} at pacs: note waiting"]
    house.execute("DELETE FROM deliveries")
    settings = house.settings().model_copy(update={"peers": [TAKING.model_copy(update={"gets": ()})]})
    keys = {"settings": settings, "database": house.database, "clock": house.clock, "jitter": random.Random(1)}
    loops = list(deliver_loops(SimpleNamespace(**keys, worker=str)))  # type: ignore[arg-type]
    assert [loop.name for loop in loops] == ["deliver-pacs"]


def test_a_result_that_is_seconds_old_is_said_to_be() -> None:
    """And not 0 min."""
    assert leaving._spelled(timedelta(seconds=45)) == "45 s"
    assert leaving._spelled(timedelta(seconds=61)) == "1 min"


NAMED = [Named("1.2.3", FIRST)]  # type: ignore[arg-type]


def test_holds_that_ended_are_listed_and_stand_in_the_timelines_of_what_they_kept_back(house: House) -> None:
    """Also of a report that was composed while one was in force."""
    line = Line(house)
    control.hold(house.settings(), "", "odd scores", "ada", house.clock())
    house.receive(radiograph())
    line.report()
    (waiting,) = study(house.settings(), "1.2.3", house.clock.now)["deliveries_made"]
    house.clock.forward(100_000)
    assert study(house.settings(), "1.2.3", house.clock())["deliveries_made"][0]["overdue"] is False
    control.release(house.settings(), "", "eve", house.clock(), discard=False)
    events = [
        entry for entry in line.study()["timeline"] if entry["event"] in ("delivery held back", "delivery released")
    ]
    assert [entry["detail"]["by"] for entry in events] == ["ada", "eve"]
    (told,) = control.holds_placed(house.settings())
    assert (told["held_by"], told["released_by"], told["released_how"]) == ("ada", "eve", "sent")
    assert list(told) == documented_json_keys("holds")
    assert waiting["sop_instance_uid"] in explain(study(house.settings(), "1.2.3", house.clock()))
