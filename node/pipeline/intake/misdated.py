"""A clock that was ahead and is set right: what it left is found at the start, and as soon as it happens.

A node that starts before its host has asked for the time receives with whatever the clock says. Nothing that was
received is wrong by that, but work that is due next week would wait until then, and nobody would know why.
"""

import time
from collections.abc import Callable
from datetime import datetime

from node.config import Settings
from node.domain.lifecycle import LONGEST_BACKOFF_S
from node.store.arriving import misdated_rows
from node.store.database import Database
from node.telemetry import logger

_NOTICED_S = 30.0  # below it, nothing waits noticeably longer

_log = logger("pipeline.misdated")


def longest_wait_s(settings: Settings) -> float:
    """Return how far ahead of now anything may be due, in seconds."""
    study, deliver = settings.study, settings.deliver
    waits = [study.quiet_period_s, study.max_wait_s, deliver.identity_wait_s, settings.commitment.answer_within_s]
    waits += [peer.quiet_period_s for peer in settings.peers if isinstance(peer.quiet_period_s, float | int)]
    return max(*waits, LONGEST_BACKOFF_S)


class Misdated:
    """Brings back what is due further ahead than any wait explains.

    Parameters
    ----------
    database
        Where it stands.
    longest_wait_s
        How far ahead anything may be due.
    clock
        The time now, aware.
    wake
        Called where something has become due.
    monotonic
        Seconds since whenever, which no setting of the clock moves.
    """

    def __init__(
        self,
        database: Database,
        longest_wait_s: float,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._longest_wait_s = database, longest_wait_s
        self._clock, self._wake, self._monotonic = clock, wake, monotonic
        self._seen = clock(), monotonic()

    def settle(self) -> int:
        """Let it be due now; return how many rows that were."""
        rows = self._database.write(lambda tx: misdated_rows.bring_back(tx, self._clock(), self._longest_wait_s))
        if rows:
            _log.warning("due times too far ahead", rows=rows, reason="further ahead than any wait: treated as due")
            self._wake()
        return rows

    def look(self) -> None:
        """See whether the clock was set back since the last look; if so, settle what it left."""
        (then, began), self._seen = self._seen, (self._clock(), self._monotonic())
        now, ended = self._seen
        set_back_s = (ended - began) - (now - then).total_seconds()
        if set_back_s > _NOTICED_S:
            _log.warning("clock set back", by_s=round(set_back_s))
            self.settle()
