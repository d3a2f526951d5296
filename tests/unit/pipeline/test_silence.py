"""When a sender counts as silent, over senders that work as hospitals do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from node.config import MonitorSettings
from node.pipeline.monitoring.silence import Silence, silence_of

_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
_SETTINGS = MonitorSettings()
_ALWAYS, _WEEKDAYS = frozenset(range(7)), frozenset(range(5))


def _sent(
    weekdays: frozenset[int], hours: Sequence[float], weeks: int = 9, closed: frozenset[int] = frozenset()
) -> list[datetime]:
    """Return when a sender sent in the weeks before Monday of the tenth one, a little later every other day."""
    return [
        _MONDAY + timedelta(days=day, hours=hour + day % 2 / 3)
        for day in range(7 * weeks)
        if day % 7 in weekdays and day not in closed
        for hour in hours
    ]


def _after(times: Sequence[datetime], **pause: float) -> Silence | None:
    return silence_of("CR1", times, times[-1], times[-1] + timedelta(**pause), _SETTINGS)


_CLINIC = _sent(_WEEKDAYS, [8 + n / 2 for n in range(18)])
_AFTER_A_CLOSURE = _sent(_WEEKDAYS, [8 + n / 2 for n in range(18)], closed=frozenset(range(35, 47)))


@pytest.mark.parametrize(
    ("times", "usual", "told"),
    [
        (_sent(_ALWAYS, [n / 5 for n in range(120)]), {"hours": 1}, {"hours": 5}),
        (_sent(_ALWAYS, [*range(24)]), {"hours": 2}, {"hours": 7}),
        (_CLINIC, {"days": 2, "hours": 15}, {"days": 3, "hours": 18}),
        (_AFTER_A_CLOSURE, {"days": 2, "hours": 15}, {"days": 3, "hours": 18}),
        (_sent(frozenset({2}), [10]), {"days": 7, "hours": 8}, {"days": 9}),
        (_sent(_WEEKDAYS, [9, 12, 15], weeks=1), {"days": 2, "hours": 18}, {"days": 4}),
    ],
    ids=["busy CT", "hourly", "Monday to Friday", "after a closure", "weekly", "for a week"],
)
def test_a_pause_is_judged_by_the_same_hours_of_other_weeks(
    times: list[datetime], usual: dict[str, float], told: dict[str, float]
) -> None:
    """What each of them does every week is nothing; what none of them did is told, a weekend and a holiday apart."""
    assert _after(times, **usual) is None
    assert _after(times, **told) is not None


def test_a_clinic_is_told_after_a_lost_day_and_not_after_a_night() -> None:
    """From Wednesday noon on: the night is usual, a Thursday without a study is not."""
    wednesday = [one for one in _CLINIC if one < _MONDAY + timedelta(days=58, hours=12)]
    assert _after(wednesday, hours=21) is None
    assert _after(wednesday, hours=47) is not None


def test_of_a_sender_that_hardly_ever_sent_nothing_is_said() -> None:
    """Four studies are no habit."""
    assert _after(_CLINIC[:4], days=300) is None
