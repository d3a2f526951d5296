"""The Retrieve SCU (C-MOVE, Study Root): a peer is asked to send a study to this node.

What it sends comes on associations of its own, through the SCP. What the numbers in its answers mean for the study is
not decided here.

References
----------
DICOM PS3.4 C.4.2 (C-MOVE), C.6.2 (Study Root), PS3.7 9.1.4 and 9.3.4 (C-MOVE).
"""

from collections.abc import Callable
from dataclasses import dataclass

from node.network.command import CommandField, Element
from node.network.conversation import Context, Conversation, Message, open_conversation
from node.network.identifier import encode_keys
from node.network.peer import Deadline, PeerAddress, PeerUnreachable, Timeouts

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"

SUCCESS, SOME_FAILED, CANCELLED = 0x0000, 0xB000, 0xFE00
_PENDING = 0xFF00
_LOW_PRIORITY = 0x0002

#: How often the caller is asked whether it still wants the study, while the peer says nothing.
_LOOK_UP_S = 1.0

#: How long a peer may take to bring an answer to its end that it has begun.
_MESSAGE_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Moved:
    """What a peer says of the instances that it was asked to send.

    Parameters
    ----------
    status
        (0000,0900): 0xFF00 while it goes on; in the end 0x0000, 0xB000 where some failed, 0xFE00 where it was
        cancelled, or a failure.
    completed, failed, warning
        Its sub-operations; None where it does not say.
    comment
        (0000,0902) Error Comment.
    """

    status: int
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    comment: str = ""


class NotSent(PeerUnreachable):
    """A peer took the request for a study, and did not bring it to an end."""


GoesOn = Callable[[Moved | None], bool]
"""Told each answer, and None every second without one; returns whether the study is still wanted."""


def move(
    peer: PeerAddress,
    calling_ae_title: str,
    study_instance_uid: str,
    destination: str,
    goes_on: GoesOn,
    timeouts: Timeouts | None = None,
) -> Moved:
    """Have a peer send a study at low priority, and return its last answer.

    Parameters
    ----------
    peer, calling_ae_title
        Who is asked, and under which AE title.
    study_instance_uid
        Which study.
    destination
        The AE title that it is sent to; the peer must know where that listens.
    goes_on
        Asked at every answer and every second; once it says no, the peer is asked to stop, and its last answer, which
        may still be a success, is waited for.
    timeouts
        How long each step may take; `answer_s` is how long the peer may say nothing. It need not tell how far it is.

    Raises
    ------
    PeerUnreachable
        When no association comes about; `AssociationLost` when it aborts or breaks off, `NotSent` when it says nothing
        for too long.
    ContextNotAccepted
        When it takes the association but no C-MOVE.
    """
    timeouts = timeouts or Timeouts()
    with open_conversation(peer, calling_ae_title, [STUDY_ROOT_MOVE], timeouts) as conversation:
        context = conversation.context(STUDY_ROOT_MOVE)
        message_id = conversation.request(
            context,
            {
                Element.COMMAND_FIELD: CommandField.C_MOVE_RQ,
                Element.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_MOVE,
                Element.PRIORITY: _LOW_PRIORITY,
                Element.MOVE_DESTINATION: destination,
            },
            encode_keys(
                {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": study_instance_uid}, context.transfer_syntax_uid
            ),
        )
        return _Move(conversation, context, message_id, goes_on).last_answer()


class _Move:
    """A C-MOVE under way."""

    def __init__(self, conversation: Conversation, context: Context, message_id: int, goes_on: GoesOn) -> None:
        self._conversation, self._context, self._message_id = conversation, context, message_id
        self._goes_on, self._silence_s = goes_on, conversation.timeouts.answer_s
        self._is_cancelled = False
        self._deadline = Deadline.within(self._silence_s)
        self._last = Deadline.within(conversation.timeouts.retrieve_s)

    def last_answer(self) -> Moved:
        while True:
            if not self._conversation.has_come(_LOOK_UP_S):
                self._look_up(None)
                continue
            until = min(self._deadline, Deadline.within(_MESSAGE_WITHIN_S))
            message = self._conversation.answer(CommandField.C_MOVE_RQ, self._message_id, until)
            moved = _moved(message)
            if moved.status != _PENDING:
                return moved
            if not self._is_cancelled:
                self._deadline = Deadline.within(self._silence_s)
            self._look_up(moved)

    def _look_up(self, moved: Moved | None) -> None:
        if not self._is_cancelled and not self._goes_on(moved):
            self._is_cancelled = True
            self._deadline = Deadline.within(self._conversation.timeouts.cancel_s)
            self._conversation.cancel(self._context, self._message_id)
        if self._last.is_over and not self._is_cancelled:
            raise NotSent(f"{self._conversation.peer} did not send a study within {self._last.within_s:g} s")
        if self._deadline.is_over:
            asked = "did not stop sending" if self._is_cancelled else f"said nothing for {self._silence_s:g} s"
            raise NotSent(f"{self._conversation.peer} {asked} while it was to send a study")


def _moved(message: Message) -> Moved:
    return Moved(
        message.status,
        message.command.number_if_any(Element.COMPLETED_SUBOPERATIONS),
        message.command.number_if_any(Element.FAILED_SUBOPERATIONS),
        message.command.number_if_any(Element.WARNING_SUBOPERATIONS),
        message.comment,
    )
