"""DIMSE messages on one association: fragments gathered into whole messages, and answers sent.

A dataset stays the bytes that came. It knows no SOP class and no status; what a message means is decided elsewhere.

References
----------
DICOM PS3.7 6.3 (messages), PS3.8 9.3.5 (P-DATA-TF), Annex E (message control header: command or dataset, last or not).
"""

from dataclasses import dataclass
from typing import Any, cast

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from node.network.command import Command, MalformedCommand, decode_command

_IS_COMMAND = 0x01
_IS_LAST = 0x02

#: Far above any command set (PS3.7 E.1); a peer that sends more is not speaking DICOM.
_MAXIMUM_COMMAND_BYTES = 64 * 1024

#: Requests that wait while one is served. A peer may have one open (PS3.7 D.3.3.3: no window is negotiated) and cancel
#: it; one that sends on without waiting would fill the memory.
_MAXIMUM_WAITING = 8

#: PS3.8 Annex F: an event of the state machine that aborts the association from the provider's side.
_INVALID_PDU = "Evt19"


@dataclass(frozen=True, slots=True)
class Message:
    """A whole DIMSE message.

    Parameters
    ----------
    context_id
        The presentation context that it came on.
    command
        Its command set.
    dataset
        The dataset's bytes as received, or None where the command came without one.
    is_too_large
        Whether the dataset passed the limit; its bytes are then not kept.
    """

    context_id: int
    command: Command
    dataset: bytes | None
    is_too_large: bool = False


class MessageProvider(DIMSEServiceProvider):
    """Takes the place of pynetdicom's DIMSE provider on an acceptor, for the reasons given in `guards`.

    Parameters
    ----------
    association
        The association that it serves.
    maximum_dataset_bytes
        A longer dataset is counted and thrown away as it comes, so that memory stays bounded.
    """

    def __init__(self, association: Any, maximum_dataset_bytes: int) -> None:
        super().__init__(association)
        self._maximum_dataset_bytes = maximum_dataset_bytes
        self._is_broken = False
        self._start_message()

    def _start_message(self) -> None:
        self._context_id: int | None = None
        self._command: Command | None = None
        self._command_bytes = bytearray()
        self._fragments: list[memoryview] = []
        self._dataset_bytes = 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one P-DATA-TF; called on the library's upper layer thread.

        What is out of order (an empty fragment, another context within a message, a dataset without its command)
        aborts the association, and so ends it for this peer alone.
        """
        try:
            for context_id, fragment in primitive.presentation_data_value_list:
                if not self._is_broken:
                    self._take(context_id, memoryview(fragment))
        except MalformedCommand:
            self._is_broken = True
            self.dul.event_queue.put(_INVALID_PDU)

    def _take(self, context_id: int, fragment: memoryview) -> None:
        if not fragment or self._context_id not in (None, context_id):
            raise MalformedCommand("an empty fragment, or one of another presentation context")
        self._context_id = context_id
        control, data = fragment[0], fragment[1:]
        if bool(control & _IS_COMMAND) is not (self._command is None):
            raise MalformedCommand("command and dataset fragments out of order")
        if self._command is None:
            self._take_command(data, is_last=bool(control & _IS_LAST))
        else:
            self._take_dataset(self._command, data, is_last=bool(control & _IS_LAST))

    def _take_command(self, data: memoryview, *, is_last: bool) -> None:
        self._command_bytes += data
        if len(self._command_bytes) > _MAXIMUM_COMMAND_BYTES:
            raise MalformedCommand("the command set is longer than any")
        if not is_last:
            return
        self._command = decode_command(bytes(self._command_bytes))
        if not self._command.has_dataset:
            self._hand_over(self._command, None)

    def _take_dataset(self, command: Command, data: memoryview, *, is_last: bool) -> None:
        self._dataset_bytes += len(data)
        if self._dataset_bytes <= self._maximum_dataset_bytes:
            self._fragments.append(data)
        else:
            self._fragments.clear()
        if is_last:
            self._hand_over(command, b"".join(self._fragments))

    def _hand_over(self, command: Command, dataset: bytes | None) -> None:
        if self.msg_queue.qsize() >= _MAXIMUM_WAITING:
            raise MalformedCommand("more requests are open than were negotiated")
        context_id = cast("int", self._context_id)
        message = Message(context_id, command, dataset, self._dataset_bytes > self._maximum_dataset_bytes)
        self._start_message()
        # The library's association hands on what it finds here as it is, so a message may be of our own kind.
        self.msg_queue.put((context_id, cast("Any", message)))

    def answer(self, context_id: int, response: bytes) -> None:
        """Send an encoded command set without a dataset, in one fragment and one PDU."""
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, bytes([_IS_COMMAND | _IS_LAST]) + response))
        self.dul.send_pdu(primitive)
