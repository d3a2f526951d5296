"""The ledger in the process that writes the database: decided and written in a transaction, committed, then answered.

What threads bring at the same time shares one transaction; `write` takes what somebody has gathered already.
"""

from collections.abc import Callable, Sequence

from node.network.commitment import Heard
from node.network.refused import RefusedAssociation
from node.network.released import ReleasedAssociation
from node.pipeline.delivery.commitment_heard import Hearing
from node.pipeline.intake.again import Copies
from node.pipeline.intake.arrival import Arrival
from node.pipeline.intake.recorder import Recorder
from node.pipeline.intake.unrecorded import remove_after, removed_on_failure
from node.pipeline.steps import Reached, Step, unobserved
from node.store.arriving import callers
from node.store.database import Database, Ended, Transaction, Work, writes_nothing
from node.store.disk.files import InstanceFiles

_SUCCESS = 0x0000

Entry = Arrival | RefusedAssociation | ReleasedAssociation | Heard | None
"""What is to be written; None asks whether anything could be."""


class Books:
    """Writes what came to the database of this process.

    Parameters
    ----------
    database, files
        Where rows and bytes are kept.
    recorder
        Decides what an instance is and what it causes.
    hearing
        Settles what peers say of storage commitment.
    wake
        Called after the commit of an instance that caused work.
    reached
        Called at each step; for tests that end the process there.
    """

    def __init__(
        self,
        database: Database,
        files: InstanceFiles,
        recorder: Recorder,
        hearing: Hearing,
        wake: Callable[[], None] = lambda: None,
        reached: Reached = unobserved,
    ) -> None:
        self._database, self._files, self._recorder = database, files, recorder
        self._wake, self._reached = wake, reached
        self._copies = Copies(database, files, recorder, wake)
        self._record_together = self._record  # what comes with this very function is recorded together
        self._note_together, self._release_together = self._note, self._release
        self._hear_together = hearing.hear_all

    def record(self, came: Arrival) -> int:
        """Record an instance, as `Ledger.record`."""
        with removed_on_failure(self._files, came.path):
            jobs = self._database.write_together(self._record_together, came)
        self._reached(Step.COMMITTED)
        if jobs is None:
            return self.settle(came)
        if jobs:
            self._wake()
        return _SUCCESS

    def ping(self) -> None:
        """See that a row would be written now."""
        self._database.ping()

    def refused(self, caller: RefusedAssociation) -> None:
        """Note a caller that is turned away."""
        self._database.write(lambda tx: self._note(tx, [caller]))

    def released(self, association: ReleasedAssociation) -> None:
        """Let what an association brought count as complete, as `Ledger.released`."""
        self._database.write_together(self._release_together, association)
        self._wake()

    def heard(self, said: Heard) -> int:
        """Keep what a peer said of storage commitment, as `Ledger.heard`."""
        status = self._database.write_together(self._hear_together, said)
        self._wake()
        return status

    def settle(self, came: Arrival) -> int:
        """Compare a later copy of a held UID, keep it or not, and return the status, as `Copies.settle`."""
        return self._copies.settle(came)

    def write(self, entries: Sequence[Entry]) -> list[Ended]:
        """Write all entries in one transaction, each as if it had come alone, and return how each ended.

        Returns
        -------
        list of Ended
            For an arrival with the number of jobs it caused, or None where its UID is held: it is for `settle` then.
            For what was heard with the status to answer.
        """
        ended = self._database.write_all([self._work(entry) for entry in entries])
        self._reached(Step.COMMITTED)
        causes_work = False
        for entry, end in zip(entries, ended, strict=True):
            if isinstance(entry, Arrival):
                causes_work |= bool(end.result)
                if end.error is not None:
                    remove_after(end.error, self._files, entry.path)
            causes_work |= isinstance(entry, ReleasedAssociation | Heard)
        if causes_work:
            self._wake()
        return ended

    def _work(self, entry: Entry) -> Work:
        if isinstance(entry, Arrival):
            return self._record_together, entry
        if isinstance(entry, ReleasedAssociation):
            return self._release_together, entry
        if isinstance(entry, Heard):
            return self._hear_together, entry
        return (writes_nothing, None) if entry is None else (self._note_together, entry)

    def _record(self, tx: Transaction, arrivals: Sequence[Arrival]) -> list[int | None]:
        jobs = self._recorder.record(tx, arrivals)
        self._reached(Step.RECORDED)
        return jobs

    def _release(self, tx: Transaction, released: Sequence[ReleasedAssociation]) -> Sequence[ReleasedAssociation]:
        for association in released:
            self._recorder.released(tx, association)
        return released

    def _note(self, tx: Transaction, refused: Sequence[RefusedAssociation]) -> Sequence[RefusedAssociation]:
        for who in refused:
            callers.refused(
                tx, who.calling_ae_title, who.called_ae_title, who.address, who.reason, self._recorder.clock()
            )
        return refused
