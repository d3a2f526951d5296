"""What the database is told of instances that arrived: what they are, who reads them, and the work they cause.

The decisions are made here, in the transaction, for all instances that are recorded together; the writing is the
store's.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from node.dicom.instance.image_class import is_image
from node.domain.derived import result_of_ai
from node.domain.instance import InstanceHeader
from node.domain.rejection import KEY_OBJECT_SELECTION
from node.domain.rule import IS_OFF, Rule, turned_away
from node.network.released import ReleasedAssociation
from node.pipeline.analysis import completion_signals
from node.pipeline.analysis.waiting import Came, Waiting
from node.pipeline.delivery.turned_synthetic import watched
from node.pipeline.intake.arrival import Arrival, noted
from node.pipeline.receive_policy import ReceivePolicy
from node.store import audit
from node.store.arriving.arrivals import Known, add_all, known_among
from node.store.arriving.instances import NewInstance
from node.store.audit import Entry
from node.store.database import Transaction
from node.store.json_text import JSONText, json_text
from node.store.keeping import backfills
from node.store.labelling import label_inbox, own_reports
from node.store.stopping import rejection_notes
from node.store.stopping.rejection_notes import Rejected
from node.store.tables.choices import InstanceKind, Origin
from node.store.working import closing, queue
from node.store.working.queue import NewRead, Wait

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
        self._device_uids, self._waiting = device_uids, Waiting(policy)
        self._ai_manufacturers = policy.ai_manufacturers

    def record(self, tx: Transaction, arrivals: Sequence[Arrival], event: str = STORED) -> list[int | None]:
        """Record what is not held yet; of one UID that came more than once, the first.

        Returns
        -------
        list
            For each arrival how many jobs it caused, None where its UID is held already and nothing was written.
        """
        known = known_among(tx, [came.sop_instance_uid for came in arrivals])
        facts = _Facts(
            known,
            self.rules(tx),
            rejection_notes.wrong_among(tx, known.rejected),
            backfills.open_for(tx, {came.header.study_instance_uid for came in arrivals}),
            self._devices(tx, arrivals),
        )
        fresh: dict[str, _Decision] = {}
        jobs: list[int | None] = []
        for came in arrivals:
            if came.sop_instance_uid in known.held or came.sop_instance_uid in fresh:
                jobs.append(None)
                continue
            decision = fresh[came.sop_instance_uid] = self._decided(came, facts)
            jobs.append(len(decision.reading) + decision.may_label)
        if fresh:
            self._write(tx, list(fresh.values()), event)
        return jobs

    def compose_again(
        self, tx: Transaction, studies: Collection[str], turned_away: Collection[str], now: datetime
    ) -> None:
        """Compose studies whose image has changed, by every model that did not turn the image away."""
        models = self.rules(tx).keys() - turned_away
        wait = self._waiting.after_change(now)
        self._await(tx, {(study, model): wait for study in studies for model in models})

    def released(self, tx: Transaction, association: ReleasedAssociation) -> None:
        """Let what a released association had brought count as complete, where its sender is known for that."""
        completion_signals.released(tx, association, self._waiting.policy, self.clock())

    def _decided(self, came: Arrival, facts: "_Facts") -> "_Decision":
        header, said = came.header, came.announced
        kind, reason = self._kind(header, facts)
        if header.sop_instance_uid in facts.wrong:  # its note came before it, or it was removed and is sent again
            reason = facts.wrong[header.sop_instance_uid].said
        refused, reading = dict.fromkeys(facts.rules if reason else (), reason or ""), frozenset[str]()
        if kind is InstanceKind.IMAGE and not reason:
            refused, reading = _sorted_out(facts.rules, came)
        new = NewInstance(
            header,
            came.path,
            came.size_bytes,
            said.calling_ae_title,
            said.called_ae_title,
            said.address,
            self.clock(),
            kind,
            refused,
            came.header_text,
            Origin.BACKFILL if header.study_instance_uid in facts.fetched else Origin.LIVE,
        )
        return _Decision(came, new, reading)

    def _devices(self, tx: Transaction, arrivals: Sequence[Arrival]) -> frozenset[str]:
        """Return the Device UIDs by which this node's own objects are known: of versions that served before, too.

        These are asked for only where something came that may be such an object: reports and notes have no pixels.
        """
        may_be_own = any(came.header.device_uids and not came.header.has_pixels for came in arrivals)
        return self._device_uids | own_reports.devices(tx) if may_be_own else self._device_uids

    def _kind(self, header: InstanceHeader, facts: "_Facts") -> tuple[InstanceKind, str | None]:
        """Return what an instance is, and why no model reads it whatever its rule."""
        if header.sop_instance_uid in facts.known.own or facts.devices.intersection(header.device_uids):
            return InstanceKind.OWN, None
        if (made := result_of_ai(header, self._ai_manufacturers)) is not None:
            return InstanceKind.OTHER, made
        return InstanceKind.IMAGE if is_image(header) else InstanceKind.OTHER, None

    def _write(self, tx: Transaction, decisions: Sequence["_Decision"], event: str) -> None:
        now = decisions[-1].new.received_at
        synthetic = {one.new.header.study_instance_uid for one in decisions if one.new.header.synthetic}
        with watched(tx, now, synthetic, self.test_peers):
            add_all(tx, [one.new for one in decisions])
            queue.enqueue_reads(tx, [read for one in decisions for read in self._reads(one)], now)
            rejection_notes.add_notes(tx, [one.new.header.sop_instance_uid for one in decisions if one.may_reject], now)
            label_inbox.add(tx, dict(one.of_study() for one in decisions if one.may_label), now)
            self._await(tx, self._waiting.after_images(tx, (came for one in decisions for came in one.causes()), now))
        audit.add_all(tx, [one.entry(event) for one in decisions])

    def _reads(self, decision: "_Decision") -> Iterator[NewRead]:
        new = decision.new
        priority = self._waiting.priority(new.calling_ae_title, is_fetched=decision.is_fetched)
        for model in decision.reading:
            yield NewRead(new.header.sop_instance_uid, new.header.study_instance_uid, model, priority)

    def _await(self, tx: Transaction, waits: Mapping[tuple[str, str], Wait]) -> None:
        """Let studies be composed once nothing more is expected; they are open until then."""
        queue.await_completion(tx, waits)
        closing.reopen(tx, {study for study, _ in waits})


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known before anything is decided, asked once for all that is recorded together."""

    known: Known
    rules: Mapping[str, Rule | None]
    wrong: Mapping[str, Rejected]  #: SOP Instance UIDs that a rejection note named
    fetched: Collection[str]  #: the studies that a backfill is fetching
    devices: frozenset[str]  #: Device UIDs of this node's models


