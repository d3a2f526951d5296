"""A clock that was ahead, and one that was set back: work goes on, and the newest header is the one that came last."""

import pytest
from structlog.testing import capture_logs

from node.pipeline.intake.misdated import Misdated
from node.store.arriving.instances import newest_header
from node.store.tables.choices import JobKind
from tests.support.databases.claimed import claim_one
from tests.support.houses.house import House, radiograph

_WEEK_S = 7 * 86400.0
_LONGEST_WAIT_S = 3600.0


class _Monotonic:
    """Seconds that pass for both clocks."""

    def __init__(self, house: House) -> None:
        self._house, self.seconds = house, 0.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self._house.clock.forward(seconds)


@pytest.fixture
def ahead(house: House) -> House:
    """Give a house that has received an image by a clock that was a week ahead, and has been set right since."""
    house.clock.forward(_WEEK_S)
    house.receive(radiograph())
    house.clock.forward(-_WEEK_S)
    return house


def _claimed(house: House, kind: JobKind) -> bool:
    return house.database.write(lambda tx: claim_one(tx, [kind], house.clock(), 60, "test")) is not None


def test_what_a_clock_left_ahead_is_due_at_the_next_start(ahead: House) -> None:
    """The read at once, and the compose once it is over; the log says how many rows that were."""
    assert not _claimed(ahead, JobKind.READ)
    with capture_logs() as events:
        assert Misdated(ahead.database, _LONGEST_WAIT_S, ahead.clock, ahead.wake).settle() == 2
    assert [event["rows"] for event in events if event["event"] == "due times too far ahead"] == [2]
    assert ahead.woken
    assert _claimed(ahead, JobKind.READ)


def test_a_running_node_sees_that_its_clock_was_set_back(house: House) -> None:
    """As a host does that asks for the time after the node has started; time that passes is no setting."""
    house.clock.forward(_WEEK_S)
    monotonic = _Monotonic(house)
    misdated = Misdated(house.database, _LONGEST_WAIT_S, house.clock, house.wake, monotonic)
    house.receive(radiograph())
    monotonic.pass_by(86400)
    misdated.look()
    house.execute("UPDATE jobs SET attempt = 0")
    house.clock.forward(-_WEEK_S)
    with capture_logs() as events:
        misdated.look()
        misdated.look()
    assert [event["event"] for event in events] == ["clock set back", "due times too far ahead"]
    assert _claimed(house, JobKind.READ)


def test_what_a_wait_explains_is_left_alone(house: House) -> None:
    """A quiet period, and a backoff: nothing is hurried."""
    house.receive(radiograph())
    house.execute("UPDATE jobs SET failures = 3 WHERE kind = 'read'")
    before = house.rows("SELECT id, due_at FROM jobs ORDER BY id")
    assert Misdated(house.database, _LONGEST_WAIT_S, house.clock, house.wake).settle() == 0
    assert house.rows("SELECT id, due_at FROM jobs ORDER BY id") == before


@pytest.mark.parametrize("set_back_s", [0.0, _WEEK_S])
def test_the_newest_header_is_the_one_that_came_last_whatever_the_clock_said(house: House, set_back_s: float) -> None:
    """Of another image, and of a revision of the first."""
    came = [
        radiograph(patient_id="ID1"),
        radiograph(patient_id="ID2", sop_instance_uid="1.2.3.1.2"),
        radiograph(patient_id="ID3"),
    ]
    for instance in came:
        house.receive(instance)
        house.clock.forward(-set_back_s)
        newest = house.database.read(lambda tx: newest_header(tx, "1.2.3", "starter"))
        assert newest is not None
        (patient_id,) = house.rows("SELECT patient_id FROM studies")[0]
        assert newest.header.patient_id == patient_id
    assert patient_id == "ID3"


def test_a_study_was_last_extended_when_the_clock_that_is_right_says_so(ahead: House) -> None:
    """Not a week ahead, once another image has come."""
    ahead.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    ((last,),) = ahead.rows("SELECT last_received_at FROM studies")
    assert str(last)[:10] == f"{ahead.clock():%Y-%m-%d}"
