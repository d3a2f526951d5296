"""Leases are extended while work runs, and no longer."""

import threading

from node.domain.errors import Transient
from node.runtime.keeping import Keeper


def test_what_is_in_hand_is_extended_at_intervals() -> None:
    """On a thread of its own, so that the work need not think of it."""
    keeper, extended = Keeper(0.01), threading.Semaphore(0)
    keeper.start()
    with keeper.keeping(extended.release):
        for _ in range(3):
            assert extended.acquire(timeout=10)
    keeper.stop()


def test_what_is_over_is_not_extended() -> None:
    """Or a lease would be written that another worker holds."""
    keeper, extended = Keeper(60.0), list[str]()
    with keeper.keeping(lambda: extended.append("first")):
        keeper.extend_all()
    keeper.extend_all()
    assert extended == ["first"]


def test_a_database_that_is_away_keeps_nobody_from_extending() -> None:
    """The lease of one may run out; the others' are extended."""
    keeper, extended = Keeper(60.0), list[str]()

    def away() -> None:
        raise Transient("away")

    with keeper.keeping(away), keeper.keeping(lambda: extended.append("second")):
        keeper.extend_all()
    assert extended == ["second"]
