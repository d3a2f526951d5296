"""What the database is told of instances that arrived: what they are, who reads them, and the work they cause.

The decisions are made here, in the transaction, for all instances that are recorded together; the writing is the
store's.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from node.domain.instance import InstanceHeader
from node.domain.rule import Rule, turned_away
from node.pipeline.arrival import Arrival, note
from node.pipeline.policy import ReceivePolicy
from node.pipeline.standing import watched
from node.store import instances, queue
from node.store.database import Transaction
from node.store.instances import NewInstance
from node.store.tables import InstanceKind

STORED = "instance stored"
"""The event of the timeline."""

_NOT_COUNTED = "said of an object that no model reads: the study does not turn synthetic by it"

Rules = Callable[[Transaction], Mapping[str, Rule | None]]
"""Gives the rules of the models by name, None for one that is off."""


class Recorder:
    """Records instances and schedules what they cause.

    Parameters
    ----------
    rules
        Asked once in every transaction, so that a change of mode needs no restart.
    device_uids
        Device UIDs of this node's own models, to know its reports when they come back.
    policy
        Quiet period, longest wait, and the peers at which reports about synthetic studies may stand.
    clock
        The time now, aware.
    """

    def __init__(
        self,
        rules: Rules,
        device_uids: frozenset[str],
        policy: ReceivePolicy,
        clock: Callable[[], datetime],
    ) -> None:
        self.rules, self.test_peers, self.clock = rules, policy.test_peers, clock
        self._device_uids, self._policy = device_uids, policy

    def record(self, tx: Transaction, arrivals: Sequence[Arrival], event: str = STORED) -> list[int | None]:
        """Record what is not held yet.

        Returns
        -------
        list
            For each arrival how many jobs it caused, None where its UID is held already and nothing was written.
        """
        now, rules = self.clock(), self.rules(tx)
        return [self._record(tx, came, rules, now, event) for came in arrivals]

    def compose_later(self, tx: Transaction, study_uid: str, model: str, now: datetime) -> None:
        """Let the study be composed after the quiet period, and never later than the longest wait."""
        waiting_since = instances.waiting_since(tx, study_uid, model)
        if waiting_since is None:
            return
        latest = waiting_since + timedelta(seconds=self._policy.max_wait_s)
        due_at = min(now + timedelta(seconds=self._policy.quiet_period_s), max(latest, now))
        queue.schedule_compose(tx, study_uid, model, due_at)

    def compose_again(
        self, tx: Transaction, studies: Collection[str], turned_away: Collection[str], now: datetime
    ) -> None:
        """Compose studies whose image has changed, by every model that did not turn the image away."""
        for model in self.rules(tx).keys() - turned_away:
            for study in studies:
                self.compose_later(tx, study, model, now)

    def _record(
        self, tx: Transaction, came: Arrival, rules: Mapping[str, Rule | None], now: datetime, event: str
    ) -> int | None:
        header, said = came.header, came.announced
        if instances.held(tx, header.sop_instance_uid) is not None:
            return None
        kind = self._kind(tx, header)
        refused, reading = _sorted_out(rules, came) if kind is InstanceKind.IMAGE else ({}, set())
        new = NewInstance(
            header,
            came.path,
            came.size_bytes,
            said.calling_ae_title,
            said.called_ae_title,
            said.address,
            now,
            kind,
            refused,
        )
        with watched(tx, now, [header.study_instance_uid] if header.synthetic else [], self.test_peers):
            instances.add(tx, new)
            for model in reading:
                queue.enqueue_read(tx, header.sop_instance_uid, model, now)
                self.compose_later(tx, header.study_instance_uid, model, now)
        counts = {} if reading or not header.synthetic else {"synthetic": _NOT_COUNTED}
        note(tx, now, event, came, kind=kind, turned_away=refused, **counts)
        return len(reading)

    def _kind(self, tx: Transaction, header: InstanceHeader) -> InstanceKind:
        if self._device_uids.intersection(header.device_uids) or instances.is_own(tx, header.sop_instance_uid):
            return InstanceKind.OWN
        return InstanceKind.IMAGE if header.has_pixels else InstanceKind.OTHER


def _sorted_out(rules: Mapping[str, Rule | None], came: Arrival) -> tuple[dict[str, str], set[str]]:
    """Return the models that turn the image away, with their reasons, and those that read it."""
    sender = came.announced.calling_ae_title
    reasons = {
        name: turned_away(rule, came.header, sender) if rule else "the model is off" for name, rule in rules.items()
    }
    refused = {name: reason for name, reason in reasons.items() if reason is not None}
    return refused, reasons.keys() - refused.keys()
