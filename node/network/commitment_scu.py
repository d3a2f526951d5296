"""Storage commitment as it is asked for, and as its result is told: both on associations that this node opens.

It knows no store: what a peer says is handed to a callable, as the SCP does it.

References
----------
DICOM PS3.4 J.3.2 (N-ACTION), J.3.3 (N-EVENT-REPORT, on the same association or another), PS3.7 D.3.3.4 (roles).
"""

import contextlib
from collections.abc import Callable, Sequence

from node.domain.errors import Refused
from node.network.associate import Role
from node.network.command import CommandField, Element
from node.network.commitment import (
    ALL_COMMITTED,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST_ACTION,
    SOME_FAILED,
    Question,
    encode_request,
    encode_result,
)
from node.network.commitment_scp import Hear, answer_to, said
from node.network.conversation import Context, Conversation, Message, open_conversation, readable
from node.network.peer import ContextNotAccepted, Deadline, PeerAddress, PeerRefused, PeerUnreachable, Timeouts
from node.network.service import contained

_AS_SCP = Role(scu=False, scp=True)


def ask(
    peer: PeerAddress,
    calling_ae_title: str,
    question: Question,
    hear: Hear,
    *,
    before: Callable[[], None] = lambda: None,
    wait_s: float = 0.0,
    timeouts: Timeouts | None = None,
) -> bool:
    """Ask a peer to commit to instances; return whether it has told the result already, on this association.

    Parameters
    ----------
    peer, calling_ae_title
        Who is asked, and under which AE title.
    question
        What it is asked.
    hear
        Takes the result, and any other that the peer tells meanwhile; see `commitment_scp`.
    before
        Called when the association stands, right before the request leaves.
    wait_s
        How long the association is kept open for the result after the peer took the request.
    timeouts
        How long each step may take.

    Raises
    ------
    PeerRefused
        When the peer answers the request with a failure.
    PeerUnreachable
        When it does not take it: it may have all the same, where it broke off.
    ContextNotAccepted
        When it takes the association but no storage commitment.
    """
    with open_conversation(peer, calling_ae_title, [PUSH_MODEL], timeouts) as conversation:
        asking = _Asking(conversation, conversation.context(PUSH_MODEL), hear)
        before()
        asking.request(question)
        asking.wait(wait_s)
        return question.transaction_uid in asking.answered


class _Asking:
    """The association on which a peer was asked: its response is awaited, and what it tells is heard."""

    def __init__(self, conversation: Conversation, context: Context, hear: Hear) -> None:
        self._conversation, self._context, self._hear = conversation, context, hear
        self.answered: set[str] = set()  #: transactions whose result came and was kept
        self._has_heard = False

    def request(self, question: Question) -> None:
        message_id = self._conversation.request(
            self._context,
            {
                Element.COMMAND_FIELD: CommandField.N_ACTION_RQ,
                Element.REQUESTED_SOP_CLASS_UID: PUSH_MODEL,
                Element.REQUESTED_SOP_INSTANCE_UID: PUSH_MODEL_INSTANCE,
                Element.ACTION_TYPE_ID: REQUEST_ACTION,
            },
            encode_request(question.transaction_uid, question.instances, self._context.transfer_syntax_uid),
        )
        until = Deadline.within(self._conversation.timeouts.answer_s)
        while (message := self._conversation.receive(until)).command.field == CommandField.N_EVENT_REPORT_RQ:
            self._answer(message)  # the result may overtake the response
        answer = self._conversation.checked(message, CommandField.N_ACTION_RQ, message_id)
        _require_success(self._conversation.peer, "N-ACTION", answer)

    def wait(self, wait_s: float) -> None:
        """Hear what comes in this time; the peer may end the association meanwhile, and tell on another one."""
        until = Deadline.within(wait_s)
        with contextlib.suppress(PeerUnreachable):
            while not self._has_heard and self._conversation.has_come(until.left_s):
                message = self._conversation.receive(until)
                if message.command.field == CommandField.N_EVENT_REPORT_RQ:
                    self._answer(message)

    def _answer(self, message: Message) -> None:
        peer, syntax = self._conversation.peer, self._context.transfer_syntax_uid
        self._has_heard = True
        try:
            result = contained(said, message.command, message.dataset, syntax, peer.ae_title, "")
            status, comment = contained(self._hear, result), ""
            self.answered.add(result.transaction_uid)
        except Refused as refused:
            status, comment = refused.status, refused.reason
        with readable(peer):
            self._conversation.respond(message, answer_to(message.command, status, comment))


def tell(
    peer: PeerAddress,
    calling_ae_title: str,
    transaction_uid: str,
    committed: Sequence[tuple[str, str]],
    failed: Sequence[tuple[str, str, int]],
    timeouts: Timeouts | None = None,
) -> None:
    """Tell a peer the result of what it asked, as the SCP, on a new association.

    Parameters
    ----------
    peer, calling_ae_title
        Who asked, and this node's AE title.
    transaction_uid
        Of the request.
    committed
        SOP Class UID and SOP Instance UID of what this node commits to.
    failed
        The same and the (0008,1197) Failure Reason of what it does not commit to.
    timeouts
        How long each step may take.

    Raises
    ------
    PeerUnreachable, ContextNotAccepted, PeerRefused
        When the peer did not take it.
    """
    with open_conversation(peer, calling_ae_title, [PUSH_MODEL], timeouts, {PUSH_MODEL: _AS_SCP}) as conversation:
        context = conversation.context(PUSH_MODEL)
        # without an answer to the roles only the default one stands; peers that forget it take the result all the same
        if conversation.is_refused(PUSH_MODEL, _AS_SCP):
            raise ContextNotAccepted(f"{peer} takes no results of storage commitment: it refuses the role of the SCP")
        message_id = conversation.request(
            context,
            {
                Element.COMMAND_FIELD: CommandField.N_EVENT_REPORT_RQ,
                Element.AFFECTED_SOP_CLASS_UID: PUSH_MODEL,
                Element.AFFECTED_SOP_INSTANCE_UID: PUSH_MODEL_INSTANCE,
                Element.EVENT_TYPE_ID: SOME_FAILED if failed else ALL_COMMITTED,
            },
            encode_result(transaction_uid, committed, failed, context.transfer_syntax_uid),
        )
        _require_success(peer, "N-EVENT-REPORT", conversation.answer(CommandField.N_EVENT_REPORT_RQ, message_id))


def _require_success(peer: PeerAddress, asked: str, answer: Message) -> None:
    if answer.status != 0x0000:
        raise PeerRefused(peer, asked, answer.status, answer.comment)
