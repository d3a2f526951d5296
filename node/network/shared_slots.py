"""Slots for associations that several processes share: so many in all, and so many for each address.

A slot is a byte of a file that is never written, held by a record lock on it. There is no server that could die and no
count that could drift: the system itself gives back what a process held, however it ended. It knows no association.
"""

import fcntl
import hashlib
import os
import threading
from pathlib import Path

from node.domain.errors import OperatorError
from node.network.refused import Rejection

#: Bytes set apart for each address, and for all together; no machine runs as many associations as one of these has.
_REGION_BYTES = 1 << 20
_DIGEST_BYTES = 5  # 2**40 regions of 2**20 bytes lie within the 2**63 bytes that a lock can name


class SharedSlots:
    """The slots as one process sees them; others that use the same file share them. For many threads.

    Record locks belong to a process, and closing any descriptor of the file gives back all that it holds. So a process
    has one of these for a file, and opens the file nowhere else; what it holds itself it has to remember, because to
    itself its locks are no obstacle.

    Parameters
    ----------
    file
        Where the locks are; it is made where it is missing, and stays empty.
    max_associations
        How many slots there are in all.
    max_per_address
        How many of them one address may hold.

    Raises
    ------
    OperatorError
        Where the file cannot be made.
    """

    def __init__(self, file: Path, max_associations: int, max_per_address: int) -> None:
        self._slots = range(min(max_associations, _REGION_BYTES))
        self._per_address = min(max_per_address, _REGION_BYTES)
        self._turn = threading.Lock()
        self._held: dict[str, list[tuple[int, int]]] = {}
        self._own: set[int] = set()
        self._descriptor = _opened(file)

    def take(self, address: str) -> Rejection | None:
        """Take a slot for an association from this address; return why not where there is none."""
        with self._turn:
            of_address = self._locked(_region_of(address, self._per_address))
            if of_address is None:
                return Rejection.ADDRESS_LIMIT
            of_all = self._locked(self._slots)
            if of_all is None:
                self._unlock(of_address)
                return Rejection.LOCAL_LIMIT
            self._held.setdefault(address, []).append((of_address, of_all))
        return None

    def give_back(self, address: str) -> None:
        """Give back a slot that was taken for an association from this address."""
        with self._turn:
            held = self._held[address]
            for byte in held.pop():
                self._unlock(byte)
            if not held:
                del self._held[address]

    def close(self) -> None:
        """Give back all, and close the file."""
        with self._turn:
            os.close(self._descriptor)
            self._held.clear()
            self._own.clear()

    def _locked(self, region: range) -> int | None:
        """Lock the first byte of a region that nobody holds, and return it."""
        for byte in region:
            if byte not in self._own and self._lock(byte):
                self._own.add(byte)
                return byte
        return None

    def _lock(self, byte: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except OSError:  # another process holds it; or the system has no lock left, which is no slot either
            return False
        return True

    def _unlock(self, byte: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, byte)
        self._own.remove(byte)


def _opened(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(f"{file} cannot be opened ({error.strerror}): make it writable for this user") from error


def _region_of(address: str, length: int) -> range:
    """Return the bytes of an address: after those for all, at a place that every process finds for itself."""
    digest = hashlib.blake2b(address.encode(), digest_size=_DIGEST_BYTES).digest()
    first = (1 + int.from_bytes(digest)) * _REGION_BYTES
    return range(first, first + length)
