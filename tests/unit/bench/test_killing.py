"""What is killed, and when."""

import random

from bench.killing.kills import Phase, Victim, draw_kills


def test_kills_come_from_the_seed_and_strike_the_tree_every_other_time() -> None:
    """And now and then the main process alone, or another."""
    kills = draw_kills(20, random.Random(3))
    assert kills == draw_kills(20, random.Random(3))
    assert [it.victim for it in kills][::2] == [Victim.TREE] * 10
    assert {it.victim for it in kills} == set(Victim)
    assert {it.phase for it in kills} == set(Phase)
