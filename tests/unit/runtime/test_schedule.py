"""When a schedule tells of a minute."""

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from node.config.settings import RetrainSettings
from node.domain.errors import OperatorError
from node.runtime.schedule import _NAME, Schedule, next_times, trigger_of


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


@pytest.mark.parametrize(
    ("cron", "times"),
    [
        ("30 2 * * *", ["25 02:30 +0200", "26 02:30 +0100", "27 02:30 +0100"]),
        ("*/40 2 * * *", ["25 02:00 +0200", "25 02:40 +0200", "26 02:00 +0100"]),
    ],
)
def test_a_minute_that_comes_twice_is_told_once(cron: str, times: list[str]) -> None:
    """Summer time ends on 25 October 2026 in Berlin: the hour from two to three comes again."""
    now = datetime(2026, 10, 24, 22, tzinfo=UTC)
    found = next_times(cron, now, 3, ZoneInfo("Europe/Berlin"))
    assert [f"{one:%d %H:%M %z}" for one in found] == times


def test_a_schedule_goes_on_after_a_minute_that_came_twice() -> None:
    """As the scheduler asks, with the time before; the hour that a spring leaves out is no error."""
    trigger, zone = trigger_of("30 2 * * *", ZoneInfo("Europe/Berlin")), ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    assert trigger.get_next_fire_time(first, first) == datetime(2026, 10, 26, 2, 30, tzinfo=zone)
    spring = next_times("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), 2, zone)
    assert [one.day for one in spring] in ([29, 30], [30, 31])


def test_a_schedule_that_never_began_can_be_stopped() -> None:
    """As by a node that ends while it starts."""
    Schedule("0 2 * * *", lambda _: None).stop()
