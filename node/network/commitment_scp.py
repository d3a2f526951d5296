"""Storage commitment as it is heard: requests of peers, and results of what this node asked them.

What is heard is handed on as one plain value, and answered once that has been kept. It knows no store.

References
----------
DICOM PS3.4 J.3.2 (N-ACTION), J.3.3 (N-EVENT-REPORT), PS3.7 10.1.1.1.8 and 10.1.4.1.10 (statuses).
"""

from collections.abc import Callable, Mapping
from functools import partial

from node.domain.errors import Refused
from node.network.assembly import Exchange
from node.network.command import NO_DATASET, Command, CommandField, Element, encode_command
from node.network.commitment import (
    ALL_COMMITTED,
    MAXIMUM_BYTES,
    MAXIMUM_INSTANCES,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST_ACTION,
    SOME_FAILED,
    Heard,
    decode_request,
    decode_result,
)
from node.network.exchanges import Gathered
from node.network.identifier import MalformedIdentifier, TooManyItems
from node.network.service import Served, Service, contained
from node.telemetry import logger

Hear = Callable[[Heard], int]
"""Keeps what a peer said and returns the status to answer, or raises `Refused`; called on several threads at once."""

_PROCESSING_FAILURE = 0x0110
_NO_SUCH_INSTANCE = 0x0112
_NO_SUCH_EVENT = 0x0113
_INVALID_ARGUMENT = 0x0115
_NO_SUCH_CLASS = 0x0118
_NO_SUCH_ACTION = 0x0123
_RESOURCE_LIMITATION = 0x0213

_TOO_MANY = f"more than {MAXIMUM_INSTANCES} instances"

_RESPONSE_BIT = 0x8000

_log = logger("network.commitment")


class CommitmentService:
    """Opens the exchanges of N-ACTION and N-EVENT-REPORT.

    Parameters
    ----------
    hear
        Takes what was said.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    @property
    def operations(self) -> Mapping[int, Service]:
        """What opens the exchange of each operation, by (0000,0100) Command Field."""
        return {CommandField.N_ACTION_RQ: self._open, CommandField.N_EVENT_REPORT_RQ: self._open}

    def _open(self, association: Served, context_id: int, command: Command) -> Exchange:
        serve = partial(self._serve, association, context_id, command)
        return Gathered(serve, MAXIMUM_BYTES, answer_to(command, _RESOURCE_LIMITATION, _TOO_MANY))

    def _serve(self, association: Served, context_id: int, command: Command, dataset: bytes) -> bytes:
        who = association.introduction
        try:
            syntax = association.accepted[context_id].transfer_syntax
            heard = contained(said, command, dataset, syntax, who.calling_ae_title, who.address)
            return answer_to(command, contained(self._hear, heard), "")
        except Refused as refused:
            caller = {"calling_ae_title": who.calling_ae_title, "address": who.address}
            _log.warning("commitment refused", status=f"0x{refused.status:04X}", reason=refused.reason, **caller)
            return answer_to(command, refused.status, refused.reason)


def said(command: Command, dataset: bytes, transfer_syntax_uid: str, calling_ae_title: str, address: str) -> Heard:
    """Return what an N-ACTION-RQ or N-EVENT-REPORT-RQ says.

    Raises
    ------
    Refused
        With the status to answer, where it is no such request or no such result.
    """
    is_request = command.field == CommandField.N_ACTION_RQ
    _check(command, is_request=is_request)
    decode = decode_request if is_request else decode_result
    try:
        return decode(dataset, transfer_syntax_uid, calling_ae_title, address)
    except TooManyItems as error:
        raise Refused(_RESOURCE_LIMITATION, _TOO_MANY) from error
    except MalformedIdentifier as error:
        raise Refused(_INVALID_ARGUMENT, str(error)) from error


def _check(command: Command, *, is_request: bool) -> None:
    """Require the one SOP class, its one instance, and an action or event that it has (PS3.4 J.3.2.1, J.3.3.1)."""
    sop_class, instance = _names(command)
    if command.text(sop_class) != PUSH_MODEL:
        raise Refused(_NO_SUCH_CLASS, "not the Storage Commitment Push Model")
    if command.text(instance) != PUSH_MODEL_INSTANCE:
        raise Refused(_NO_SUCH_INSTANCE, "not its well-known SOP instance")
    kind = command.number_if_any(Element.ACTION_TYPE_ID if is_request else Element.EVENT_TYPE_ID)
    if is_request and kind != REQUEST_ACTION:
        raise Refused(_NO_SUCH_ACTION, "not the action of requesting commitment")
    if not is_request and kind not in (ALL_COMMITTED, SOME_FAILED):
        raise Refused(_NO_SUCH_EVENT, "neither of the two events that there are")


def _names(command: Command) -> tuple[Element, Element]:
    """Return which elements name class and instance: of a request the requested ones, of an event the affected ones."""
    if command.field == CommandField.N_ACTION_RQ:
        return Element.REQUESTED_SOP_CLASS_UID, Element.REQUESTED_SOP_INSTANCE_UID
    return Element.AFFECTED_SOP_CLASS_UID, Element.AFFECTED_SOP_INSTANCE_UID


def answer_to(command: Command, status: int, comment: str) -> bytes:
    """Return the encoded response to an N-ACTION-RQ or N-EVENT-REPORT-RQ (PS3.7 10.3.1.2, 10.3.4.2).

    A status of the storage service, as a store that is away raises it, becomes the one that these services have.
    """
    values: dict[Element, int | str] = {
        Element.COMMAND_FIELD: command.field | _RESPONSE_BIT,
        Element.MESSAGE_ID_BEING_RESPONDED_TO: command.number(Element.MESSAGE_ID),
        Element.COMMAND_DATA_SET_TYPE: NO_DATASET,
        Element.STATUS: _PROCESSING_FAILURE if status >= 0xA000 else status,
        Element.AFFECTED_SOP_CLASS_UID: PUSH_MODEL,
        Element.AFFECTED_SOP_INSTANCE_UID: PUSH_MODEL_INSTANCE,
    }
    if comment:
        values[Element.ERROR_COMMENT] = comment
    return encode_command(values)
