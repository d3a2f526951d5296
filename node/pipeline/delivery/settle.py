"""How a delivery ends: by the peer's answer, by a failure, or by what was found before it left."""

import random
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from node.config import PeerSettings
from node.domain.lifecycle import HeldFor, State
from node.network.answer_status import Answer, sort_status, status_meaning
from node.network.scu import StoreAnswer, worded
from node.pipeline.delivery.turned_synthetic import tell_standing
from node.store import audit
from node.store.arriving import synthetic_marks
from node.store.database import Database, Transaction
from node.store.sending import destinations, extras, outbox
from node.store.sending.destinations import Destination, Patience
from node.store.sending.outbox import ClaimedDelivery
from node.store.tables.choices import Commitment, DeliveryKind
from node.telemetry import logger

_log = logger("pipeline.deliver")

_NAMED = {
    DeliveryKind.REPORT: "report",
    DeliveryKind.TEXT: "text",
    DeliveryKind.HEATMAP: "heat map",
    DeliveryKind.REJECTION_NOTE: "rejection note",
}


class Settling:
    """Settles deliveries to one peer, each in a transaction of its own.

    Parameters
    ----------
    database
        Where the outbox is.
    peer
        Whom the deliveries are for.
    test_peers
        Names of the peers with ``test = true``.
    clock
        The time now, aware.
    jitter
        Random source of backoffs and pauses.
    """

    def __init__(
        self,
        database: Database,
        peer: PeerSettings,
        test_peers: Collection[str],
        clock: Callable[[], datetime],
        jitter: random.Random,
    ) -> None:
        self._database, self._peer, self._test_peers = database, peer, test_peers
        self._clock, self._jitter = clock, jitter

    def by_answer(self, delivery: ClaimedDelivery, answer: StoreAnswer, *, is_first: bool = True) -> None:
        """Settle as the peer has answered: sent, to be tried again, or buried.

        Where it was not the first offer under this claim, the peer may hold what it refuses.
        """
        state = self._database.write(lambda tx: self._by_answer(tx, delivery, answer, is_first=is_first))
        _log.info(
            "report offered" if delivery.kind is DeliveryKind.REPORT else "companion offered",
            kind=_NAMED[delivery.kind],
            study_instance_uid=delivery.study_instance_uid,
            sop_instance_uid=delivery.rendition.sop_instance_uid,
            model=delivery.model,
            peer=delivery.peer,
            status=f"0x{answer.status:04X}",
        )
        # the words of the peer may name a patient: they stand in listings alone
        self._tell_if_buried(delivery, state, f"the peer answered 0x{answer.status:04X}")

    def by_failure(
        self,
        delivery: ClaimedDelivery,
        error: str,
        patience: Patience | None,
        *,
        permanent: bool,
        may_have_left: bool,
    ) -> None:
        """Settle as failed; with `patience` it was the peer that was not reached, or fell silent."""

        def work(tx: Transaction) -> State | None:
            now, how = self._clock(), dict[str, Any](permanent=permanent, jitter=self._jitter)
            how["may_have_left"] = may_have_left
            if patience is not None:
                # while a peer is away, one delivery after another is tried there: their studies need not tell of it
                how["is_told"] = destinations.get(tx, delivery.peer).open_until is None
                how["not_before"] = destinations.failed(tx, delivery.peer, now, error, patience, self._jitter)
            return outbox.fail(tx, delivery, now, error, **how)

        self._tell_if_buried(delivery, self._database.write(work), error)

    def withdraw(self, delivery: ClaimedDelivery, reason: str) -> None:
        """Settle as cancelled, because it is no longer wanted."""
        self._database.write(lambda tx: outbox.withdraw(tx, delivery, self._clock(), reason))

    def hold(self, delivery: ClaimedDelivery, reason: str, held_for: HeldFor) -> None:
        """Keep it back until an operator decides."""
        self._database.write(lambda tx: outbox.hold(tx, delivery, self._clock(), reason, held_for))
        _log.warning("delivery held", study_instance_uid=delivery.study_instance_uid, peer=delivery.peer, reason=reason)

    def put_back(self, delivery: ClaimedDelivery, *, may_have_left: bool) -> None:
        """Put it back to waiting without counting a failure, because it was stopped before or on its way."""
        self._database.write(lambda tx: outbox.release(tx, delivery, self._clock(), may_have_left=may_have_left))
        _log.info("delivery stopped", study_instance_uid=delivery.study_instance_uid, peer=delivery.peer)

    def _by_answer(
        self, tx: Transaction, delivery: ClaimedDelivery, answer: StoreAnswer, *, is_first: bool
    ) -> State | None:
        now, sorted_as = self._clock(), sort_status(answer.status)
        before = destinations.get(tx, delivery.peer)
        destinations.answered(tx, delivery.peer, now)
        said: dict[str, Any] = {"status": answer.status, "comment": answer.comment}
        if sorted_as is Answer.SENT:
            commitment = Commitment.ASKED if self._peer.storage_commitment else Commitment.NONE
            if outbox.finish(tx, delivery, now, **said, commitment=commitment):
                self._note(tx, now, delivery, answer, before)
                extras.offer(tx, delivery, self._peer.gets, now)
                self._tell_if_synthetic(tx, now, delivery)
            return None
        permanent, error = sorted_as is Answer.BURIED, f"the peer answered {worded(answer)}"
        said |= {"permanent": permanent, "jitter": self._jitter, "may_have_left": not is_first}
        return outbox.fail(tx, delivery, now, error, **said)

    def _tell_if_buried(self, delivery: ClaimedDelivery, state: State | None, reason: str) -> None:
        if state is State.BURIED:
            what = {"kind": _NAMED[delivery.kind], "model": delivery.model, "peer": delivery.peer}
            study = delivery.study_instance_uid
            _log.error("delivery given up", **what, study_instance_uid=study, delivery=delivery.id, reason=reason)

    def _tell_if_synthetic(self, tx: Transaction, now: datetime, delivery: ClaimedDelivery) -> None:
        """Tell of a report that was under way while its study turned synthetic."""
        if synthetic_marks.is_synthetic(tx, delivery.study_instance_uid):
            tell_standing(tx, now, delivery.study_instance_uid, self._test_peers)

    def _note(
        self, tx: Transaction, now: datetime, delivery: ClaimedDelivery, answer: StoreAnswer, before: Destination
    ) -> None:
        detail: dict[str, Any] = {"status": f"0x{answer.status:04X}"}
        if answer.status:
            detail["meaning"] = status_meaning(answer.status)
        if before.last_failure_at is not None and before.last_failure_at >= delivery.created_at:
            waited_s = (now - delivery.created_at).total_seconds()
            detail |= {"waited_s": round(waited_s, 1), "waited_for": before.last_error}
        audit.add(
            tx,
            now,
            f"{_NAMED[delivery.kind]} sent",
            study_uid=delivery.study_instance_uid,
            sop_uid=delivery.rendition.sop_instance_uid,
            peer=delivery.peer,
            attempt=delivery.attempt,
            **detail,
        )
