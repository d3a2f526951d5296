"""When failed work is due again."""

import random
from datetime import UTC, datetime

import pytest

from node.domain.lifecycle import next_due

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("failures", "delay_s"), [(1, 2), (2, 4), (5, 32), (20, 900), (100_000, 900)])
def test_the_wait_doubles_up_to_a_quarter_of_an_hour(failures: int, delay_s: float) -> None:
    """Within the jitter of 20 %, however often it failed."""
    waited = (next_due(NOW, failures, random.Random(1)) - NOW).total_seconds()
    assert delay_s * 0.8 <= waited <= delay_s * 1.2


def test_what_failed_together_does_not_come_back_together() -> None:
    """Two draws of one random source differ."""
    jitter = random.Random(1)
    assert next_due(NOW, 3, jitter) != next_due(NOW, 3, jitter)
