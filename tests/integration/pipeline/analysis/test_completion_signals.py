"""What says that a study is complete, and what it then says of itself."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from pydicom import Dataset

from node.domain.completion import Signal
from node.network.released import ReleasedAssociation
from node.pipeline.analysis import completion_signals
from node.pipeline.senders import Sender
from node.store.listing import views
from node.store.working import queue
from tests.support.houses.house import House, radiograph, receive
from tests.support.houses.interrupting import Interrupting
from tests.support.houses.line import Line, negative, positive

STUDY = "1.2.3"
NINETEEN_STUDIES = "UPDATE sender_habits SET gaps_s = '[4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4]'"


def _image(number: int, sender: str = "CR1", study: str = STUDY) -> Any:
    uids = {"study_instance_uid": study, "sop_instance_uid": f"{study}.1.{number}"}
    return replace(radiograph(**uids), calling_ae_title=sender)


def _send(house: House, sender: Sender) -> None:
    house.policy = replace(house.policy, senders={"CR1": sender})


def _complete(house: House, signal: Signal) -> None:
    house.database.write(lambda tx: completion_signals.complete(tx, STUDY, signal, house.clock()))


def _lines(line: Line) -> list[dict[str, Any]]:
    return [entry["detail"] for entry in line.study()["timeline"] if entry["event"] == completion_signals.COMPLETE]


def _sources(report: Dataset) -> int:
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    return sum(len(series.ReferencedSOPSequence) for series in study.ReferencedSeriesSequence)


def _due_in(house: House) -> float:
    jobs = house.database.read(lambda tx: views.jobs(tx, study_uid=STUDY))
    (due_at,) = (job["due_at"] for job in jobs if job["kind"] == "compose")
    return (datetime.fromisoformat(due_at) - house.clock()).total_seconds()


@pytest.mark.parametrize("signal", [Signal.COMMITMENT_REQUESTED, Signal.FOUND_AT_PEER])
def test_a_signal_completes_a_study_at_once_and_is_recorded(house: House, signal: Signal) -> None:
    """In its row and in the timeline, with what was waited for; a second one changes nothing."""
    line = Line(house)
    for number in (1, 2):
        house.receive(_image(number))
    line.read()
    house.clock.forward(3)
    assert line.compose() == 0
    _complete(house, signal)
    assert line.compose() == 1
    assert (line.study()["closed_by"], _lines(line)) == (signal, [{"signal": signal, "waited_s": 3.0, "images": 2}])
    _complete(house, signal)
    assert line.compose() == 0


def test_a_study_that_nobody_speaks_for_is_closed_by_its_quiet_period(house: House) -> None:
    """60 s after its newest image; it is open until then."""
    line = Line(house)
    house.receive(_image(1))
    assert line.study()["closed_by"] == ""
    assert line.report() == 1
    assert line.study()["closed_by"] == Signal.QUIET_PERIOD


def test_images_without_end_are_closed_by_the_longest_wait(house: House) -> None:
    """900 s after the first, although the quiet period never ends."""
    line = Line(house)
    for number in range(31):
        house.receive(_image(number + 1))
        house.clock.forward(30)
    line.read()
    assert line.compose() == 1
    assert line.study()["closed_by"] == Signal.LONGEST_WAIT


def test_an_operator_completes_what_waits_and_nothing_else(house: House) -> None:
    """The timeline says so; where nothing waits, nothing happens."""
    line = Line(house)
    house.receive(_image(1))
    line.read()
    assert house.database.write(lambda tx: completion_signals.force(tx, STUDY, "jane", house.clock()))
    assert line.compose() == 1
    assert line.study()["closed_by"] == Signal.OPERATOR
    assert not house.database.write(lambda tx: completion_signals.force(tx, STUDY, "jane", house.clock()))
    forced = [entry["detail"] for entry in line.study()["timeline"] if entry["event"] == completion_signals.FORCED]
    assert forced == [{"by": "jane"}]


@pytest.mark.parametrize("signal", [Signal.COMMITMENT_REQUESTED, Signal.QUIET_PERIOD, Signal.OPERATOR])
def test_a_late_image_reopens_the_study_whatever_closed_it(house: House, signal: Signal) -> None:
    """A report that names its predecessor in the same series, and another line in the timeline."""
    line = Line(house, says=lambda uid: positive(uid) if uid.endswith(".2") else negative(uid))
    house.receive(_image(1))
    line.read()
    _complete(house, signal) if signal is not Signal.QUIET_PERIOD else house.clock.forward(60)
    assert line.compose() == 1
    house.execute("UPDATE deliveries SET state = 'done'")

    house.receive(_image(2))
    assert line.study()["closed_by"] == ""
    assert line.report() == 1

    first, second = line.reports()
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    predecessor = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert [entry["signal"] for entry in _lines(line)] == [signal, Signal.QUIET_PERIOD]
    assert line.study()["closed_by"] == Signal.QUIET_PERIOD


@pytest.mark.parametrize("signal", [Signal.COMMITMENT_REQUESTED, Signal.FOUND_AT_PEER, Signal.OPERATOR])
def test_a_signal_for_what_is_reported_makes_nothing_new(house: House, signal: Signal) -> None:
    """Neither a report nor a delivery nor a line."""
    line = Line(house)
    house.receive(_image(1))
    line.report()
    before = line.study()
    _complete(house, signal)
    house.receive(_image(1))  # the same again
    house.clock.forward(1000)
    assert (line.read(), line.compose()) == (0, 0)
    after = line.study()
    assert (after["analyses"], after["deliveries_made"]) == (before["analyses"], before["deliveries_made"])
    assert after["closed_by"] == Signal.QUIET_PERIOD


def test_an_image_that_comes_while_the_report_is_composed_is_in_the_next_one(house: House) -> None:
    """The running compose holds what it began with; its study is open again until the second one."""
    line = Line(house)
    house.receive(_image(1))
    line.read()
    _complete(house, Signal.COMMITMENT_REQUESTED)
    receiver = house.receiver
    house.files = Interrupting(house.folder, lambda: receive(receiver, _image(2)))
    assert line.compose() == 1
    assert line.study()["closed_by"] == ""
    assert line.report() == 1
    assert line.study()["closed_by"] == Signal.QUIET_PERIOD
    assert [_sources(report) for report in line.reports()] == [1, 2]
    assert [entry["images"] for entry in _lines(line)] == [2, 2]


def test_a_read_that_does_not_end_keeps_nothing_from_the_longest_wait(house: House) -> None:
    """The report holds what is read, says how much is not, and is made anew once the rest is."""
    line = Line(house)
    house.receive(_image(1))
    line.read()
    house.receive(_image(2))
    house.clock.forward(899)
    assert line.compose() == 0
    house.clock.forward(1)
    assert line.compose() == 1
    assert line.study()["closed_by"] == Signal.LONGEST_WAIT
    assert line.compose() == 0  # until the second one is read, or as long again

    assert line.read() == 1
    assert line.compose() == 1

    unread = [
        entry["detail"]["not_read_yet"] for entry in line.study()["timeline"] if "not_read_yet" in entry["detail"]
    ]
    assert unread == [1, 0]
    assert [len(analysis["sop_instance_uids"]) for analysis in line.study()["analyses"]] == [1, 1]
    assert len(_lines(line)) == 1


def test_a_released_association_completes_what_it_brought_after_the_grace(house: House) -> None:
    """Of a sender that is known for one study an association, and of nobody else."""
    _send(house, Sender(60.0, one_study_per_association=True))
    line = Line(house)
    house.receive(_image(1))
    line.read()
    house.books.released(ReleasedAssociation("CR2", (STUDY,)))
    assert _due_in(house) == 60
    house.books.released(ReleasedAssociation("CR1", ("9.9", STUDY)))
    assert _due_in(house) == 5
    house.clock.forward(5)
    assert line.compose() == 1
    assert line.study()["closed_by"] == Signal.ASSOCIATION_RELEASED


def test_an_image_after_the_release_waits_for_its_own(house: House) -> None:
    """The next association of the same study takes the first one's word back."""
    _send(house, Sender(60.0, one_study_per_association=True))
    house.receive(_image(1))
    house.books.released(ReleasedAssociation("CR1", (STUDY,)))
    house.clock.forward(2)
    house.receive(_image(2))
    assert _due_in(house) == 60


