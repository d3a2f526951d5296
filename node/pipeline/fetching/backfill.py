"""Studies fetched from an archive, one at a time, behind all live work.

A study counts as fetched when as many of its instances are held as the archive said it has, or when the archive says
that it has sent them all; it is complete then, and nothing more is waited for. What is the archive's trouble (it is
away, it does not know this node) counts for no study and lets the archive rest; what is a study's own is tried again
after a backoff, and buried after some attempts.

`Fetcher` has what a work loop needs: `claim`, `handle`, `fail` and `next_due`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.domain.completion import Signal
from node.domain.errors import Transient
from node.domain.lifecycle import next_due
from node.network.peer import AssociationLost, PeerAddress, PeerRefused, PeerUnreachable, Timeouts
from node.network.retrieve import CANCELLED, SOME_FAILED, SUCCESS, Moved, NotSent, move
from node.pipeline.analysis.completion_signals import complete
from node.pipeline.failure import described, is_permanent
from node.store import audit
from node.store.audit import Entry
from node.store.database import Database, Transaction
from node.store.keeping import backfills
from node.store.keeping.backfills import ClaimedStudy
from node.telemetry import logger

SILENCE_S = 1800.0
"""How long an archive may say nothing about a study: it may fetch it from a tape, and need not tell how far it is."""

_LEASE_S = 600.0
_EXTENDED_EVERY_S = 60.0
_LOOKS_AGAIN_S = 2.0  # while live work waits

#: What an archive says about itself and not about the study: it has no resources, or does not know this node.
_OF_THE_ARCHIVE = frozenset({0xA700, 0xA701, 0xA702, 0xA801, 0x0122, 0x0124, 0x0211, 0x0213})

_log = logger("pipeline.backfill")


class _ArchiveInTrouble(Transient):
    """What failed was no study's fault."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """What fetching rests on.

    Parameters
    ----------
    database
        Where it is kept.
    ae_title
        This node's own: under which it asks, and to which the archive sends.
    clock
        The time now, aware.
    jitter
        Random source of the backoffs.
    timeouts
        How long each step at an archive may take.
    """

    database: Database
    ae_title: str
    clock: Callable[[], datetime]
    jitter: random.Random
    timeouts: Timeouts


class Fetcher:
    """Fetches the studies that an archive's backfills name; for one thread.

    Parameters
    ----------
    given
        What it rests on.
    name, peer
        The archive's name and address.
    worker
        Who it is in the operator's listings.
    """

    def __init__(self, given: Fetching, name: str, peer: PeerAddress, worker: str) -> None:
        self._given, self._name, self._peer, self._worker = given, name, peer, worker
        #: Asked while a study is under way: whether to go on, or to have it cancelled and fetched another time.
        self.goes_on: Callable[[], bool] = lambda: True
        self._troubles = 0
        self._rests_until: datetime | None = None

    def claim(self) -> ClaimedStudy | None:
        """Take the next study, unless live work waits or the archive rests."""
        return self._given.database.write(self._claim)

    def _claim(self, tx: Transaction) -> ClaimedStudy | None:
        now = self._given.clock()
        if self._rests(now) or backfills.live_work_waits(tx, now):
            return None
        backfills.rescue(tx, now)
        return backfills.claim(tx, self._name, now, _LEASE_S, self._worker)

    def _rests(self, now: datetime) -> bool:
        return self._rests_until is not None and now < self._rests_until

    def handle(self, claimed: ClaimedStudy) -> None:
        """Have one study sent, unless it is held already, and settle it."""
        given = self._given
        held = given.database.read(lambda tx: backfills.held(tx, claimed.study_instance_uid))
        if claimed.expected is not None and held >= claimed.expected:
            given.database.write(lambda tx: self._settle(tx, claimed, Moved(SUCCESS), held))
            return
        moved = self._moved(claimed)
        self._troubles, self._rests_until = 0, None
        held = given.database.read(lambda tx: backfills.held(tx, claimed.study_instance_uid))
        if not self._has_come(claimed, moved, held):
            raise Transient(self._missing(claimed, moved, held))
        given.database.write(lambda tx: self._settle(tx, claimed, moved, held))

    def _moved(self, claimed: ClaimedStudy) -> Moved:
        given, watch = self._given, _Watch(self, claimed)
        moved = move(
            self._peer, given.ae_title, claimed.study_instance_uid, given.ae_title, watch.goes_on, given.timeouts
        )
        if moved.status in _OF_THE_ARCHIVE:
            raise _ArchiveInTrouble(str(PeerRefused(self._peer, "C-MOVE", moved.status, moved.comment)))
        if moved.status == CANCELLED:
            raise _ArchiveInTrouble("it was broken off; it is fetched another time")
        return moved

    def _has_come(self, claimed: ClaimedStudy, moved: Moved, held: int) -> bool:
        if claimed.expected is not None and held >= claimed.expected:
            return True
        return moved.status == SUCCESS and not moved.failed and held > 0

    def _missing(self, claimed: ClaimedStudy, moved: Moved, held: int) -> str:
        expected = "an unknown number" if claimed.expected is None else claimed.expected
        if moved.status not in (SUCCESS, SOME_FAILED):
            return str(PeerRefused(self._peer, "C-MOVE", moved.status, moved.comment))
        failed = f"; it says that {moved.failed} could not be sent" if moved.failed else ""
        return f"{self._peer} was asked to send {expected} instances of the study, and {held} are held{failed}"

    def _settle(self, tx: Transaction, claimed: ClaimedStudy, moved: Moved, held: int) -> None:
        now = self._given.clock()
        if backfills.finish(tx, claimed, now, held):
            counts = {"completed": moved.completed, "failed": moved.failed, "warning": moved.warning}
            told = {name: count for name, count in counts.items() if count is not None}
            who = {"backfill": claimed.backfill_id, "peer": self._name}
            entry = Entry(now, "study fetched", claimed.study_instance_uid, detail=who | {"held": held} | told)
            audit.add_all(tx, [entry])
            complete(tx, claimed.study_instance_uid, Signal.FOUND_AT_PEER, now)

    def fail(self, claimed: ClaimedStudy, error: Exception) -> None:
        """Settle a study whose `handle` raised: its own fault counts, that of the archive lets the archive rest."""
        self._given.database.write(lambda tx: self._fail(tx, claimed, error))

    def _fail(self, tx: Transaction, claimed: ClaimedStudy, error: Exception) -> None:
        now, reason = self._given.clock(), described(error)
        if not backfills.is_wanted(tx, claimed):
            backfills.withdraw(tx, claimed, now)
        elif _is_the_archives(error):
            backfills.put_off(tx, claimed, now, reason)
            self._rest(now, reason)
        else:
            backfills.fail(tx, claimed, now, reason, permanent=False, jitter=self._given.jitter)

    def _rest(self, now: datetime, reason: str) -> None:
        if not self.goes_on():  # the node drains, and the archive did nothing wrong
            return
        self._troubles += 1
        self._rests_until = next_due(now, self._troubles, self._given.jitter)
        _log.warning("backfill rests", peer=self._name, until=self._rests_until.isoformat(), reason=reason)

    def next_due(self) -> datetime | None:
        """Return when `claim` may find something."""
        return self._given.database.read(self._next_due)

    def _next_due(self, tx: Transaction) -> datetime | None:
        due, now = backfills.next_due(tx, self._name), self._given.clock()
        if due is None:
            return None
        if backfills.live_work_waits(tx, now):
            due = max(due, now + timedelta(seconds=_LOOKS_AGAIN_S))
        return max(due, self._rests_until) if self._rests_until is not None else due

    def still_wanted(self, claimed: ClaimedStudy, *, extend: bool) -> bool:
        """Return whether a study that is under way is to go on, and hold it for longer with `extend`."""
        if not self.goes_on():
            return False
        given, now = self._given, self._given.clock()
        if extend:
            return given.database.write(lambda tx: backfills.extend(tx, claimed, now, _LEASE_S))
        return given.database.read(lambda tx: backfills.is_wanted(tx, claimed))


def _is_the_archives(error: Exception) -> bool:
    """Return whether what failed was no study's fault; an operator can have it take C-MOVE."""
    if isinstance(error, AssociationLost | NotSent):  # it stood, and it was about this study
        return False
    return isinstance(error, _ArchiveInTrouble | PeerUnreachable) or is_permanent(error)


class _Watch:
    """Looks, while a study is under way, whether it is still to come, and keeps its lease."""

    def __init__(self, fetcher: Fetcher, claimed: ClaimedStudy) -> None:
        self._fetcher, self._claimed = fetcher, claimed
        self._extended_at = fetcher._given.clock()  # noqa: SLF001 - a part of it

    def goes_on(self, _: Moved | None) -> bool:
        """Return whether to go on; see `node.network.retrieve`."""
        now = self._fetcher._given.clock()  # noqa: SLF001 - a part of it
        is_due = now - self._extended_at >= timedelta(seconds=_EXTENDED_EVERY_S)
        if is_due:
            self._extended_at = now
        return self._fetcher.still_wanted(self._claimed, extend=is_due)
