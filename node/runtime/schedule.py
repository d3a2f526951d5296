"""When something is to be asked for again: the five fields of cron, and nothing of what is asked for.

The only home of APScheduler. A schedule only tells of the minute that came; whoever listens writes it down, and two
nodes with the same schedule tell of the same minute.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

from apscheduler.events import EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from node.domain.cron import named_weekdays
from node.domain.errors import OperatorError

_MINUTE = timedelta(minutes=1)

LATE_S = 3600
"""How late a minute is still told of, in seconds: a machine that slept longer waits for the next one."""


class Schedule:
    """Tells of every minute of a schedule, on a thread of its own.

    Parameters
    ----------
    cron
        Minute, hour, day of the month, month and day of the week, in the local time of the machine.
    fire
        Called with the minute that came, aware; whatever it does must be quick.

    Raises
    ------
    OperatorError
        Where the fields mean nothing.
    """

    def __init__(self, cron: str, fire: Callable[[datetime], None]) -> None:
        self._trigger, self._fire = trigger_of(cron), fire
        self._scheduler = BackgroundScheduler(daemon=True)
        self._scheduler.add_listener(self._executed, EVENT_JOB_EXECUTED)

    def start(self) -> None:
        """Begin to tell."""
        self._scheduler.add_job(_nothing, self._trigger, id=_NAME, coalesce=True, misfire_grace_time=LATE_S)
        self._scheduler.start()

    def stop(self) -> None:
        """Tell of nothing any more; harmless where it never began."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _executed(self, event: JobExecutionEvent) -> None:
        self._fire(event.scheduled_run_time.astimezone(UTC))


def trigger_of(cron: str, zone: tzinfo | None = None) -> BaseTrigger:
    """Return what five fields of cron mean, with 0 and 7 for Sunday as in crontab.

    Parameters
    ----------
    cron
        The fields.
    zone
        Whose clock on the wall they speak of; None: the machine's.

    Raises
    ------
    OperatorError
        Where they mean nothing.
    """
    try:
        return _OncePerMinute(CronTrigger.from_crontab(named_weekdays(cron), zone))
    except ValueError as error:
        raise OperatorError(f"the schedule {cron!r} means nothing: {error}", exit_code=2) from error


def next_times(cron: str, now: datetime, count: int, zone: tzinfo | None = None) -> list[datetime]:
    """Return the next times of a schedule, aware, in local time; parameters and errors as of `trigger_of`."""
    trigger, times = trigger_of(cron, zone), list[datetime]()
    while len(times) < count and (found := trigger.get_next_fire_time(None, now)) is not None:
        times.append(found)
        now = found.astimezone(UTC) + _MINUTE
    return times


class _OncePerMinute(BaseTrigger):  # type: ignore[misc] # the library is not typed
    """Leaves out the second time at which a clock on the wall shows the same minute, as when summer time ends."""

    def __init__(self, inner: CronTrigger) -> None:
        self._inner = inner

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Return the next time after `previous`, or at or after `now` where there is none."""
        since = now if previous is None else previous.astimezone(UTC) + _MINUTE
        while True:
            # in UTC, and no time before: the library counts on by the clock on the wall, which goes back
            found = cast("Any", self._inner).get_next_fire_time(None, since.astimezone(UTC))
            if found is None:
                return None
            at = datetime.fromtimestamp(found.timestamp(), self._inner.timezone)
            if not at.fold:
                return at
            since = at.astimezone(UTC) + _MINUTE


def _nothing() -> None:
    """Stand for the work: whoever listens hears that its minute came."""


_NAME = "schedule"
