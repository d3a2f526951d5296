"""Deliveries done: what waits for a peer is taken there, one association for all of it.

0x0000, warnings 0xBxxx and 0x0111 count as sent; transient answers are tried again after a backoff, for as long as it
takes; permanent answers are buried where the operator sees them. A peer that is away is left alone by its circuit
breaker (`node.store.sending.destinations`).
"""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from node.config import DeliverSettings, PeerSettings
from node.domain.lifecycle import HeldFor
from node.domain.patient import IDENTITY_KEYS
from node.network.kept_association import KeptAssociation, KeptSearch
from node.network.peer import PeerAddress, PeerUnreachable, Timeouts
from node.network.scu import OutgoingInstance, StoreAnswer
from node.pipeline.delivery import form_choice, leaving
from node.pipeline.delivery.settle import Settling
from node.pipeline.failure import described, is_permanent
from node.pipeline.steps import DeliveryReached, DeliveryStep, delivery_unobserved
from node.store.database import Database, Transaction
from node.store.sending import destinations, outbox, outgoing, pinning
from node.store.sending.destinations import Patience
from node.store.sending.outbox import ClaimedDelivery
from node.store.sending.pinning import Form
from node.telemetry import logger

_log = logger("pipeline.deliver")

LEASE_S = 600.0  # connection, query and the slowest answer fit in it
IDLE_GRACE_S = 1.0
"""An association stands so long after what was sent last: what is composed next may leave on it."""

_ALARM_EVERY = timedelta(hours=1)
_LOOKS_FOR_ALARM_EVERY = timedelta(minutes=1)


class _NotWanted(Exception):  # noqa: N818 - an event, not an error
    """What is being sent must not leave any more, or not now."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """What every courier is given."""

    database: Database
    ae_title: str  #: this node's own, under which it calls
    settings: DeliverSettings
    test_peers: Collection[str]  #: names of the peers with ``test = true``
    clock: Callable[[], datetime]
    jitter: random.Random  #: of backoffs and pauses
    timeouts: Timeouts | None = None
    reached: DeliveryReached = delivery_unobserved  #: called at each step; for tests that end the process there

    @property
    def patience(self) -> Patience:
        """When a peer's breaker opens, and for how long."""
        pause_s = self.settings.breaker_pause_s
        return Patience(self.settings.breaker_failures, pause_s, max(pause_s, Patience().longest_pause_s))


