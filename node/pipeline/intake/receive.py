"""An instance in: streamed to a temporary file, checked, made durable, recorded, and only then acknowledged.

The order is the promise: temporary file, fsync, rename, fsync of the folder, one transaction, commit, answer
(DICOM PS3.4 B.2.3 for the statuses). It knows no socket: the network room calls `Receiver.begin` and feeds what it
returns. Of a dataset there is never more in memory than the fragments that are being written.
"""

from collections.abc import Sequence
from functools import partial

from node.dicom.instance.image_class import is_image
from node.dicom.instance.part10 import preamble_and_meta
from node.domain.derived import result_of_ai
from node.domain.errors import OperatorError, Transient
from node.domain.instance import InstanceHeader
from node.network.incoming import Announced, Reception
from node.pipeline.intake.announced import check_announced, checked_head, checked_header
from node.pipeline.intake.arrival import Arrival
from node.pipeline.intake.congestion import Congestion
from node.pipeline.intake.ledger import Ledger
from node.pipeline.steps import Reached, Step, unobserved
from node.store.disk.files import InstanceFiles
from node.store.disk.part import PartFile

_ROOM_ASKED_EVERY_BYTES = 64 << 20  # so that many large instances at once do not run far past the watermark


class Receiver:
    """Answers each C-STORE with the status that is true.

    Parameters
    ----------
    files
        Where bytes are kept.
    ledger
        Keeps the rows.
    congestion
        Asked before anything is written, told of what fails.
    reached
        Called at each step; for tests that end the process there.
    """

    def __init__(
        self,
        files: InstanceFiles,
        ledger: Ledger,
        congestion: Congestion,
        reached: Reached = unobserved,
    ) -> None:
        self._files, self._ledger, self._reached = files, ledger, reached
        self._renamed = partial(reached, Step.RENAMED)
        self.congestion = congestion  #: asked for each association, too

    def begin(self, announced: Announced) -> Reception:
        """Begin to take an instance.

        Raises
        ------
        Refused
            0xA700 where nothing can be kept now, 0xA900 where its SOP class is not that of its context.
        """
        check_announced(announced)
        self.congestion.require_room()
        try:
            part = self._files.open_part()
        except OSError as error:
            raise self.congestion.noticed(error) from error
        self._reached(Step.PART_OPENED)
        return _Incoming(self, announced, part, self._reached)

    def keep(self, announced: Announced, part: PartFile, meta_bytes: int) -> tuple[int, str]:
        """Check, store and record what was written; the part is gone or has its place afterwards.

        Returns
        -------
        int
            0x0000 where file and row are durable, or the same was already held; 0x0111 where the held instance of
            this UID has other pixels.
        str
            Study Instance UID where it is an image.

        Raises
        ------
        Refused
            0xA700 no room or database down, 0xA900 not what the command said, 0xC000 not parsable.
        """
        self._reached(Step.ALL_WRITTEN)
        try:
            header = self._checked(announced, part, meta_bytes)
            self._reached(Step.CHECKED)
            path = self._placed(part, header)
            status = self._ledger.record(Arrival(announced, header, path, part.size_bytes - meta_bytes))
        except (OSError, Transient, OperatorError) as error:
            raise self.congestion.noticed(error) from error
        finally:
            part.discard()  # which is nothing once it has its place
        moves = is_image(header) and result_of_ai(header) is None
        return status, header.study_instance_uid if moves else ""

    def _checked(self, announced: Announced, part: PartFile, meta_bytes: int) -> InstanceHeader:
        header = checked_head(part.head(meta_bytes), part.size_bytes - meta_bytes, announced)
        if header is not None:
            return header
        with part.view() as whole:
            return checked_header(whole[meta_bytes:], announced, self._files.open_scratch)

    def _placed(self, part: PartFile, header: InstanceHeader) -> str:
        part.sync()
        self._reached(Step.FILE_SYNCED)
        path = self._files.keep(part, header.study_instance_uid, header.sop_instance_uid, self._renamed)
        self._reached(Step.FOLDER_SYNCED)
        return path


class _Incoming:
    """One instance on its way in: fragments go to its temporary file as they come."""

    __slots__ = ("_announced", "_ask_room_at", "_meta", "_part", "_reached", "_receiver", "study")

    def __init__(self, receiver: Receiver, announced: Announced, part: PartFile, reached: Reached) -> None:
        self._receiver, self._announced, self._part, self._reached = receiver, announced, part, reached
        self._meta = preamble_and_meta(
            announced.sop_class_uid,
            announced.sop_instance_uid,
            announced.transfer_syntax_uid,
            announced.calling_ae_title,
        )
        self._ask_room_at = _ROOM_ASKED_EVERY_BYTES
        self.study = ""

    def write(self, fragments: Sequence[memoryview]) -> None:
        part = self._part
        is_first = not part.size_bytes
        try:
            part.write([self._meta, *fragments] if is_first else fragments)
        except OSError as error:
            raise self._receiver.congestion.noticed(error) from error
        if is_first:
            self._reached(Step.FIRST_WRITTEN)
        elif part.size_bytes > self._ask_room_at:
            self._ask_room_at += _ROOM_ASKED_EVERY_BYTES
            self._receiver.congestion.require_room()

    def finish(self) -> int:
        status, self.study = self._receiver.keep(self._announced, self._part, len(self._meta))
        return status

    def abandon(self) -> None:
        self._part.discard()