def test_each_sender_has_its_own_quiet_period_and_the_slowest_counts(house: House) -> None:
    """A number of its own; that of the node where nothing is set."""
    _send(house, Sender(10.0))
    house.receive(_image(1))
    assert _due_in(house) == 10
    house.receive(_image(2, "CT7"))
    assert _due_in(house) == 60


def test_the_quiet_period_is_learnt_from_closed_studies(house: House) -> None:
    """20 studies with pauses of 4 s at most, and the next waits for 6; what another sender does is not learnt."""
    _send(house, Sender(None))
    line = Line(house)
    for number in (1, 2):
        study = f"5.{number}"
        house.receive(_image(1, study=study))
        house.clock.forward(4)
        house.receive(_image(2, study=study))
        house.receive(_image(3, "CT7", study=study))
        line.report()
        assert house.rows("SELECT calling_ae_title FROM sender_habits") == [("CR1",)]
        if number == 1:  # nineteen such studies are known, and the next one makes twenty
            house.execute(NINETEEN_STUDIES)
    house.receive(_image(1))
    assert _due_in(house) == 6


@pytest.mark.parametrize(("urgent", "priorities"), [(True, [(10,), (11,)]), (False, [(100,), (101,)])])
def test_what_an_urgent_sender_brings_is_first(house: House, urgent: bool, priorities: list[tuple[int]]) -> None:  # noqa: FBT001
    """Reads and composes alike."""
    _send(house, Sender(60.0, urgent=urgent))
    house.receive(_image(1))
    assert house.rows("SELECT priority FROM jobs ORDER BY priority") == priorities


def test_an_urgent_image_makes_its_study_urgent(house: House) -> None:
    """Of two senders the more urgent counts, whichever comes first; the queue keeps it so."""
    house.policy = replace(house.policy, senders={"ER": Sender(60.0, urgent=True)})
    house.receive(_image(1))
    house.receive(_image(2, "ER"))
    house.receive(_image(3))
    assert house.rows("SELECT priority FROM jobs WHERE kind = 'compose'") == [(queue.URGENT + 1,)]
