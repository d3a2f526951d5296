"""The same SOP Instance UID again: what becomes of the second copy, and what it is answered.

The copy's file is durable already and lies beside the first one. It is compared outside of any transaction; whether
the comparison still holds is asked inside of the one that records it, because another copy may have come meanwhile.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from node.dicom.encoding.mapped import same_bytes
from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.part10 import NotPart10
from node.domain.errors import Refused
from node.pipeline.analysis.conclude import patient_key
from node.pipeline.delivery.turned_synthetic import watched
from node.pipeline.intake.arrival import Arrival, noted
from node.pipeline.intake.recorder import Recorder
from node.pipeline.intake.repeat import Repeat, compare
from node.pipeline.intake.unrecorded import removed_on_failure
from node.pipeline.kept_file import KeptFile, opened
from node.store import audit
from node.store.arriving import instances, synthetic_marks
from node.store.arriving.instances import HeldInstance, NewCopy
from node.store.audit import Entry
from node.store.database import Database, Transaction
from node.store.disk import paths
from node.store.disk.files import InstanceFiles
from node.store.labelling import label_inbox
from node.store.stopping import rejecting, rejection_notes
from node.store.tables.choices import InstanceKind
from node.store.working import findings
from node.telemetry import logger

_SUCCESS = 0x0000
_DUPLICATE_SOP_INSTANCE = 0x0111
_OUT_OF_RESOURCES = 0xA700
_SAME_IMAGE = (Repeat.EQUAL, Repeat.OTHER_TRANSFER_SYNTAX, Repeat.REVISION)

_log = logger("pipeline.again")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is held of a UID, as it was when a copy was compared with it."""

    held: HeldInstance
    copies: tuple[str, ...]  #: paths of all copies


@dataclass(frozen=True, slots=True)
class _Verdict:
    repeat: Repeat
    same: str | None = None  #: path of a kept copy with these very bytes: two senders may take turns for days
    gone: str | None = None  #: path of the newest copy where its file is gone: this copy takes its place
    heals: bool = False  #: whether that file is gone or spoilt, so that nothing was compared


