"""Rejection notes applied: what a peer takes back is not read any more, not sent any more, and taken back in turn.

A note is settled last, once the work that rests on what it names has ended and this node's own notes are in the
outbox; a kill at any moment before has it applied again from the beginning, which is harmless.

References
----------
IHE RAD TF-1, Imaging Object Change Management (IOCM); RAD TF-2, RAD-66 Rejection Note Stored
"""

import random
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from node.dicom.documents.key_objects import read_key_objects
from node.domain.lifecycle import State
from node.domain.rejection import KeyObjects, RejectionCode
from node.pipeline.failure import described, is_permanent
from node.pipeline.stopping.taking_back import NoteWriter
from node.store import audit
from node.store.database import Database, Transaction
from node.store.disk.files import InstanceFiles
from node.store.stopping import rejecting, rejection_notes, taken_back
from node.store.stopping.rejection_notes import ClaimedNote
from node.telemetry import logger

_LOOK_AGAIN = timedelta(seconds=1)
_WHY = "The result rests on an image that was rejected."

_log = logger("pipeline.rejections")


class RejectionReader:
    """Handles rejection notes that came.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    notes
        Takes back what peers hold.
    clock
        The time now, aware.
    jitter
        Random source of the backoff.
    wake
        Called when other work may have come.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        notes: NoteWriter,
        clock: Callable[[], datetime],
        jitter: random.Random,
        wake: Callable[[], None],
    ) -> None:
        self._database, self._files, self._notes = database, files, notes
        self._clock, self._jitter, self._wake = clock, jitter, wake

    def handle(self, note: ClaimedNote) -> None:
        """Read a Key Object Selection and, where it is a rejection note, apply it.

        Raises
        ------
        Permanent
            It cannot be read, or names nothing: it moves nothing.
        """
        said = read_key_objects(self._files.path(note.path))
        if said.code is None:
            self._database.write(lambda tx: rejection_notes.settle(tx, note, self._clock(), None))
            return
        code = said.code
        studies = self._database.write(lambda tx: self._apply(tx, note, said, code))
        self._wake()
        if code.is_wrong:
            self._take_back(studies)
        self._database.write(lambda tx: self._settle(tx, note, code, studies))
        self._wake()
        _log.info("rejection note applied", code=code.value, instances=len(said.named), studies=len(studies))

    def fail(self, note: ClaimedNote, error: Exception) -> None:
        """Settle a note whose `handle` raised; one that cannot be read stays in the listing with the reason."""
        reason, permanent = described(error), is_permanent(error)

        def work(tx: Transaction) -> None:
            now = self._clock()
            state = rejection_notes.fail(tx, note, now, reason, permanent=permanent, jitter=self._jitter)
            if state is State.BURIED:
                of = (note.study_instance_uid, note.sop_instance_uid)
                audit.add(tx, now, "rejection note not read", *of, reason=reason)

        self._database.write(work)

    def _apply(self, tx: Transaction, note: ClaimedNote, said: KeyObjects, code: RejectionCode) -> set[str]:
        now, uid = self._clock(), note.sop_instance_uid
        if rejection_notes.put(tx, uid, code, said.named, note.calling_ae_title, now):
            rejecting.note_all(tx, uid, code, note.calling_ae_title, now)
        return rejecting.end_work(tx, uid, code, now)

    def _take_back(self, studies: Collection[str]) -> None:
        for study in sorted(studies):
            reports = self._database.read(lambda tx: taken_back.untrue(tx, [study]))  # noqa: B023 - run at once
            there = [report for report in reports if report.is_settled_there and report.note is None]
            left = sorted({report.peer for report in there if not self._notes.takes(report)})
            if left:
                _log.warning("a report on a rejected image stands at a peer", study_instance_uid=study, peers=left)
            if there:
                code = self._database.read(lambda tx: rejection_notes.code_for(tx, study))  # noqa: B023 - run at once
                self._notes.take_back(there, code, _WHY)

    def _settle(self, tx: Transaction, note: ClaimedNote, code: RejectionCode, studies: Collection[str]) -> None:
        """Settle the note, or look again soon where a report is under way that its peer may still get."""
        now = self._clock()
        reports = taken_back.untrue(tx, studies) if code.is_wrong else []
        if any(report.note is None and self._notes.takes(report) for report in reports):
            rejection_notes.look_again(tx, note, now + _LOOK_AGAIN)
        else:
            rejection_notes.settle(tx, note, now, code)
