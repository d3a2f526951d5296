"""When a schedule tells of a minute."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from node.config.settings import RetrainSettings
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


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", {6}),
        ("7", {6}),
        ("1", {0}),
        ("1-5", {0, 1, 2, 3, 4}),
        ("5-7", {4, 5, 6}),
        ("Sun,3", {6, 2}),
        ("*/3", {6, 2, 5}),
    ],
)
def test_days_of_the_week_are_counted_as_in_crontab(field: str, days: set[int]) -> None:
    """0 and 7 are Sunday; seen in two weeks of firings, Monday as 0."""
    trigger, now, came = trigger_of(f"0 2 * * {field}"), datetime(2026, 1, 1, tzinfo=UTC), set()
    for _ in range(2 * len(days)):
        fired = trigger.get_next_fire_time(None, now)
        came.add(fired.weekday())
        now = fired + timedelta(minutes=1)
    assert came == days


@pytest.mark.parametrize(
    "cron", ["0 2 * * 8", "0 2 30 2 *", "0 2 * *", "0 24 * * *", "5-1 2 * * *", "*/0 2 * * *", "0 2 * x *"]
)
def test_a_schedule_is_looked_at_when_the_configuration_is_read(cron: str) -> None:
    """Not when the node starts."""
    with pytest.raises(ValidationError, match=r"schedule"):
        RetrainSettings(schedule=cron)
    assert RetrainSettings(schedule="0 2 29 feb 7").schedule == "0 2 29 feb 7"


def test_a_schedule_that_never_began_can_be_stopped() -> None:
    """As by a node that ends while it starts."""
    Schedule("0 2 * * *", lambda _: None).stop()
