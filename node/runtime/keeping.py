"""Leases kept alive: while long work runs, its holder says so at intervals. It knows nothing of what a lease is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from node.domain.errors import Transient
from node.telemetry import logger


class Keeper:
    """One thread that extends the leases of all work in hand.

    Parameters
    ----------
    every_s
        How often, in seconds: well within a lease.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._extends: dict[object, Callable[[], object]] = {}
        self._changing = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to extend what is in hand."""
        self._thread.start()

    def stop(self) -> None:
        """Extend nothing any more."""
        self._ending.set()

    @contextmanager
    def keeping(self, extend: Callable[[], object]) -> Iterator[None]:
        """Have `extend` called at intervals, on another thread, until the work in this context is over."""
        key = object()
        with self._changing:
            self._extends[key] = extend
        try:
            yield
        finally:
            with self._changing:
                del self._extends[key]

    def extend_all(self) -> None:
        """Extend all that is in hand now."""
        with self._changing:
            extends = list(self._extends.values())
        for extend in extends:
            try:
                extend()
            except Transient as error:  # the database is away: the lease may run out, and the fence holds
                logger("runtime").warning("lease not extended", reason=str(error))

    def _run(self) -> None:
        while not self._ending.wait(self._every_s):
            self.extend_all()
