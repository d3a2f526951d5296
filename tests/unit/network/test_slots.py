"""Slots of one process."""

from node.network.refused import Rejection
from node.network.slots import LocalSlots


def test_slots_are_counted_in_all_and_for_each_address() -> None:
    """One address leaves room for others, and a slot that is given back is free."""
    slots = LocalSlots(3, 2)
    assert [slots.take("a"), slots.take("a"), slots.take("a")] == [None, None, Rejection.ADDRESS_LIMIT]
    assert [slots.take("b"), slots.take("b")] == [None, Rejection.LOCAL_LIMIT]
    slots.give_back("a")
    assert slots.take("b") is None
    assert slots.take("a") is Rejection.LOCAL_LIMIT
    slots.give_back("b")
    assert slots.take("a") is None
