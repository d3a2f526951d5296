"""A delivery done: one report to one peer, sorted by what the peer answered.

0x0000, warnings 0xBxxx and 0x0111 count as sent; transient answers and a peer that is away are tried again after a
backoff, for as long as it takes; permanent answers are buried where the operator sees them.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime

from node.config import PeerSettings
from node.domain.errors import Permanent, Transient
from node.network.scu import OutgoingInstance, PeerAddress, StoreAnswer, open_association, worded
from node.network.status import Answer, sort_status
from node.pipeline.conclude import destinations, patient_key, says_the_same
from node.pipeline.standing import tell_standing
from node.store import analyses, audit, instances, outbox, registry, synthetic
from node.store.database import Database, Transaction
from node.store.outbox import ClaimedDelivery
from node.telemetry import logger

_log = logger("pipeline.deliver")


class Deliverer:
    """Handles claimed deliveries.

    Parameters
    ----------
    database
        Where the outbox is.
    ae_title
        This node's own AE title, under which it calls.
    peers
        The configured peers.
    clock
        The time now, aware.
    jitter
        Random source of the backoff.
    """

    def __init__(
        self,
        database: Database,
        ae_title: str,
        peers: Sequence[PeerSettings],
        clock: Callable[[], datetime],
        jitter: random.Random,
    ) -> None:
        self._database, self._ae_title = database, ae_title
        self._peers = {peer.name: peer for peer in peers}
        self._clock, self._jitter = clock, jitter

    def handle(self, delivery: ClaimedDelivery) -> None:
        """Send the pinned rendition, where it is still the current one, and settle the delivery by the answer."""
        peer = self._peers[delivery.peer]
        superseded = self._database.read(lambda tx: is_superseded(tx, delivery))
        if superseded:
            reason = "a newer report says otherwise"
            self._database.write(lambda tx: outbox.withdraw(tx, delivery, self._clock(), reason))
            return
        self._database.read(lambda tx: _require_permission(tx, delivery, peer))
        self._send(delivery, peer)

    def _send(self, delivery: ClaimedDelivery, peer: PeerSettings) -> None:
        report = OutgoingInstance(
            delivery.rendition.sop_class_uid,
            delivery.rendition.sop_instance_uid,
            delivery.rendition.transfer_syntax_uid,
            delivery.rendition.dataset,
        )
        address = PeerAddress(peer.ae_title, peer.host, peer.port)
        context = (report.sop_class_uid, report.transfer_syntax_uid)
        with open_association(address, self._ae_title, [context]) as association:
            answer = association.store(report)
            # settled before the release: a peer that has answered holds the report, however the association ends
            self._database.write(lambda tx: self._settle(tx, delivery, answer))
        _log.info(
            "report offered",
            study_instance_uid=delivery.study_instance_uid,
            peer=delivery.peer,
            status=f"0x{answer.status:04X}",
        )

    def _settle(self, tx: Transaction, delivery: ClaimedDelivery, answer: StoreAnswer) -> None:
        now = self._clock()
        sorted_as = sort_status(answer.status)
        if sorted_as is Answer.SENT:
            if outbox.finish(tx, delivery, now, answer.status):
                self._note(tx, now, delivery, answer)
                self._tell_if_synthetic(tx, now, delivery)
            return
        outbox.fail(
            tx,
            delivery,
            now,
            f"the peer answered {worded(answer)}",
            permanent=sorted_as is Answer.BURIED,
            jitter=self._jitter,
            status=answer.status,
        )

    def _tell_if_synthetic(self, tx: Transaction, now: datetime, delivery: ClaimedDelivery) -> None:
        """Tell of a report that was under way while its study turned synthetic."""
        if synthetic.is_synthetic(tx, delivery.study_instance_uid):
            test_peers = {peer.name for peer in self._peers.values() if peer.test}
            tell_standing(tx, now, delivery.study_instance_uid, test_peers)

    def _note(self, tx: Transaction, now: datetime, delivery: ClaimedDelivery, answer: StoreAnswer) -> None:
        audit.add(
            tx,
            now,
            "report sent",
            study_uid=delivery.study_instance_uid,
            sop_uid=delivery.rendition.sop_instance_uid,
            peer=delivery.peer,
            attempt=delivery.attempt,
            status=f"0x{answer.status:04X}",
        )


def is_superseded(tx: Transaction, delivery: ClaimedDelivery) -> bool:
    """Return whether a newer analysis of the study says something else, or the study has no image any more.

    Raises
    ------
    Transient
        Where the newest header stored names another patient or study than the report: a corrected one follows.
    """
    analysis = analyses.get(tx, delivery.analysis_id)
    latest = analyses.latest(tx, delivery.study_instance_uid, delivery.model)
    if latest is not None and not says_the_same(latest, analysis):
        return True
    newest = instances.newest_header(tx, delivery.study_instance_uid, delivery.model)
    if newest is not None and patient_key(newest.header) != analysis.patient_key:
        raise Transient("the patient's or study's identity was corrected since; a corrected report is to follow")
    return newest is None


def _require_permission(tx: Transaction, delivery: ClaimedDelivery, peer: PeerSettings) -> None:
    """Raise where the model's mode, or what came to the study since, no longer lets the report go there."""
    registration = registry.get(tx, delivery.model)
    mode = registration.mode if registration else "off"
    outcome = analyses.get(tx, delivery.analysis_id).outcome
    if synthetic.is_synthetic(tx, delivery.study_instance_uid) and not peer.test:
        raise Permanent(f"the study holds synthetic images, and {peer.name} has no test = true: no report goes there")
    if not destinations([peer], mode, outcome):
        raise Permanent(f"model {delivery.model} is in mode {mode}: its reports may not go to {peer.name}")
