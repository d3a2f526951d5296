"""How a sender's pauses are learnt."""

from datetime import UTC, datetime, timedelta

import pytest

from node.domain.completion import learnt_quiet_period_s, longest_gap_s

START = datetime(2026, 1, 2, tzinfo=UTC)


def _times(*seconds: float) -> list[datetime]:
    return [START + timedelta(seconds=second) for second in seconds]


def test_the_longest_gap_is_that_between_neighbours_in_time() -> None:
    """Whatever the order in which the images are listed; one image has none."""
    assert longest_gap_s(_times(9, 0, 2), 60) == 7
    assert longest_gap_s(_times(4), 60) == 0
    assert longest_gap_s(_times(0, 86_400), 60) == 60


def test_a_sender_is_not_believed_before_it_is_known() -> None:
    """Of fewer than 20 studies the rare long pause need not have been seen."""
    assert learnt_quiet_period_s([0.1] * 19, 60) == 60
    assert learnt_quiet_period_s([0.1] * 20, 60) == 2


@pytest.mark.parametrize(
    ("gaps_s", "learnt_s"),
    [
        ([0.0] * 100, 2),  # never faster than that
        ([4.0] * 100, 6),
        ([1.0] * 97 + [10.0] * 3, 15),  # three studies of a hundred have a longer pause
        ([1.0] * 99 + [30.0], 2),  # one is left to come late
        ([50.0] * 100, 60),  # never longer than everybody else's
    ],
)
def test_the_quiet_period_is_what_nearly_all_studies_stay_below_and_a_margin(
    gaps_s: list[float], learnt_s: float
) -> None:
    """98 of 100, and half as much again."""
    assert learnt_quiet_period_s(gaps_s, 60) == pytest.approx(learnt_s)


def test_a_default_that_is_shorter_than_the_least_stands() -> None:
    """Whoever waits for nothing does not wait because a sender is learnt."""
    assert learnt_quiet_period_s([1.0] * 50, 0.5) == 0.5
