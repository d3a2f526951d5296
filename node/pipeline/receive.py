"""An instance in: checked, stored durably, recorded with the work it causes, and only then acknowledged.

The order is the promise: temporary file, fsync, rename, fsync of the folder, one transaction, commit, answer
(DICOM PS3.4 B.2.3 for the statuses). It knows no socket: the network room calls `Receiver.receive` and sends what it
returns.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.dicom.part10 import preamble_and_meta, read_part10
from node.domain.errors import Refused, Transient
from node.domain.instance import InstanceHeader
from node.domain.rule import Rule, turned_away
from node.network.reception import Announced, IncomingInstance, Reception, gathered
from node.pipeline.announced import checked_header
from node.pipeline.arrival import copy_of, note
from node.pipeline.conclude import patient_key
from node.pipeline.repeat import Repeat, compare
from node.pipeline.standing import watched
from node.store import instances, queue, synthetic
from node.store.database import Database, Transaction
from node.store.files import InstanceFiles, StoredFile
from node.store.instances import HeldInstance, NewInstance
from node.store.tables import InstanceKind
from node.telemetry import logger

_SUCCESS = 0x0000
_DUPLICATE_SOP_INSTANCE = 0x0111
_OUT_OF_RESOURCES = 0xA700
_NOT_COUNTED = "said of an object that no model reads: the study does not turn synthetic by it"

_log = logger("pipeline.receive")


@dataclass(frozen=True, slots=True)
class ReceivePolicy:
    """What the operator set for receiving."""

    quiet_period_s: float
    max_wait_s: float
    min_free_bytes: int
    min_free_inodes: int
    test_peers: frozenset[str] = frozenset()  #: their names: reports about synthetic studies may stand there


class Receiver:
    """Answers each C-STORE with the status that is true.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    rules
        Returns the rules of the models by name, None for one that is off; asked in every transaction, so that a
        change of mode needs no restart.
    device_uids
        Device UIDs of this node's own models, to know its reports when they come back.
    policy
        Quiet period, longest wait and what must stay free.
    clock
        The time now, aware.
    wake
        Called after the commit of an instance that caused work.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        rules: Callable[[Transaction], Mapping[str, Rule | None]],
        device_uids: frozenset[str],
        policy: ReceivePolicy,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._database, self._files, self._policy = database, files, policy
        self._rules, self._device_uids = rules, device_uids
        self._clock, self._wake = clock, wake

    def begin(self, announced: Announced) -> Reception:
        """Take what an association announces."""
        return gathered(self.receive)(announced)

    def receive(self, incoming: IncomingInstance) -> int:
        """Store one instance and return its status.

        Returns
        -------
        int
            0x0000 where file and row are durable, or the same was already held; 0x0111 where the held instance of
            this UID has other pixels.

        Raises
        ------
        Refused
            0xA700 no room or database down, 0xA900 not what the command said, 0xC000 not parsable.
        """
        header = checked_header(incoming)
        try:
            self._require_room(len(incoming.dataset))
            return self._stored(incoming, header)
        except OSError as error:
            raise Refused(_OUT_OF_RESOURCES, f"the instance store cannot be written: {error.strerror}") from error
        except Transient as error:
            raise Refused(_OUT_OF_RESOURCES, "the database cannot be written") from error

    def _require_room(self, size_bytes: int) -> None:
        free = self._files.free()
        if free.bytes - size_bytes < self._policy.min_free_bytes or free.inodes < self._policy.min_free_inodes:
            raise Refused(_OUT_OF_RESOURCES, "the disk is at its watermark ([storage] min_free_mb, min_free_inodes)")

    def _stored(self, incoming: IncomingInstance, header: InstanceHeader) -> int:
        held = self._database.read(lambda tx: instances.held(tx, header.sop_instance_uid))
        if held is not None:
            return self._again(incoming, header, held)
        jobs = self._recorded(
            incoming, header, self._files.keep, lambda tx, path: self._record(tx, incoming, header, path)
        )
        if jobs is None:
            # the same UID came on another association between the look-up and the commit
            return self._stored(incoming, header)
        if jobs:
            self._wake()
        return _SUCCESS

    def _recorded(
        self,
        incoming: IncomingInstance,
        header: InstanceHeader,
        place: Callable[[StoredFile], str],
        record: Callable[[Transaction, str], int | None],
    ) -> int | None:
        """Write the file, give it its place, record it; a file that no row came to name is taken away again."""
        stored = self._written(incoming, header)
        try:
            path = place(stored)
        except OSError:
            self._files.discard(stored)
            raise
        try:
            jobs = self._database.write(lambda tx: record(tx, path))
        except Transient:
            if self._database.failed_writes_are_certain:
                self._files.remove(path)  # or a peer that tries for hours would fill the disk
            raise
        if jobs is None:
            self._files.remove(path)
        return jobs

    def _written(self, incoming: IncomingInstance, header: InstanceHeader) -> StoredFile:
        meta = preamble_and_meta(
            header.sop_class_uid, header.sop_instance_uid, incoming.transfer_syntax_uid, incoming.calling_ae_title
        )
        return self._files.write(header.sop_instance_uid, header.study_instance_uid, (meta, incoming.dataset))

    def _record(self, tx: Transaction, incoming: IncomingInstance, header: InstanceHeader, path: str) -> int | None:
        """Write the instance, its jobs and its audit entry; return how many jobs, None where the UID is held by now."""
        if instances.held(tx, header.sop_instance_uid) is not None:
            return None
        now = self._clock()
        kind = self._kind(tx, header)
        rules = self._rules(tx) if kind is InstanceKind.IMAGE else {}
        reasons = {
            name: turned_away(rule, header, incoming.calling_ae_title) if rule else "the model is off"
            for name, rule in rules.items()
        }
        refused = {name: reason for name, reason in reasons.items() if reason is not None}
        new = NewInstance(
            header,
            path,
            len(incoming.dataset),
            incoming.calling_ae_title,
            incoming.called_ae_title,
            incoming.address,
            now,
            kind,
            refused,
        )
        reading = reasons.keys() - refused.keys()
        with watched(tx, now, [header.study_instance_uid] if header.synthetic else [], self._policy.test_peers):
            instances.add(tx, new)
            for model in reading:
                queue.enqueue_read(tx, header.sop_instance_uid, model, now)
                self._schedule(tx, header.study_instance_uid, model, now)
        counts = {} if reading or not header.synthetic else {"synthetic": _NOT_COUNTED}
        note(tx, now, "instance stored", header, incoming, kind=kind, turned_away=refused, **counts)
        return len(reading)

    def _kind(self, tx: Transaction, header: InstanceHeader) -> InstanceKind:
        if self._device_uids.intersection(header.device_uids) or instances.is_own(tx, header.sop_instance_uid):
            return InstanceKind.OWN
        return InstanceKind.IMAGE if header.has_pixels else InstanceKind.OTHER

    def _schedule(self, tx: Transaction, study_uid: str, model: str, now: datetime) -> None:
        """Let the study be composed after the quiet period, and never later than the longest wait."""
        waiting_since = instances.waiting_since(tx, study_uid, model)
        if waiting_since is None:
            return
        latest = waiting_since + timedelta(seconds=self._policy.max_wait_s)
        due_at = min(now + timedelta(seconds=self._policy.quiet_period_s), max(latest, now))
        queue.schedule_compose(tx, study_uid, model, due_at)

    def _again(self, incoming: IncomingInstance, header: InstanceHeader, held: HeldInstance) -> int:
        """Answer a second copy of a held UID, in one of four ways."""
        try:
            newest = read_part10(self._files.path(held.newest_path))
        except FileNotFoundError:
            _log.error("the file of a stored instance is gone; this copy takes its place", path=held.newest_path)
            self._revised(incoming, header)
            return _SUCCESS
        repeat = compare(newest.dataset, newest.transfer_syntax_uid, incoming.dataset, incoming.transfer_syntax_uid)
        if repeat is Repeat.OTHER_TRANSFER_SYNTAX:
            self._database.write(lambda tx: self._left(tx, incoming, header))
            self._wake()
        elif repeat is Repeat.REVISION:
            self._revised(incoming, header)
        elif repeat is Repeat.OTHER_PIXELS:
            self._quarantined(incoming, header)
            return _DUPLICATE_SOP_INSTANCE
        return _SUCCESS

    def _revised(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        known = self._same_copy(incoming, header.sop_instance_uid)
        if known is None:
            self._recorded(
                incoming, header, self._files.keep, lambda tx, path: self._revise(tx, incoming, header, path)
            )
        else:
            self._database.write(lambda tx: self._revise(tx, incoming, header, known))
        self._wake()

    def _quarantined(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        if self._same_copy(incoming, header.sop_instance_uid) is None:
            self._recorded(
                incoming,
                header,
                self._files.quarantine,
                lambda tx, path: self._quarantine(tx, incoming, header, path),
            )
        self._wake()
        _log.error("same UID with other pixels quarantined", sop_instance_uid=header.sop_instance_uid)

    def _same_copy(self, incoming: IncomingInstance, sop_instance_uid: str) -> str | None:
        """Return the path of a copy with these very bytes that is kept already: two senders may take turns for days."""
        paths = self._database.read(lambda tx: instances.copies(tx, sop_instance_uid))
        for path in filter(lambda path: self._files.path(path).is_file(), paths):
            kept = read_part10(self._files.path(path))
            if (kept.transfer_syntax_uid, kept.dataset) == (incoming.transfer_syntax_uid, incoming.dataset):
                return path
        return None

    def _revise(self, tx: Transaction, incoming: IncomingInstance, header: InstanceHeader, path: str) -> int:
        """Let the changed header count; where it says another patient, or synthetic, the report is composed again."""
        now = self._clock()
        held = instances.held(tx, header.sop_instance_uid)  # as it is now: another revision may have come meanwhile
        studies = {header.study_instance_uid} | ({held.header.study_instance_uid} if held else set())
        with watched(tx, now, studies, self._policy.test_peers) as turned:
            instances.add_revision(tx, copy_of(incoming, header, path, now, "changed header"))
            instances.update_header(tx, header.sop_instance_uid, header, path=path)
        changed = held is not None and patient_key(header) != patient_key(held.header)
        if held is not None and held.kind is InstanceKind.IMAGE:
            self._compose_again(tx, held, studies if changed else turned, now)
        note(tx, now, "revision stored", header, incoming, identity_changed=changed)
        return 0

    def _quarantine(self, tx: Transaction, incoming: IncomingInstance, header: InstanceHeader, path: str) -> int:
        now = self._clock()
        instances.add_quarantined(tx, copy_of(incoming, header, path, now, "other pixels under the same UID"))
        self._mark(tx, header, now)
        note(tx, now, "instance quarantined", header, incoming, reason="other pixels under the same UID")
        return 0

    def _left(self, tx: Transaction, incoming: IncomingInstance, header: InstanceHeader) -> None:
        """Note a copy that is not kept: the same image in another transfer syntax."""
        now = self._clock()
        self._mark(tx, header, now)
        note(tx, now, "other transfer syntax", header, incoming, kept="the first copy")

    def _mark(self, tx: Transaction, header: InstanceHeader, now: datetime) -> None:
        """Let a copy whose header does not count say all the same that the image under its UID is synthetic."""
        held = instances.held(tx, header.sop_instance_uid)
        if held is None or not header.synthetic:
            return
        with watched(tx, now, [held.header.study_instance_uid], self._policy.test_peers) as turned:
            synthetic.mark(tx, header.sop_instance_uid)
        self._compose_again(tx, held, turned, now)

    def _compose_again(self, tx: Transaction, held: HeldInstance, studies: Collection[str], now: datetime) -> None:
        for model in self._rules(tx).keys() - held.turned_away.keys():
            for study in studies:
                self._schedule(tx, study, model, now)
