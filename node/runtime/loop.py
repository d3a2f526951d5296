"""The one work loop: claim, handle, settle, wait.

It knows how work is waited for and what an unexpected error does, and nothing of what the work is.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Generic, TypeVar

from node.domain.errors import Permanent, Transient
from node.telemetry import logger, place_of

Claimed = TypeVar("Claimed")
_LONGEST_WAIT_S = 5.0
_SHORTEST_WAIT_S = 0.25  # another worker was faster, or took what it depends on
_TROUBLE_WAIT_S = 1.0
_LOOK_AGAIN_S = 0.02  # where signals come in a stream, a look at the database for each would cost more than the work


class WorkLoop(Generic[Claimed]):
    """A thread that claims work and handles it until it is stopped.

    Parameters
    ----------
    name
        Of the thread, and in log lines.
    claim
        Takes the next due work, or returns None.
    handle
        Does the work and settles it.
    fail
        Settles work whose `handle` raised, given the work and the error.
    next_due
        When there may be work again; None where nothing waits.
    clock
        The time now, aware.
    about
        What a log line says of work that failed, such as its study; without patient data.
    """

    def __init__(
        self,
        name: str,
        claim: Callable[[], Claimed | None],
        handle: Callable[[Claimed], None],
        fail: Callable[[Claimed, Exception], None],
        next_due: Callable[[], datetime | None],
        clock: Callable[[], datetime],
        about: Callable[[Claimed], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self._claim, self._handle, self._fail, self._about = claim, handle, fail, about
        self._next_due, self._clock = next_due, clock
        self._wake, self._ending = threading.Event(), threading.Event()
        self._has_begun = self._stopping = False
        self._claimed: Claimed | None = None
        self._failed: tuple[Claimed, Exception] | None = None
        self._at_start: Callable[[], None] | None = None
        self._at_end: Callable[[], None] | None = None
        self._log = logger("runtime").bind(loop=name)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def name(self) -> str:
        """Its thread's."""
        return self._thread.name

    def goes_on(self) -> bool:
        """Whether it was not asked to end; long work in hand may be broken off then, and be done another time."""
        return not self._stopping

    def at_start(self, do: Callable[[], None]) -> None:
        """Have this done on the loop's thread before it works, such as what would else slow the first work."""
        self._at_start = do

    def at_end(self, do: Callable[[], None]) -> None:
        """Have this done on the loop's thread once it works no more, such as letting go of what it kept open."""
        self._at_end = do

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be work: a loop that waits looks at once."""
        self._wake.set()

    def finish(self) -> None:
        """Ask the loop to claim no more; the work in hand goes on."""
        self._stopping = True
        self._ending.set()
        self._wake.set()

    def ended(self, timeout_s: float) -> bool:
        """Wait for the work in hand after `finish`, and return whether it ended in time."""
        if self._thread.ident is None:  # never started; should it be now, it ends at once
            return True
        self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait_s = self._step()
            except Exception as error:  # noqa: BLE001 - one of the house's two: whatever it was, this thread lives on
                wait_s = self._after(error)
            if wait_s > 0 and not self._stopping:
                self._wait(wait_s)
        if self._at_end is not None:
            self._at_end()

    def _wait(self, wait_s: float) -> None:
        """Wait for so long or for a signal; one that comes soon after the last look waits for those that follow it."""
        began = time.monotonic()
        if self._wake.wait(wait_s):
            self._ending.wait(max(began + _LOOK_AGAIN_S - time.monotonic(), 0.0))

    def _step(self) -> float:
        """Do one piece of work, if one is due; return how long to wait for the next."""
        if not self._has_begun:
            self._begin()
        if self._failed is not None:
            self._fail(*self._failed)
            self._failed = None
        # cleared before the question: what arrives during it sets it again, and the wait returns at once
        self._wake.clear()
        wait_s = self._wait_s()
        if wait_s > 0:
            return wait_s
        self._claimed = self._claim()  # a claim writes, so nothing is claimed on suspicion
        if self._claimed is None:
            return _SHORTEST_WAIT_S
        self._handle(self._claimed)
        self._claimed = None
        return 0.0

    def _begin(self) -> None:
        self._has_begun = True
        try:
            if self._at_start is not None:
                self._at_start()
        finally:
            self._log.debug("work begins")

    def _after(self, error: Exception) -> float:
        """Keep a failure until it is settled, which a database that is away may delay; return how long to wait."""
        # the words of a foreign exception may quote a dataset; the house's own do not
        own = isinstance(error, (Permanent, Transient))
        about = {} if self._claimed is None else self._about(self._claimed)
        reason = str(error) if own else place_of(error)
        self._log.warning("work failed", error=type(error).__name__, reason=reason, **about)
        if self._claimed is None:
            return _TROUBLE_WAIT_S
        self._failed, self._claimed = (self._claimed, error), None
        return 0.0

    def _wait_s(self) -> float:
        due = self._next_due()
        if due is None:
            return _LONGEST_WAIT_S
        return min(max((due - self._clock()).total_seconds(), 0.0), _LONGEST_WAIT_S)
