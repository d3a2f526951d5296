"""The Verification and Storage SCU: is a peer there, and give it these instances.

Datasets leave as the bytes that they are, in the transfer syntax that they are in; nothing is decoded or converted.
What an answer means for a delivery is told by `status`; when to try again is not decided here.

References
----------
DICOM PS3.4 Annex A (Verification), Annex B (Storage), PS3.7 9.1.1 (C-STORE), 9.1.5 (C-ECHO).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.uid import ImplicitVRLittleEndian

from node.network.answer_status import StoreAnswer, worded
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
from node.network.peer import ContextNotAccepted, PeerAddress, PeerUnreachable, Rejected, Timeouts
from node.network.presentation import VERIFICATION, Syntaxes, syntax_name
from node.network.upper_layer import Requestor

__all__ = [
    "ContextNotAccepted",
    "OutgoingInstance",
    "PeerAddress",
    "PeerUnreachable",
    "Rejected",
    "SendingAssociation",
    "StoreAnswer",
    "Timeouts",
    "echo",
    "open_association",
    "worded",
]

#: PS3.8 9.3.2.2: context IDs are the odd numbers from 1 to 255.
MAXIMUM_CONTEXTS = 128

_MEDIUM_PRIORITY = 0x0000


@dataclass(frozen=True, slots=True)
class OutgoingInstance:
    """An instance to send: its identity, and its encoded dataset without preamble and file meta."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes


class SendingAssociation:
    """An open association on which instances are stored one after another; for one thread."""

    def __init__(self, peer: PeerAddress, requestor: Requestor) -> None:
        self._peer, self._requestor = peer, requestor
        self._message_id = 0

    def store(self, instance: OutgoingInstance, watch: Callable[[], None] | None = None) -> StoreAnswer:
        """Send one instance and return what the peer answered.

        Parameters
        ----------
        instance
            What is sent.
        watch
            Called every second or so while the peer is slow. What it raises is raised here; the association is then
            of no more use, and to be aborted.

        Raises
        ------
        ContextNotAccepted
            When the peer accepted no context of this SOP class with this transfer syntax, or none was proposed.
        PeerUnreachable
            When the peer aborts, breaks off or does not answer in time; the association is then over.

        References
        ----------
        DICOM PS3.7 9.1.1 (C-STORE), 9.3.1.1 (C-STORE-RQ).
        """
        context_id = self.context(instance)
        self._requestor.watch(watch)
        response = self._ask(
            context_id,
            {
                Element.COMMAND_FIELD: CommandField.C_STORE_RQ,
                Element.AFFECTED_SOP_CLASS_UID: instance.sop_class_uid,
                Element.AFFECTED_SOP_INSTANCE_UID: instance.sop_instance_uid,
                Element.PRIORITY: _MEDIUM_PRIORITY,
                Element.COMMAND_DATA_SET_TYPE: WITH_DATASET,
            },
            instance.dataset,
        )
        return StoreAnswer(response.number(Element.STATUS), response.text(Element.ERROR_COMMENT))

    def context(self, instance: OutgoingInstance) -> int:
        """Return the ID of the presentation context on which an instance leaves.

        Raises
        ------
        ContextNotAccepted
            As `store`; the association is as good as before.
        """
        return self._context(instance.sop_class_uid, instance.transfer_syntax_uid)

    def echo(self) -> int:
        """Send a C-ECHO and return its status (PS3.7 9.3.5)."""
        response = self._ask(
            self._context(VERIFICATION, ImplicitVRLittleEndian),
            {
                Element.COMMAND_FIELD: CommandField.C_ECHO_RQ,
                Element.AFFECTED_SOP_CLASS_UID: VERIFICATION,
                Element.COMMAND_DATA_SET_TYPE: NO_DATASET,
            },
        )
        return response.number(Element.STATUS)

    def _context(self, sop_class_uid: str, transfer_syntax_uid: str) -> int:
        context_id = self._requestor.accepted.get(Syntaxes(sop_class_uid, transfer_syntax_uid))
        if context_id is None:
            names = f"{syntax_name(sop_class_uid)} in {syntax_name(transfer_syntax_uid)}"
            raise ContextNotAccepted(f"{self._peer} does not accept {names}")
        return context_id

    def _ask(self, context_id: int, values: dict[Element, int | str], dataset: bytes | None = None) -> Command:
        self._message_id = self._message_id % 0xFFFF + 1
        command = encode_command({**values, Element.MESSAGE_ID: self._message_id})
        self._requestor.send_message(context_id, command, dataset)
        try:
            response = decode_command(self._requestor.receive_command())
            answered = (response.field, response.number(Element.MESSAGE_ID_BEING_RESPONDED_TO))
            _ = response.number(Element.STATUS)
        except MalformedCommand as error:
            raise PeerUnreachable(f"{self._peer} sent an answer that cannot be read: {error}") from error
        if answered != (int(values[Element.COMMAND_FIELD]) | 0x8000, self._message_id):
            raise PeerUnreachable(f"{self._peer} answered something else than what it was asked")
        return response


@contextmanager
def open_association(
    peer: PeerAddress,
    calling_ae_title: str,
    syntaxes: Iterable[tuple[str, str]],
    timeouts: Timeouts | None = None,
) -> Iterator[SendingAssociation]:
    """Open an association for these pairs of SOP class and transfer syntax; release it at the end, abort it on error.

    Parameters
    ----------
    peer, calling_ae_title
        Who is asked, and under which AE title.
    syntaxes
        Pairs of SOP Class UID and Transfer Syntax UID; each is proposed as a context of its own.
    timeouts
        How long each step may take.

    Raises
    ------
    ValueError
        When there is no pair, or more than the 128 that an association has contexts for: callers split.
    PeerUnreachable
        When no association comes about.
    """
    proposals = [Syntaxes(*pair) for pair in dict.fromkeys(syntaxes)]
    if not 1 <= len(proposals) <= MAXIMUM_CONTEXTS:
        raise ValueError(f"an association proposes 1 to {MAXIMUM_CONTEXTS} contexts, not {len(proposals)}")
    requestor = Requestor(peer, calling_ae_title, proposals, timeouts or Timeouts())
    try:
        yield SendingAssociation(peer, requestor)
    except BaseException:
        requestor.abort()
        raise
    requestor.release()


def echo(peer: PeerAddress, calling_ae_title: str, timeout_s: float = 10.0) -> None:
    """Ask a peer whether it is there, by C-ECHO.

    Raises
    ------
    PeerUnreachable
        When it is not, or says anything but success; one sentence says why.
    ContextNotAccepted
        When it takes the association but not Verification, which every acceptor must (PS3.4 A.2).
    """
    timeouts = Timeouts(timeout_s, timeout_s, timeout_s)
    verification = ((VERIFICATION, str(ImplicitVRLittleEndian)),)
    with open_association(peer, calling_ae_title, verification, timeouts) as association:
        status = association.echo()
    if status != 0x0000:
        raise PeerUnreachable(f"{peer} answered C-ECHO with status 0x{status:04X}")