class Copies:
    """Settles second copies of held UIDs.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    recorder
        Schedules what a changed header causes.
    wake
        Called after the commit of a copy that may have caused work.
    """

    def __init__(
        self, database: Database, files: InstanceFiles, recorder: Recorder, wake: Callable[[], None] = lambda: None
    ) -> None:
        self._database, self._files, self._recorder, self._wake = database, files, recorder, wake

    def settle(self, came: Arrival) -> int:
        """Keep or remove a second copy and return the status to answer.

        Raises
        ------
        Refused
            0xA700 where the first copy was removed meanwhile.
        OSError, Transient
            Where files or database fail; no row names the copy then.
        """
        with removed_on_failure(self._files, came.path):
            known = self._known(came)
            if known.held.removed_at is not None:
                return self._stored_again(came, known)
            verdict = self._verdict(came, known)
            if verdict.repeat in _SAME_IMAGE:
                self._restore(came)
        match verdict.repeat:
            case Repeat.EQUAL:
                return self._equal(came, known)
            case Repeat.OTHER_TRANSFER_SYNTAX:
                return self._left(came)
            case Repeat.REVISION:
                return self._revised(came, known, verdict)
            case Repeat.OTHER_IDENTITY:
                return self._quarantined(came, known, verdict, _SUCCESS)
            case Repeat.OTHER_PIXELS:
                return self._quarantined(came, known, verdict, _DUPLICATE_SOP_INSTANCE)

    def same_as(self, came: Arrival) -> str | None:
        """Return the path of a copy that a row names and that has the same bytes: its own, or another; or None."""
        paths = self._database.read(lambda tx: instances.copies(tx, came.sop_instance_uid))
        with opened(self._files.path(came.path)) as file:
            return came.path if came.path in paths else self._same(file, paths)

    def _known(self, came: Arrival) -> _Known:
        known = self._database.read(lambda tx: _known(tx, came))
        if known is None:
            raise Refused(_OUT_OF_RESOURCES, "the first copy of this instance was removed meanwhile: send it again")
        return known

    def _verdict(self, came: Arrival, known: _Known) -> _Verdict:
        held, alike = known.held, patient_key(came.header) == patient_key(known.held.header)
        with opened(self._files.path(came.path)) as file:
            gone, heals = None, False
            try:
                with opened(self._files.path(held.newest_path)) as newest:
                    repeat = compare(newest, file, self._files.open_scratch, same_identity=alike)
            except (FileNotFoundError, NotPart10, NotParsable) as error:
                reason = type(error).__name__
                _log.error("stored file gone or spoilt came again", path=held.newest_path, reason=reason)
                repeat = Repeat.REVISION if alike else Repeat.OTHER_IDENTITY
                gone, heals = held.newest_path if isinstance(error, FileNotFoundError) else None, True
            others = [path for path in known.copies if path != held.newest_path]
            return _Verdict(repeat, None if repeat is Repeat.EQUAL else self._same(file, others), gone, heals)

    def _same(self, file: KeptFile, copies: Sequence[str]) -> str | None:
        for path in copies:
            try:
                with opened(self._files.path(path)) as kept:
                    if kept.transfer_syntax_uid == file.transfer_syntax_uid and same_bytes(kept.dataset, file.dataset):
                        return path
            except (FileNotFoundError, NotPart10):
                continue
        return None

    def _equal(self, came: Arrival, known: _Known) -> int:
        """Remove a copy of what is held, unless retention has just taken that away."""
        if self._known(came) != known:
            return self.settle(came)
        self._files.remove(came.path)
        return _SUCCESS

    def _left(self, came: Arrival) -> int:
        """Note a copy that is not kept: the same image in another transfer syntax."""
        self._files.remove(came.path)
        self._database.write(lambda tx: self._note_left(tx, came))
        self._wake()
        return _SUCCESS

    def _stored_again(self, came: Arrival, known: _Known) -> int:
        """Keep an instance whose file was removed for its age; it is read again where it is not what it was."""
        if not self._named(came, lambda tx: _is_still(tx, known) and self._store_again(tx, came, known.held)):
            return self.settle(came)
        self._restore(came)
        self._wake()
        return _SUCCESS

    def _store_again(self, tx: Transaction, came: Arrival, held: HeldInstance) -> bool:
        now, header = self._recorder.clock(), came.header
        # pixels are no longer there to compare; of the same length under the same header they are the same
        differs = (header, came.size_bytes) != (held.header, held.size_bytes)
        with watched(tx, now, {header.study_instance_uid}, self._recorder.test_peers):
            instances.store_again(tx, header, came.path, came.size_bytes, now)
        if differs:
            findings.read_again(tx, header.sop_instance_uid, header.study_instance_uid, now)
        _note(tx, now, "instance stored again", came, held.header.study_instance_uid, read_again=differs)
        return True

    def _revised(self, came: Arrival, known: _Known, verdict: _Verdict) -> int:
        newest = came if verdict.same is None else replace(came, path=verdict.same)
        if not self._named(came, lambda tx: _is_still(tx, known) and self._revise(tx, newest, verdict)):
            return self.settle(came)
        if newest is not came:
            self._files.remove(came.path)
        self._wake()
        return _SUCCESS

    def _quarantined(self, came: Arrival, known: _Known, verdict: _Verdict, status: int) -> int:
        if verdict.same is not None:
            self._files.remove(came.path)
            return status
        reason = verdict.repeat.value
        with removed_on_failure(self._files, came.path):
            aside = replace(came, path=self._files.set_aside(came.path))
        if not self._named(aside, lambda tx: _is_still(tx, known) and self._quarantine(tx, aside, known, reason)):
            return self.settle(aside)
        self._wake()
        _log.error("a copy of a held instance is quarantined", sop_instance_uid=came.sop_instance_uid, reason=reason)
        return status

    def _restore(self, came: Arrival) -> None:
        """Let an image be read that a rejection note called removed for its age: it has come again."""
        uid = came.sop_instance_uid
        if self._database.read(lambda tx: rejection_notes.is_removed(tx, uid)):
            self._database.write(lambda tx: self._read_again(tx, came))
            self._wake()

    def _read_again(self, tx: Transaction, came: Arrival) -> None:
        now, held = self._recorder.clock(), instances.held(tx, came.sop_instance_uid)
        if held is not None and rejection_notes.restore(tx, came.sop_instance_uid):
            findings.read_again(tx, came.sop_instance_uid, held.header.study_instance_uid, now)
            rejecting.put_back(tx, held.header.study_instance_uid, now)
            _note(tx, now, "instance restored", came, held.header.study_instance_uid)

    def _named(self, came: Arrival, record: Callable[[Transaction], bool]) -> bool:
        with removed_on_failure(self._files, came.path):
            return self._database.write(record)

    def _revise(self, tx: Transaction, came: Arrival, verdict: _Verdict) -> bool:
        """Let the changed header count; where it says another patient, or synthetic, the report is composed again."""
        now, header = self._recorder.clock(), came.header
        if verdict.gone is not None:
            paths.replace(tx, header.sop_instance_uid, verdict.gone, came.path, came.size_bytes)
        held = instances.held(tx, header.sop_instance_uid)
        studies = {header.study_instance_uid} | ({held.header.study_instance_uid} if held else set())
        with watched(tx, now, studies, self._recorder.test_peers) as turned:
            instances.add_revision(tx, _copy_of(came, now, "changed header"))
            instances.update_header(tx, header.sop_instance_uid, header, path=came.path)
        changed = held is not None and patient_key(header) != patient_key(held.header)
        if held is not None and held.kind is InstanceKind.IMAGE:
            self._compose_again(tx, held, studies if changed else turned)
        if held is not None and held.kind is InstanceKind.OTHER:  # a rejection note or a label that was corrected
            rejection_notes.read_again(tx, header.sop_instance_uid, now)
            label_inbox.read_again(tx, now, header.sop_instance_uid)
        if verdict.heals:
            findings.read_again(tx, header.sop_instance_uid, header.study_instance_uid, now)
        _note(tx, now, "revision stored", came, identity_changed=changed)
        return True

    def _quarantine(self, tx: Transaction, came: Arrival, known: _Known, reason: str) -> bool:
        now = self._recorder.clock()
        instances.add_quarantined(tx, _copy_of(came, now, reason))
        self._mark(tx, came)
        _note(tx, now, "instance quarantined", came, known.held.header.study_instance_uid, reason=reason)
        return True

    def _note_left(self, tx: Transaction, came: Arrival) -> None:
        self._mark(tx, came)
        _note(tx, self._recorder.clock(), "other transfer syntax", came, kept="the first copy")

    def _mark(self, tx: Transaction, came: Arrival) -> None:
        """Let a copy whose header does not count say all the same that the image under its UID is synthetic."""
        held = instances.held(tx, came.sop_instance_uid)
        if held is None or not came.header.synthetic:
            return
        now = self._recorder.clock()
        with watched(tx, now, [held.header.study_instance_uid], self._recorder.test_peers) as turned:
            synthetic_marks.mark(tx, came.sop_instance_uid)
        self._compose_again(tx, held, turned)

    def _compose_again(self, tx: Transaction, held: HeldInstance, studies: Collection[str]) -> None:
        self._recorder.compose_again(tx, studies, held.turned_away.keys(), self._recorder.clock())


