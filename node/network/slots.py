"""Slots: how many associations run at once, in all and for one address.

It knows no association; who takes a slot gives it back.

References
----------
DICOM PS3.8 9.3.4: (2,3,2) local limit exceeded, a transient rejection.
"""

import threading
from collections import Counter
from typing import Protocol

from node.network.refused import Rejection


class Slots(Protocol):
    """Counts the associations of all receiving processes that share it; used on many threads."""

    def take(self, address: str) -> Rejection | None:
        """Take a slot for a peer at this address; return why there is none, or None where it is taken."""

    def give_back(self, address: str) -> None:
        """Give back a slot that was taken for this address."""


class LocalSlots:
    """Counts the associations of this process.

    Parameters
    ----------
    maximum
        How many there may be in all.
    maximum_per_address
        How many of them from one address.
    """

    def __init__(self, maximum: int, maximum_per_address: int) -> None:
        self._maximum, self._maximum_per_address = maximum, maximum_per_address
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, address: str) -> Rejection | None:
        """Take a slot for a peer at this address; return why there is none, or None where it is taken."""
        with self._lock:
            if self._taken.total() >= self._maximum:
                return Rejection.LOCAL_LIMIT
            if self._taken[address] >= self._maximum_per_address:
                return Rejection.ADDRESS_LIMIT
            self._taken[address] += 1
        return None

    def give_back(self, address: str) -> None:
        """Give back a slot that was taken for this address."""
        with self._lock:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]
