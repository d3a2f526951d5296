"""The service behind an association: what each request is answered.

An instance is handed on as the bytes that came, with what the association says about it. What becomes of it, and so
which status is true, is decided by the callable that the service is given.

References
----------
DICOM PS3.4 Annex A (Verification), Annex B (Storage), PS3.7 9.1.1 (C-STORE), 9.1.5 (C-ECHO), Annex C (statuses).
"""

import contextlib
import traceback

from node.domain.errors import Refused
from node.domain.identifiers import is_uid
from node.network.command import Command, CommandField, Element, MalformedCommand, response_to
from node.network.guards import GuardedAssociation
from node.network.message import Message
from node.network.reception import Announced, Begin
from node.telemetry import logger

_SUCCESS = 0x0000
_UNRECOGNISED_OPERATION = 0x0211
_OUT_OF_RESOURCES = 0xA700
_DATASET_DOES_NOT_MATCH = 0xA900

_log = logger("network.service")


class StorageService:
    """Answers C-ECHO and C-STORE.

    Parameters
    ----------
    begin
        Called for every instance, on several threads at once; what it returns takes the dataset and gives the status.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def serve(self, association: GuardedAssociation, message: Message) -> None:
        """Answer one message; a request without a message ID cannot be answered, and aborts."""
        if not message.command.is_answerable:
            _log.warning("stray_message_ignored", command_field=f"0x{message.command.field:04X}")
            return
        try:
            _ = message.command.number(Element.MESSAGE_ID)  # asked for first: nothing is stored that cannot be answered
            association.messages.answer(message.context_id, self._response(association, message))
        except MalformedCommand:
            association.abort()

    def _response(self, association: GuardedAssociation, message: Message) -> bytes:
        status, comment = self._outcome(association, message)
        return response_to(message.command, status, comment, _repeated_uids(message.command))

    def _outcome(self, association: GuardedAssociation, message: Message) -> tuple[int, str]:
        match message.command.field:
            case CommandField.C_ECHO_RQ:
                return _SUCCESS, ""
            case CommandField.C_STORE_RQ:
                return self._store(association, message)
            case _:
                return _UNRECOGNISED_OPERATION, ""

    def _store(self, association: GuardedAssociation, message: Message) -> tuple[int, str]:
        try:
            return self._kept(_announced(association, message), _checked_dataset(message)), ""
        except Refused as refused:
            _log.warning("instance_refused", status=f"0x{refused.status:04X}", reason=refused.reason)
            return refused.status, refused.reason

    def _kept(self, announced: Announced, dataset: bytes) -> int:
        try:
            return self._received(announced, dataset)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours must not cost the peer its association
            # The words of an exception may hold patient data; its type and where it happened do not.
            place = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("store_failed", error=type(error).__qualname__, file=place.filename, line=place.lineno)
            raise Refused(_OUT_OF_RESOURCES, "processing failed on the node") from None

    def _received(self, announced: Announced, dataset: bytes) -> int:
        reception = self._begin(announced)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(reception.abandon)
            reception.write([memoryview(dataset)])
            on_failure.pop_all()
        return reception.finish()


def _announced(association: GuardedAssociation, message: Message) -> Announced:
    context = association.accepted_context(message.context_id)
    who = association.introduction
    return Announced(
        sop_class_uid=message.command.text(Element.AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=message.command.text(Element.AFFECTED_SOP_INSTANCE_UID),
        context_sop_class_uid=context.abstract_syntax,
        transfer_syntax_uid=context.transfer_syntax,
        calling_ae_title=who.calling_ae_title,
        called_ae_title=who.called_ae_title,
        address=who.address,
    )


def _checked_dataset(message: Message) -> bytes:
    """Return the dataset of a C-STORE-RQ that names an instance and brings one (PS3.7 9.3.1.1)."""
    if not is_uid(message.command.text(Element.AFFECTED_SOP_INSTANCE_UID)):
        raise Refused(_DATASET_DOES_NOT_MATCH, "the Affected SOP Instance UID is missing or no UID")
    if message.is_too_large:
        raise Refused(_OUT_OF_RESOURCES, "the instance is over [receive] max_instance_mb")
    if message.dataset is None:
        raise Refused(_DATASET_DOES_NOT_MATCH, "the C-STORE came without a dataset")
    return message.dataset


def _repeated_uids(command: Command) -> tuple[Element, ...]:
    """Return which UIDs the response repeats: PS3.7 9.1.1.1 leaves them optional, and a malformed one breaks peers."""
    optional = (Element.AFFECTED_SOP_CLASS_UID, Element.AFFECTED_SOP_INSTANCE_UID)
    return tuple(element for element in optional if is_uid(command.text(element)))
