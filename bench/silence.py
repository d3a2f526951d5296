"""How soon a sender that fell silent is told, and how often one that works is, over made-up senders.

    python bench/silence.py [--rounds 20]

Each kind of sender works for a year and breaks down at some time in its last weeks; what looks every ten minutes is
the very code that the node runs. False alarms are counted over the year, with a closure of two weeks and ten
holidays of one day for those that keep them.
"""

import argparse
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from node.config import MonitorSettings
from node.pipeline.monitoring.silence import silence_of

_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
_DAYS = 364
_LOOK = timedelta(minutes=10)
_HISTORY = timedelta(days=60)

Day = Callable[[np.random.Generator], list[float]]
"""Gives the hours of one day at which studies begin."""


def _around_the_clock(by_day: float, by_night: float) -> Day:
    """Return a sender that sends so many studies an hour from 7 to 19, and by night."""

    def day(random: np.random.Generator) -> list[float]:
        return [
            hour + float(minute)
            for hour in range(24)
            for minute in random.uniform(0, 1, random.poisson(by_day if 7 <= hour < 19 else by_night))
        ]

    return day


def _in_hours(count: int, first: float, last: float) -> Day:
    return lambda random: [float(hour) for hour in random.uniform(first, last, count)]


KINDS: dict[str, tuple[Day, frozenset[int], bool]] = {
    "busy CT, day and night": (_around_the_clock(8, 2), frozenset(range(7)), False),
    "portable, about one an hour": (_around_the_clock(1, 0.5), frozenset(range(7)), False),
    "clinic, Monday to Friday, 8 to 17": (_in_hours(30, 8, 17), frozenset(range(5)), True),
    "screening, Tuesdays": (_in_hours(12, 9, 15), frozenset({1}), True),
    "one study a week, Wednesdays": (_in_hours(1, 8, 17), frozenset({2}), False),
}
"""What each does on a day, on which days of the week, and whether it keeps holidays."""


def sent(kind: str, random: np.random.Generator, days: int = _DAYS) -> list[datetime]:
    """Return when a sender of a kind sends in so many days."""
    day, weekdays, keeps = KINDS[kind]
    closed = {int(one) for one in random.integers(0, days, 10)} | set(range(200, 214)) if keeps else set()
    return [
        _MONDAY + timedelta(days=number, hours=hour)
        for number in range(days)
        if number % 7 in weekdays and number not in closed
        for hour in sorted(day(random))
    ]


def told_after(times: list[datetime], died: datetime, settings: MonitorSettings) -> timedelta:
    """Return how long after its last study a sender that died is told."""
    known = times[bisect_left(times, died - _HISTORY) : bisect_right(times, died)]
    now = known[-1]
    while silence_of("", known, known[-1], now, settings) is None:
        now += _LOOK
    return now - died


def false_alarms(times: list[datetime], settings: MonitorSettings) -> Iterator[datetime]:
    """Yield when a sender that works is told, once for each pause."""
    for place in range(1, len(times)):
        last, end = times[place - 1], times[place]
        if end - last > _LOOK and last - times[0] > 3 * timedelta(days=7):
            known = times[bisect_left(times, last - _HISTORY) : place]
            if silence_of("", known, last, end - timedelta(seconds=1), settings) is not None:
                yield end


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    asked, settings = parser.parse_args(), MonitorSettings()
    print("| sender | told after, hours (median; nine in ten) | false alarms a year |\n|---|---|---|")
    for kind in KINDS:
        random, waits, false = np.random.default_rng(1), [], []
        for _ in range(asked.rounds):
            times = sent(kind, random)
            false.append(len([*false_alarms(times, settings)]))
            for _ in range(5):
                died = times[int(random.integers(int(0.8 * len(times)), len(times)))]
                waits.append(told_after(times, died, settings) / timedelta(hours=1))
        print(f"| {kind} | {np.median(waits):.0f}; {np.quantile(waits, 0.9):.0f} | {np.mean(false):.1f} |")


if __name__ == "__main__":
    main()