def _known(tx: Transaction, came: Arrival) -> _Known | None:
    held = instances.held(tx, came.sop_instance_uid)
    return None if held is None else _Known(held, tuple(instances.copies(tx, came.sop_instance_uid)))


def _is_still(tx: Transaction, known: _Known) -> bool:
    """Return whether nothing came under this UID since; nothing will, either, before this transaction ends."""
    uid = known.held.header.sop_instance_uid
    held = instances.held(tx, uid, locked=True)
    copies = tuple(instances.copies(tx, uid))
    before = known.held
    return held is not None and (held.newest_path, held.removed_at, copies) == (
        before.newest_path,
        before.removed_at,
        known.copies,
    )


def _copy_of(came: Arrival, now: datetime, reason: str) -> NewCopy:
    """Return the later copy of a held UID that came in."""
    said = came.announced
    caller = (said.calling_ae_title, said.called_ae_title, said.address)
    return NewCopy(came.header, came.path, came.size_bytes, *caller, now, reason)


def _note(
    tx: Transaction, now: datetime, event: str, came: Arrival, also_of: str | None = None, **detail: object
) -> None:
    """Add the entry of an instance that came in to the timeline of its study, and of the study `also_of`."""
    uid, studies = came.sop_instance_uid, dict.fromkeys((came.header.study_instance_uid, also_of))
    audit.add_all(tx, [Entry(now, event, study, uid, noted(came) | detail) for study in studies if study])
