"""Requests on an association that this node opened, and the messages that come back: commands, and datasets with them.

It knows how a request is numbered and its answers are told from others, and no service. C-STORE and C-ECHO, whose
answers have no dataset, are in `scu`.

References
----------
DICOM PS3.7 6.3.1 (messages), 9.3 and 10.3 (DIMSE-C and DIMSE-N), PS3.7 D.3.3.4 (role selection).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node.network.associate import Role
from node.network.command import (
    NO_DATASET,
    WITH_DATASET,
    Command,
    CommandField,
    Element,
    MalformedCommand,
    decode_command,
    encode_command,
)
from node.network.identifier import MalformedIdentifier
from node.network.pdu import IS_COMMAND, IS_LAST
from node.network.peer import ContextNotAccepted, Deadline, PeerAddress, PeerUnreachable, Timeouts
from node.network.presentation import Syntaxes, syntax_name
from node.network.upper_layer import Requestor

#: Every peer knows the second, and the first keeps the VR of what no dictionary holds.
_TRANSFER_SYNTAXES = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))

#: The longest message that is gathered: a result of storage commitment that names as many instances as are let in.
_MAXIMUM_BYTES = 3 << 20
_MAXIMUM_COMMAND_BYTES = 64 << 10

_RESPONSE_BIT = 0x8000


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context: its ID, and how its datasets are encoded."""

    context_id: int
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the peer: on which context it came, its command set, and its dataset, empty where there is none."""

    context_id: int
    command: Command
    dataset: bytes

    @property
    def status(self) -> int:
        """(0000,0900) Status of a response."""
        return self.command.number(Element.STATUS)

    @property
    def comment(self) -> str:
        """(0000,0902) Error Comment of a response, empty where there is none."""
        return self.command.text(Element.ERROR_COMMENT)


class Conversation:
    """An open association for one or few SOP classes; for one thread."""

    def __init__(self, peer: PeerAddress, requestor: Requestor) -> None:
        self.peer, self._requestor = peer, requestor
        self._message_id = 0

    @property
    def timeouts(self) -> Timeouts:
        """How long each step may take."""
        return self._requestor.timeouts

    def context(self, sop_class_uid: str) -> Context:
        """Return the context that was accepted for a SOP class.

        Raises
        ------
        ContextNotAccepted
            When the peer accepted none.
        """
        for syntax in _TRANSFER_SYNTAXES:
            context_id = self._requestor.accepted.get(Syntaxes(sop_class_uid, syntax))
            if context_id is not None:
                return Context(context_id, syntax)
        raise ContextNotAccepted(f"{self.peer} does not accept {syntax_name(sop_class_uid)}")

    def is_refused(self, sop_class_uid: str, role: Role) -> bool:
        """Return whether the peer said that this node may not have all of these roles."""
        answered = self._requestor.roles.get(sop_class_uid, role)
        return (role.scu and not answered.scu) or (role.scp and not answered.scp)

    def request(self, context: Context, values: Mapping[Element, int | str], dataset: bytes) -> int:
        """Send a request with a dataset, and return its (0000,0110) Message ID."""
        self._message_id = self._message_id % 0xFFFF + 1
        numbered = {**values, Element.MESSAGE_ID: self._message_id, Element.COMMAND_DATA_SET_TYPE: WITH_DATASET}
        self._requestor.send_message(context.context_id, encode_command(numbered), dataset)
        return self._message_id

    def cancel(self, context: Context, message_id: int) -> None:
        """Ask the peer to end its answers to a request early (PS3.7 9.3.2.3)."""
        values: dict[Element, int | str] = {
            Element.COMMAND_FIELD: CommandField.C_CANCEL_RQ,
            Element.MESSAGE_ID_BEING_RESPONDED_TO: message_id,
            Element.COMMAND_DATA_SET_TYPE: NO_DATASET,
        }
        self._requestor.send_message(context.context_id, encode_command(values))

    def respond(self, message: Message, response: bytes) -> None:
        """Answer a request of the peer with this encoded command set."""
        self._requestor.send_message(message.context_id, response)

    def watch(self, watch: Callable[[], None] | None) -> None:
        """Call this every second or so while the peer is waited for; where it raises, the waiting ends with that."""
        self._requestor.watch(watch)

    def has_come(self, timeout_s: float) -> bool:
        """Wait so long for the peer to say something, and return whether it does, if only that it ends."""
        return self._requestor.has_come(timeout_s)

    def answer(self, field: CommandField, message_id: int, until: Deadline | None = None) -> Message:
        """Return the next message, which must be a response to this request, and have come whole by then.

        Raises
        ------
        PeerUnreachable
            When it answers something else, cannot be read, or the association is over.
        """
        return self.checked(self.receive(until), field, message_id)

    def checked(self, message: Message, field: CommandField, message_id: int) -> Message:
        """Return a message that came, which must be a response to this request; raises as `answer`."""
        with readable(self.peer):
            answered = (message.command.field, message.command.number(Element.MESSAGE_ID_BEING_RESPONDED_TO))
            _ = message.status
        if answered != (field | _RESPONSE_BIT, message_id):
            raise PeerUnreachable(f"{self.peer} answered something else than what it was asked")
        return message

    def receive(self, until: Deadline | None = None) -> Message:
        """Return the next message of the peer, whatever it is; it has the time of an answer, or until then.

        Raises
        ------
        PeerUnreachable
            When it cannot be read, nothing comes in time, or the association is over.
        """
        within = Deadline.within(self.timeouts.answer_s)
        until = within if until is None else min(within, until)
        context_id, encoded = self._gathered(until, _MAXIMUM_COMMAND_BYTES, of_command=True)
        with readable(self.peer):
            command = decode_command(encoded)
        dataset = self._gathered(until, _MAXIMUM_BYTES, of_command=False)[1] if command.has_dataset else b""
        return Message(context_id, command, dataset)

    def _gathered(self, until: Deadline, most: int, *, of_command: bool) -> tuple[int, bytes]:
        gathered = bytearray()
        while True:
            context_id, control, data = self._requestor.receive_fragment(until)
            if bool(control & IS_COMMAND) is not of_command:
                raise PeerUnreachable(f"{self.peer} sent a command and a dataset in the wrong order")
            gathered += data
            if len(gathered) > most:
                raise PeerUnreachable(f"{self.peer} sent an answer of more than {most} bytes")
            if control & IS_LAST:
                return context_id, bytes(gathered)


@contextmanager
def readable(peer: PeerAddress) -> Iterator[None]:
    """Turn what cannot be read of an answer into one sentence about the peer."""
    try:
        yield
    except (MalformedCommand, MalformedIdentifier) as error:
        raise PeerUnreachable(f"{peer} sent an answer that cannot be read: {error}") from error


@contextmanager
def open_conversation(
    peer: PeerAddress,
    calling_ae_title: str,
    sop_class_uids: Sequence[str],
    timeouts: Timeouts | None = None,
    roles: Mapping[str, Role] | None = None,
    watch: Callable[[], None] | None = None,
) -> Iterator[Conversation]:
    """Open an association for these SOP classes; release it at the end, abort it on error.

    `roles` proposes other roles for them than that of an SCU, by SOP class; `watch` is that of `Conversation.watch`.

    Raises
    ------
    PeerUnreachable
        When no association comes about.
    """
    proposals = [Syntaxes(uid, syntax) for uid in sop_class_uids for syntax in _TRANSFER_SYNTAXES]
    requestor = Requestor(peer, calling_ae_title, proposals, timeouts or Timeouts(), roles, watch=watch)
    try:
        yield Conversation(peer, requestor)
    except BaseException:
        requestor.abort()
        raise
    requestor.release()
