"""When a schedule tells of a minute."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from node.domain.errors import OperatorError
from node.runtime.schedule import _NAME, Schedule, trigger_of


def test_a_schedule_tells_of_the_minute_that_was_planned() -> None:
    """Not of the moment at which its thread woke: two nodes tell of the same."""
    came: list[datetime] = []
    told = threading.Event()

    def fire(minute: datetime) -> None:
        came.append(minute)
        told.set()

    schedule, planned = Schedule("0 2 * * *", fire), datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)
    schedule.start()
    try:
        schedule._scheduler.modify_job(_NAME, next_run_time=planned)
        assert told.wait(20)
    finally:
        schedule.stop()
    assert came == [planned]


def test_fields_that_mean_nothing_are_refused() -> None:
    """With what is wrong about them."""
    with pytest.raises(OperatorError, match=r"the schedule '61 2 \* \* \*' means nothing"):
        trigger_of("61 2 * * *")


def test_a_schedule_that_never_began_can_be_stopped() -> None:
    """As by a node that ends while it starts."""
    Schedule("0 2 * * *", lambda _: None).stop()