class Courier:
    """Takes to one peer what waits for it; `claim`, `handle`, `fail` and `next_due` are a work loop's.

    For one thread. An association stands between one delivery and the next, until nothing has been due for
    `IDLE_GRACE_S`.

    Parameters
    ----------
    given
        What every courier is given.
    peer
        Where it delivers.
    worker
        Who it is in the operator's listings.
    """

    def __init__(self, given: Delivering, peer: PeerSettings, worker: str) -> None:
        self._given, self._peer, self._worker = given, peer, worker
        self._database, self._clock = given.database, given.clock
        address = PeerAddress(peer.ae_title, peer.host, peer.port)
        self._association = KeptAssociation(address, given.ae_title, given.timeouts)
        self._search = KeptSearch(address, given.ae_title, given.timeouts)
        self._settling = Settling(given.database, peer, given.test_peers, given.clock, given.jitter)
        #: Asked while a peer is slow and nothing has left yet: whether to go on waiting, or to deliver another time.
        self.goes_on: Callable[[], bool] = lambda: True
        self._is_busy = False
        self._idle_until: datetime | None = None
        self._looked_at: datetime | None = None
        self._alarmed_at: datetime | None = None

    def claim(self) -> ClaimedDelivery | None:
        """Take the next delivery that is due, or let go of the association where nothing was for a while."""
        claimed = self._database.write(self._claim)
        self._is_busy = claimed is not None
        if claimed is None and self._idle_until is not None and self._idle_until <= self._clock():
            self.close()
        return claimed

    def _claim(self, tx: Transaction) -> ClaimedDelivery | None:
        now = self._clock()
        destination = destinations.get(tx, self._peer.name)
        if destination.paused_at(now):
            return None
        claimed = outbox.claim(tx, now, LEASE_S, self._worker, [self._peer.name])
        if claimed is not None:
            destinations.book_probe(tx, destination, now, self._given.patience)
            # in the same commit: what waits for a peer costs none of its own while an association stands
            claimed = form_choice.pin_while_open(tx, claimed, self._association.accepts, now)
        return claimed

    def handle(self, delivery: ClaimedDelivery) -> None:
        """Send the pinned rendition, where it is still to leave, and settle the delivery by the answer."""
        self._association.offers = 0
        self._given.reached(DeliveryStep.CLAIMED)
        try:
            pinned = self._pinned_to_leave(delivery)
            if pinned is not None:
                answer = self._send(pinned)
                self._given.reached(DeliveryStep.ANSWERED)
                # settled before the release: a peer that has answered holds the report, however the association ends
                self._settling.by_answer(pinned, answer, is_first=self._association.offers == 1)
                self._given.reached(DeliveryStep.SETTLED)
        except _NotWanted:
            self._settling.put_back(delivery, may_have_left=self._association.offers > 0)
        finally:
            self._idle_until = self._clock() + timedelta(seconds=IDLE_GRACE_S)

    def fail(self, delivery: ClaimedDelivery, error: Exception) -> None:
        """Settle a delivery whose `handle` raised; a peer that was not reached is left alone after a few of these."""
        patience = self._given.patience if isinstance(error, PeerUnreachable) else None
        how = {"permanent": is_permanent(error), "may_have_left": self._association.offers > 0}
        self._settling.by_failure(delivery, described(error), patience, **how)

    def next_due(self) -> datetime | None:
        """Return when `claim` may find something or has an association to let go of."""
        if self._is_busy:
            return self._clock()
        self._look_for_alarm()
        times = (self._database.read(self._due), self._idle_until)
        return min((time for time in times if time is not None), default=None)

    def close(self) -> None:
        """Release what associations stand."""
        self._idle_until = None
        self._association.close()
        self._search.close()

    def _due(self, tx: Transaction) -> datetime | None:
        due = outbox.next_due(tx, [self._peer.name])
        paused_until = destinations.get(tx, self._peer.name).paused_at(self._clock())
        return due if due is None or paused_until is None else max(due, paused_until)

    def _pinned_to_leave(self, delivery: ClaimedDelivery) -> ClaimedDelivery | None:
        """Return a delivery with the form in which it may leave now; None where it may not, and then it is settled."""
        if not self._is_current(delivery):
            return None
        was_open = self._association.is_open
        # what could not leave anyway is neither too late nor another patient's: the peer is reached first
        form = self._form(delivery)
        if self._is_hindered(delivery):
            return None
        # a peer may take its time for an association or an answer, and a correction may have come meanwhile
        if not ((was_open and not self._peer.query) or self._is_current(delivery)):
            return None
        return delivery if delivery.is_pinned else self._pinned(delivery, form)

    def _form(self, delivery: ClaimedDelivery) -> Form:
        may_leave = self._database.read(lambda tx: pinning.forms(tx, delivery))
        syntaxes = [form.syntaxes for form in may_leave]
        others = partial(self._syntaxes_waiting, delivery)
        self._association.open_for(syntaxes, others, self._watch_before(delivery))
        return form_choice.required(may_leave, self._association.accepts, delivery)

    def _pinned(self, delivery: ClaimedDelivery, form: Form) -> ClaimedDelivery | None:
        """Return a delivery with its form pinned, or None where it is no longer wanted; then it is settled."""
        pinned = self._database.write(lambda tx: form_choice.pin(tx, delivery, form, self._clock()))
        if pinned is None:
            self._is_current(delivery)
        return pinned

    def _is_hindered(self, delivery: ClaimedDelivery) -> bool:
        limit_s = self._given.settings.max_result_age_s
        hindrance = self._database.read(lambda tx: leaving.too_late(tx, delivery, self._clock(), limit_s))
        hindrance = hindrance or self._mismatch(delivery)
        if hindrance is not None:
            self._settling.hold(delivery, hindrance.said(delivery.id), hindrance.held_for)
        return hindrance is not None

    def _is_current(self, delivery: ClaimedDelivery) -> bool:
        """Return whether a report is still true and allowed there; where it was superseded, it is settled."""
        try:
            reason = self._database.read(lambda tx: leaving.superseded(tx, delivery))
        except leaving.IdentityCorrected:
            self._database.write(lambda tx: leaving.see_that_it_follows(tx, delivery, self._clock()))
            raise
        if reason := reason or leaving.not_asked_for(delivery, self._peer):
            self._settling.withdraw(delivery, reason)
            return False
        self._database.read(lambda tx: leaving.require_permission(tx, delivery, self._peer))
        return True

    def _mismatch(self, delivery: ClaimedDelivery) -> leaving.Hindrance | None:
        if not leaving.is_asked_about(delivery, self._peer):
            return None
        header = self._database.read(lambda tx: leaving.header_that_counts(tx, delivery))
        if header is None:
            return None
        keys = dict.fromkeys(IDENTITY_KEYS, "") | {"StudyInstanceUID": header.study_instance_uid}
        answers = self._search.studies(keys, self._watch_before(delivery))
        waited = self._clock() - delivery.waits_since
        # what was let go although the peer did not hold the study waits no longer for it, and is no other patient's
        wait_s = 0.0 if HeldFor.STUDY in delivery.waived else self._given.settings.identity_wait_s
        hindrance = leaving.mismatch(header, answers, self._peer, waited, wait_s)
        return None if hindrance is not None and hindrance.held_for in delivery.waived else hindrance

    def _syntaxes_waiting(self, delivery: ClaimedDelivery) -> Sequence[tuple[str, str]]:
        name, in_hand, gets = self._peer.name, delivery.rendition.id, self._peer.gets
        return self._database.read(lambda tx: outgoing.syntaxes_waiting(tx, name, in_hand, gets))

    def _send(self, delivery: ClaimedDelivery) -> StoreAnswer:
        report = delivery.rendition
        outgoing_report = OutgoingInstance(
            report.sop_class_uid, report.sop_instance_uid, report.transfer_syntax_uid, report.dataset
        )
        watch = self._watch(delivery)
        watch()
        self._given.reached(DeliveryStep.PINNED)
        return self._association.store(outgoing_report, watch)

    def _watch_before(self, delivery: ClaimedDelivery) -> Callable[[], None]:
        """Return what is called as that of `_watch` while nothing has left: a node that ends does not wait for that."""
        watch = self._watch(delivery)

        def watch_before() -> None:
            if not self.goes_on():
                raise _NotWanted
            watch()

        return watch_before

    def _watch(self, delivery: ClaimedDelivery) -> Callable[[], None]:
        """Return what is called every second or so while the peer is slow, and raises once this must not leave."""

        def watch() -> None:
            if not self._database.read(lambda tx: outgoing.is_wanted(tx, delivery)):
                raise _NotWanted

        return watch

    def _look_for_alarm(self) -> None:
        """Say, once an hour at most, that something has been waiting for this peer for too long."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < _LOOKS_FOR_ALARM_EVERY:
            return
        self._looked_at = now
        oldest = self._database.read(lambda tx: outgoing.oldest_waiting(tx, self._peer.name))
        if oldest is None or now - oldest <= timedelta(seconds=self._given.settings.age_alarm_s):
            self._alarmed_at = None
        elif self._alarmed_at is None or now - self._alarmed_at >= _ALARM_EVERY:
            self._alarmed_at = now
            _log.warning("reports wait for a peer", peer=self._peer.name, since=oldest.isoformat())
