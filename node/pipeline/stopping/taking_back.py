"""Reports taken back: a rejection note made for each peer that holds one and takes notes.

It knows who gets a note and how it is kept; what it says is made in `node.dicom.companions.rejection_note`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from node.config import PeerSettings
from node.dicom.encoding.transfer_syntax import IMPLICIT_VR_LITTLE_ENDIAN
from node.domain.rejection import KEY_OBJECT_SELECTION, RejectionCode, note_identity
from node.store.database import Database
from node.store.sending import offered
from node.store.stopping import taken_back
from node.store.stopping.taken_back import Delivered
from node.store.tables.choices import DeliveryKind
from node.store.working.analyses import NewRendition

PROFILE = "rejection note"
"""What stands for a destination's profile in the rendition that a note is kept as."""


class NoteWriter:
    """Writes rejection notes into the outbox.

    Parameters
    ----------
    database
        Where reports and deliveries are.
    peers
        The configured peers; those with `takes_rejection_notes` get notes.
    clock
        The time now, aware.
    """

    def __init__(self, database: Database, peers: Sequence[PeerSettings], clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._taking = frozenset(peer.name for peer in peers if peer.takes_rejection_notes)

    def takes(self, report: Delivered) -> bool:
        """Return whether the peer that holds a report takes rejection notes."""
        return report.peer in self._taking

    def take_back(
        self,
        reports: Sequence[Delivered],
        code: RejectionCode,
        why: str,
        *,
        by: str = "",
        despite_holds: bool = False,
    ) -> int:
        """Order a note for each of these reports whose peer takes one; doing it twice orders none twice.

        Parameters
        ----------
        reports
            Reports that a peer holds, or may hold.
        code
            The note's title.
        why
            A sentence for whoever reads the note, in ASCII and without patient data.
        by
            Who ordered it, "" where no operator did.
        despite_holds
            Whether they leave under holds that are in force now.

        Returns
        -------
        int
            How many notes were not under way before.

        Raises
        ------
        Permanent
            A report is not one of this node's.
        """
        wanted = [report for report in reports if self.takes(report)]
        return sum(self._order(report, code, why, by, despite_holds=despite_holds) for report in wanted)

    def of_heat_maps(self, heat_maps: Sequence[Delivered], why: str) -> Mapping[int, NewRendition]:
        """Return by delivery a note for each of these heat maps whose peer takes one; it leaves the report alone.

        Raises
        ------
        Permanent
            A heat map is not one of this node's.
        """
        wanted = (one for one in heat_maps if self.takes(one))
        made = ((one.delivery_id, self._note(one, RejectionCode.PATIENT_SAFETY, why)) for one in wanted)
        return {number: replace(note, profile=offered.HEAT_MAP_NOTE) for number, note in made}

    def _order(self, report: Delivered, code: RejectionCode, why: str, by: str, *, despite_holds: bool) -> bool:
        note, now = self._note(report, code, why), self._clock()
        return self._database.write(
            lambda tx: taken_back.order(tx, report, note, why, now, by=by, despite_holds=despite_holds)
        )

    def _note(self, report: Delivered, code: RejectionCode, why: str) -> NewRendition:
        # highdicom and its needs are imported by the first note, not by every process that could make one
        from node.dicom.companions.rejection_note import build_rejection_note  # noqa: PLC0415

        rejected, beside = self._database.read(lambda tx: taken_back.objects(tx, report))
        identity = note_identity(report.sop_instance_uid, report.study_instance_uid, code)
        return NewRendition(
            KEY_OBJECT_SELECTION,
            identity.sop_instance_uid,
            identity.series_instance_uid,
            IMPLICIT_VR_LITTLE_ENDIAN,
            build_rejection_note(rejected, code, why, self._clock(), beside),
            PROFILE,
            kind=DeliveryKind.REJECTION_NOTE,
        )
