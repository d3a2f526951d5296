"""Storage commitment done: peers are asked about the reports that they were sent, and told what they asked of us.

`Asker` and `Teller` have what a work loop needs: `claim`, `handle`, `fail` and `next_due`. What comes back is settled
by `node.pipeline.delivery.commitment_heard`.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from node.domain.errors import Transient
from node.network.commitment import Question
from node.network.commitment_scp import Hear
from node.network.commitment_scu import ask, tell
from node.network.peer import PeerAddress, Timeouts
from node.pipeline.delivery.commitment_heard import judge
from node.pipeline.failure import described
from node.store import audit
from node.store.database import Database, Transaction
from node.store.sending import commitments, commitments_requested
from node.store.sending.commitments import ClaimedQuestion, MakeUID
from node.store.sending.commitments_requested import ClaimedResult
from node.telemetry import logger

GATHER_S = 2.0
"""How long the first report waits for others to be asked about with it."""

_LEASE_S = 300.0
_LONGEST_S = 24 * 3600.0
_JITTER = 0.2
_ALARMING = 3  # times without an answer

_log = logger("pipeline.committing")


@dataclass(frozen=True, slots=True)
class Committing:
    """What asking and telling rest on.

    Parameters
    ----------
    database
        Where it is kept.
    ae_title
        This node's own, under which it calls.
    clock
        The time now, aware.
    jitter
        Random source of the backoffs.
    timeouts
        How long each step at a peer may take.
    kept_open_s
        How long the association is kept open for a result that comes at once.
    """

    database: Database
    ae_title: str
    clock: Callable[[], datetime]
    jitter: random.Random
    timeouts: Timeouts = field(default_factory=Timeouts)
    kept_open_s: float = 3.0  # most answer on an association of their own; some do so only on this one


class Asker:
    """Asks one peer to commit to what it was sent; for one thread.

    Parameters
    ----------
    given
        What it rests on.
    name, peer
        The peer's name and address.
    answer_within_s
        When it is asked again, the first time; twice as long after each time, up to a day.
    hear
        Takes a result that comes at once.
    new_uid
        Makes transaction UIDs.
    worker
        Who it is in the operator's listings.
    """

    def __init__(
        self,
        given: Committing,
        name: str,
        peer: PeerAddress,
        answer_within_s: float,
        hear: Hear,
        new_uid: MakeUID,
        worker: str,
    ) -> None:
        self._given, self._name, self._peer, self._hear = given, name, peer, hear
        self._answer_within_s, self._new_uid, self._worker = answer_within_s, new_uid, worker

    def claim(self) -> ClaimedQuestion | None:
        """Take the next request to make; what was sent since goes into it."""
        return self._given.database.write(self._claim)

    def _claim(self, tx: Transaction) -> ClaimedQuestion | None:
        now = self._given.clock()
        commitments.gather(tx, self._name, now, GATHER_S, self._new_uid)
        return commitments.claim(tx, self._name, now, _LEASE_S, self._worker, self._new_uid)

    def handle(self, claimed: ClaimedQuestion) -> None:
        """Make a request, and wait a moment for its result."""
        given = self._given
        if not claimed.instances:
            given.database.write(lambda tx: commitments.drop(tx, claimed, given.clock()))
            return
        if claimed.failures >= _ALARMING:
            _log.error("storage commitment not answered", peer=self._name, times=claimed.failures)
        answered = ask(
            self._peer,
            given.ae_title,
            Question(claimed.transaction_uid, claimed.instances),
            self._hear,
            before=lambda: self._note_asking(claimed),
            wait_s=given.kept_open_s,
            timeouts=given.timeouts,
        )
        if not answered:
            given.database.write(lambda tx: self._await_answer(tx, claimed))

    def _note_asking(self, claimed: ClaimedQuestion) -> None:
        now = self._given.clock()
        if not self._given.database.write(lambda tx: commitments.note_asking(tx, claimed, now)):
            raise Transient("another worker has taken this request over")

    def _await_answer(self, tx: Transaction, claimed: ClaimedQuestion) -> None:
        now = self._given.clock()
        wait_s = min(self._answer_within_s * 2.0 ** min(claimed.failures, 30), _LONGEST_S)
        until = now + timedelta(seconds=wait_s * self._given.jitter.uniform(1 - _JITTER, 1 + _JITTER))
        commitments.await_answer(tx, claimed, now, until)

    def fail(self, claimed: ClaimedQuestion, error: Exception) -> None:
        """Settle a request that was not made."""
        given, reason = self._given, described(error)
        given.database.write(lambda tx: commitments.fail(tx, claimed, given.clock(), reason, given.jitter))

    def next_due(self) -> datetime | None:
        """Return when `claim` may find something."""
        return self._given.database.read(lambda tx: commitments.next_due_at(tx, self._name, GATHER_S))


class Teller:
    """Tells peers the results of what they asked this node to commit to; for one thread.

    Parameters
    ----------
    given
        What it rests on.
    callers
        Where the callers listen that results can be told to, by AE title.
    path
        Gives where a kept file lies.
    keeps_for_ever
        Whether nothing takes away what is held.
    worker
        Who it is in the operator's listings.
    """

    def __init__(
        self,
        given: Committing,
        callers: Mapping[str, PeerAddress],
        path: Callable[[str], Path],
        worker: str,
        *,
        keeps_for_ever: bool,
    ) -> None:
        self._given, self._callers, self._path, self._worker = given, callers, path, worker
        self._keeps_for_ever = keeps_for_ever

    def claim(self) -> ClaimedResult | None:
        """Take the next result to tell."""
        now = self._given.clock()
        return self._given.database.write(
            lambda tx: commitments_requested.claim(tx, list(self._callers), now, _LEASE_S, self._worker)
        )

    def handle(self, claimed: ClaimedResult) -> None:
        """Judge what is held now, tell it, and settle the request once the peer has taken the result."""
        given = self._given
        uids = [uid for _, uid in claimed.instances]
        rows = given.database.read(lambda tx: commitments_requested.held_among(tx, uids))
        held = {uid: row for uid, row in rows.items() if self._path(row.path).is_file()}
        judged = judge(claimed.instances, held, keeps_for_ever=self._keeps_for_ever)
        peer = self._callers[claimed.calling_ae_title]
        tell(peer, given.ae_title, claimed.transaction_uid, judged.committed, judged.failed, given.timeouts)
        studies = sorted({one.study_instance_uid for one in held.values()})
        counts: dict[str, Any] = {"committed": len(judged.committed), "failed": len(judged.failed)}
        _log.info("commitment told", calling_ae_title=claimed.calling_ae_title, **counts)
        given.database.write(lambda tx: self._settle(tx, claimed, studies, counts))

    def _settle(self, tx: Transaction, claimed: ClaimedResult, studies: list[str], counts: dict[str, Any]) -> None:
        now = self._given.clock()
        if commitments_requested.finish(tx, claimed, now):
            who = {"calling_ae_title": claimed.calling_ae_title, "transaction_uid": claimed.transaction_uid}
            for study in studies:
                audit.add(tx, now, "commitment told", study, **who, **counts)

    def fail(self, claimed: ClaimedResult, error: Exception) -> None:
        """Settle a result that was not taken."""
        given, reason = self._given, described(error)
        given.database.write(lambda tx: commitments_requested.fail(tx, claimed, given.clock(), reason, given.jitter))

    def next_due(self) -> datetime | None:
        """Return when `claim` may find something."""
        return self._given.database.read(lambda tx: commitments_requested.next_due_at(tx, list(self._callers)))