@dataclass(frozen=True, slots=True)
class _Decision:
    """What an instance that is new is to the node."""

    came: Arrival
    new: NewInstance
    reading: Collection[str]  #: the models that read it

    @property
    def may_reject(self) -> bool:
        """Whether it is to be opened, because it may be a rejection note; one of this node's own is none."""
        return self.new.header.sop_class_uid == KEY_OBJECT_SELECTION and self.new.kind is InstanceKind.OTHER

    @property
    def may_label(self) -> bool:
        """Whether it is to be opened, because a person may say in it what an image shows; rejection notes among it."""
        is_of_persons = self.new.header.sop_class_uid in label_inbox.LABEL_SOP_CLASSES
        return is_of_persons and self.new.kind is InstanceKind.OTHER

    def of_study(self) -> tuple[str, str]:
        """Return its SOP Instance UID and its Study Instance UID."""
        return self.new.header.sop_instance_uid, self.new.header.study_instance_uid

    @property
    def is_fetched(self) -> bool:
        """Whether a backfill fetched it."""
        return self.new.origin is Origin.BACKFILL

    def causes(self) -> Iterator[Came]:
        new = self.new
        for model in self.reading:
            yield Came(new.header.study_instance_uid, model, new.calling_ae_title, self.is_fetched)

    def entry(self, event: str) -> Entry:
        header, new = self.new.header, self.new
        how = noted(self.came) | {"kind": new.kind}
        if header.synthetic and not self.reading:
            how["synthetic"] = _NOT_COUNTED
        detail = _told(tuple(how.items()), tuple(new.turned_away.items()))
        return Entry(new.received_at, event, header.study_instance_uid, header.sop_instance_uid, detail)


@lru_cache(maxsize=64)  # the same for most of what one association brings
def _told(how: tuple[tuple[str, object], ...], turned_away: tuple[tuple[str, str], ...]) -> JSONText:
    return json_text(dict(how) | {"turned_away": dict(turned_away)})


def _sorted_out(rules: Mapping[str, Rule | None], came: Arrival) -> tuple[dict[str, str], frozenset[str]]:
    """Return the models that turn the image away, with their reasons, and those that read it."""
    sender = came.announced.calling_ae_title
    reasons = {name: turned_away(rule, came.header, sender) if rule else IS_OFF for name, rule in rules.items()}
    refused = {name: reason for name, reason in reasons.items() if reason is not None}
    return refused, frozenset(reasons.keys() - refused.keys())
