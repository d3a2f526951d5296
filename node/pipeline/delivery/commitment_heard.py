"""Storage commitment, heard and settled: what peers say of our reports, and what they ask this node to keep.

An answer of the peer that was asked settles the reports that it names. A request is kept until its result has been told
(`node.pipeline.delivery.committing`), and says as well that a study is complete: a sender asks once it has sent
everything. That holds whether the request itself is served or refused, and only of what the one who asks has sent.

References
----------
DICOM PS3.4 Annex J (Storage Commitment Service Class), PS3.3 C.14.1.1 (Failure Reason).
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from node.config import Settings
from node.domain.completion import Signal
from node.network.commitment import CommitmentRequest, CommitmentResult, FailureReason, Heard
from node.pipeline.analysis.completion_signals import complete
from node.store import audit
from node.store.database import Transaction
from node.store.listing import commitment_views
from node.store.sending import commitments, commitments_requested
from node.store.sending.commitments import Answered, MakeUID, Named
from node.store.sending.commitments_requested import HeldInstance
from node.store.working import waits
from node.telemetry import logger

_SUCCESS = 0x0000
_INVALID_ARGUMENT = 0x0115  # PS3.7 C.5.14: here a transaction that nobody knows
_NOT_AUTHORISED = 0x0124

_IN_WORDS: Mapping[int, str] = {
    FailureReason.PROCESSING_FAILURE: "processing failure",
    FailureReason.NO_SUCH_OBJECT_INSTANCE: "no such object instance",
    FailureReason.CLASS_INSTANCE_CONFLICT: "class and instance conflict",
    FailureReason.SOP_CLASS_NOT_SUPPORTED: "SOP class not supported",
    FailureReason.DUPLICATE_TRANSACTION_UID: "duplicate transaction UID",
    FailureReason.RESOURCE_LIMITATION: "resource limitation",
}

_log = logger("pipeline.commitment")


def hearing_of(settings: Settings, clock: Callable[[], datetime], jitter: random.Random, new_uid: MakeUID) -> "Hearing":
    """Return what settles what a configured node hears; results can be told to peers whose address is configured."""
    callers = frozenset(peer.ae_title for peer in settings.peers)
    titles = {peer.name: peer.ae_title for peer in settings.peers}
    return Hearing(settings.commitment.serve, callers, titles, clock, jitter, new_uid)


@dataclass(frozen=True, slots=True)
class Hearing:
    """Settles what was heard, in the transaction of whoever hands it over.

    Parameters
    ----------
    serves
        Whether this node commits to instances.
    callers
        AE titles whose address is known, so that a result can be told to them.
    titles
        AE title of each peer by its name: a result is taken from the one that was asked alone.
    clock
        The time now, aware.
    jitter
        Random source of the backoffs.
    new_uid
        Makes the transaction UIDs under which a peer is asked again.
    """

    serves: bool
    callers: Collection[str]
    titles: Mapping[str, str]
    clock: Callable[[], datetime]
    jitter: random.Random
    new_uid: MakeUID

    def hear(self, tx: Transaction, said: Heard) -> int:
        """Keep what a peer said, and return the status to answer once that is committed.

        Returns
        -------
        int
            0x0000; for a result 0x0115 where this node asked nothing under its transaction UID, or asked another peer;
            for a request 0x0124 where this node does not serve storage commitment, or does not know where to tell the
            result.
        """
        return self._result(tx, said) if isinstance(said, CommitmentResult) else self._request(tx, said)

    def hear_all(self, tx: Transaction, said: Sequence[Heard]) -> list[int]:
        """Keep what several peers said."""
        return [self.hear(tx, one) for one in said]

    def _result(self, tx: Transaction, result: CommitmentResult) -> int:
        uid, now = result.transaction_uid, self.clock()
        who: dict[str, Any] = {"calling_ae_title": result.calling_ae_title, "address": result.address}
        asked = commitment_views.asked_under(tx, uid)
        if asked is not None and self.titles.get(asked.peer) != result.calling_ae_title:
            _log.warning("commitment of another peer", peer=asked.peer, **who)
            for study in asked.studies:
                audit.add(
                    tx, now, "commitment of another peer refused", study, peer=asked.peer, transaction_uid=uid, **who
                )
            return _INVALID_ARGUMENT
        answered = commitments.answer(tx, uid, named(result), now, self.jitter, self.new_uid) if asked else None
        if answered is None:
            _log.warning("unknown commitment", **who)
            return _INVALID_ARGUMENT
        _tell(answered)
        return _SUCCESS

    def _request(self, tx: Transaction, request: CommitmentRequest) -> int:
        uids = {uid for _, uid in request.instances}
        now, held = self.clock(), commitments_requested.held_among(tx, uids)
        studies = sorted({one.study_instance_uid for one in held.values()})
        if len(held) == len(uids):
            for study in waits.studies_named_whole(tx, studies, uids, request.calling_ae_title):
                complete(tx, study, Signal.COMMITMENT_REQUESTED, now)
        who: dict[str, Any] = {"calling_ae_title": request.calling_ae_title, "address": request.address}
        if not self.serves or request.calling_ae_title not in self.callers:
            _log.warning("commitment not served", **who)
            return _NOT_AUTHORISED
        uid, instances = request.transaction_uid, request.instances
        if commitments_requested.add(tx, request.calling_ae_title, request.address, uid, instances, now):
            for study in studies:
                audit.add(tx, now, "commitment requested", study, transaction_uid=uid, instances=len(instances), **who)
        return _SUCCESS


def named(result: CommitmentResult) -> Named:
    """Return what a result says of each instance; a transaction UID used twice says nothing of the instance."""
    again = {uid for uid, reason in result.failed if reason == FailureReason.DUPLICATE_TRANSACTION_UID}
    failed = {uid: _in_words(reason) for uid, reason in result.failed if uid not in again}
    return Named(frozenset(result.committed), failed, frozenset(again))


@dataclass(frozen=True, slots=True)
class Judged:
    """What this node says to a request: what it commits to, and what not, with the Failure Reason."""

    committed: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str, int], ...]


def judge(instances: Sequence[tuple[str, str]], held: Mapping[str, HeldInstance], *, keeps_for_ever: bool) -> Judged:
    """Return for which instances this node takes responsibility.

    Only for what is held, under the SOP class that the request names, and that nothing will ever take away: where
    retention removes files, what is held is answered with 0x0213 Resource limitation.
    """
    reasons = {instance: _reason(instance, held, keeps_for_ever=keeps_for_ever) for instance in instances}
    return Judged(
        tuple(instance for instance, reason in reasons.items() if reason is None),
        tuple((*instance, int(reason)) for instance, reason in reasons.items() if reason is not None),
    )


def _reason(
    instance: tuple[str, str], held: Mapping[str, HeldInstance], *, keeps_for_ever: bool
) -> FailureReason | None:
    sop_class, uid = instance
    if uid not in held:
        return FailureReason.NO_SUCH_OBJECT_INSTANCE
    if held[uid].sop_class_uid != sop_class:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    return None if keeps_for_ever else FailureReason.RESOURCE_LIMITATION


def _in_words(reason: int) -> str:
    return f"0x{reason:04X}, {_IN_WORDS.get(reason, 'a reason that the Standard does not know')}"


def _tell(answered: Answered) -> None:
    counts = {"committed": answered.committed, "failed": answered.failed, "asked_again": answered.asked_again}
    (_log.warning if answered.failed else _log.info)("commitment answered", peer=answered.peer, **counts)
