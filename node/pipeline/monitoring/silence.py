"""Which senders are silent: judged by what each of them did in the same hours of the weeks before.

A sender that works from Monday to Friday pauses for 63 hours over every weekend, and an hour of silence on a Monday
morning says more. It knows when studies of each sender began, and neither peers nor holidays: a quarter of the weeks
may be odd, such as those of a closure, before a pause counts as usual.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from node.config import MonitorSettings
from node.store.arriving import sendings
from node.store.database import Transaction

_WEEK = timedelta(days=7)
_WEEKS, _FEWEST_WEEKS, _FEWEST_TIMES = 8, 3, 5
_LOOKS_BACK = _WEEKS * _WEEK + timedelta(days=4)
_APART = timedelta(minutes=10)  # of what is sent within it, the first time is kept: a CT sends a thousand studies a day
_AGAIN = timedelta(hours=1)  # looked at once more: a study's first image may come after its first object
_WEEKEND = timedelta(days=3)
_LISTENED = timedelta(hours=1)  # after a start: senders whose studies wait for the node send them first


@dataclass(frozen=True, slots=True)
class Silence:
    """A sender that is silent."""

    sender: str  #: calling AE title
    pause: timedelta
    usual: timedelta  #: how long it paused from the same hour of the weeks before on; the longest pause of a new one
    weeks: int  #: that this is known of, 0 of a new one


@dataclass(slots=True)
class _Heard:
    last: datetime
    times: list[datetime] = field(default_factory=list)


class Sendings:
    """When each sender sent, followed while the node runs.

    Parameters
    ----------
    settings
        What counts as silence.
    began
        When the node began to listen, aware.
    """

    def __init__(self, settings: MonitorSettings, began: datetime) -> None:
        self._settings, self._began = settings, began
        self._heard: dict[str, _Heard] = {}
        self._until: datetime | None = None

    def follow(self, tx: Transaction, now: datetime) -> None:
        """Take note of what was sent since the last time."""
        since = now - _LOOKS_BACK if self._until is None else self._until - _AGAIN
        for sender, at in sendings.studies_since(tx, since):
            heard = self._heard.setdefault(sender, _Heard(at))
            heard.last = max(heard.last, at)
            if not heard.times or at - heard.times[-1] >= _APART:
                heard.times.append(at)
        self._until = now
        for heard in self._heard.values():
            del heard.times[: bisect_left(heard.times, heard.last - _LOOKS_BACK)]

    def last(self, sender: str) -> datetime | None:
        """Return when a sender's latest study began; None where it sent none for weeks."""
        heard = self._heard.get(sender)
        return None if heard is None else heard.last

    def silent(self, now: datetime) -> list[Silence]:
        """Return the senders that are silent; none where the node itself has not listened for an hour yet."""
        if now - self._began < _LISTENED:
            return []
        found = (silence_of(name, one.times, one.last, now, self._settings) for name, one in self._heard.items())
        return [one for one in found if one is not None]


def silence_of(
    sender: str, times: Sequence[datetime], last: datetime, now: datetime, settings: MonitorSettings
) -> Silence | None:
    """Return the silence of a sender, or None where its pause is one of its own.

    Parameters
    ----------
    sender
        Its name.
    times
        When it sent in the latest weeks, rising.
    last
        When it did for the last time.
    now
        Aware.
    settings
        `silence_factor` times its longest usual pause, `silence_hours` at most, is what it may pause beyond the usual.
    """
    if len(times) < _FEWEST_TIMES:
        return None
    pause, weeks = now - last, min((last - times[0]) // _WEEK, _WEEKS)
    if weeks < _FEWEST_WEEKS:
        longest = max(later - earlier for earlier, later in pairwise(times))
        limit = max(settings.silence_factor * longest, _WEEKEND)
        return Silence(sender, pause, longest, 0) if pause > limit else None
    odd, starts = weeks // 4, [last - number * _WEEK for number in range(1, weeks + 1)]
    longest = sorted(_longest_pause(times, start, last) for start in starts)[-1 - odd]
    margin = min(settings.silence_factor * longest, timedelta(hours=settings.silence_hours))
    usual = sorted(_after(times, start + margin / 2, last) - start for start in starts)[-1 - odd]
    return Silence(sender, pause, usual, weeks) if pause > usual + margin else None


def _longest_pause(times: Sequence[datetime], start: datetime, last: datetime) -> timedelta:
    """Return the longest pause that begins in the week from a time on."""
    within = times[bisect_left(times, start) : bisect_right(times, start + _WEEK)]
    ends = pairwise([*within, _after(times, start + _WEEK, last)])
    return max((later - earlier for earlier, later in ends), default=_WEEK)


def _after(times: Sequence[datetime], start: datetime, last: datetime) -> datetime:
    place = bisect_right(times, start)
    return times[place] if place < len(times) else max(last, start)
