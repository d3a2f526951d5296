"""The service behind an association: what each message is answered, and who answers it.

A C-STORE is served here, from its command set on; storage commitment by whoever is handed in for it; C-ECHO goes to
the library's own handling; the rest is not offered. An instance is handed on as the bytes that come, with what the
association says about it. What becomes of it, and so which status is true, is decided by the `Reception` that takes it.

References
----------
DICOM PS3.4 Annex A (Verification), Annex B (Storage), PS3.7 9.1.1 (C-STORE), 9.1.5 (C-ECHO), 9.3.2.3 (C-CANCEL),
Annex C (statuses).
"""

import contextlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from node.domain.errors import Refused
from node.domain.identifiers import is_uid
from node.network.assembly import Exchange
from node.network.command import Command, CommandField, Element, MalformedCommand, response_to
from node.network.exchanges import Gathered, Thrown
from node.network.incoming import Announced, Begin, Reception
from node.network.pdu import BrokenProtocol
from node.network.presentation import VERIFICATION, Syntaxes
from node.telemetry import logger

_SOP_CLASS_NOT_SUPPORTED = 0x0122
_UNRECOGNISED_OPERATION = 0x0211
_RESOURCE_LIMITATION = 0x0213
_OUT_OF_RESOURCES = 0xA700
_DATASET_DOES_NOT_MATCH = 0xA900

#: The operations that the library serves, and of which SOP class. It would abort at another class, and be silent at a
#: request that it finds incomplete.
_LIBRARY_SERVES = {CommandField.C_ECHO_RQ: VERIFICATION}

#: The longest dataset of such an operation, which is gathered in memory; C-ECHO has none.
_MAXIMUM_HANDED_ON_BYTES = {CommandField.C_ECHO_RQ: 0}

_SOP_CLASS_UIDS = (Element.AFFECTED_SOP_CLASS_UID, Element.REQUESTED_SOP_CLASS_UID)

_log = logger("network.service")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Introduction:
    """Who asks, AE titles without padding, and the address that it came from."""

    calling_ae_title: str
    called_ae_title: str
    address: str


class Served(Protocol):
    """What the service must know of an association."""

    @property
    def introduction(self) -> Introduction:
        """Who asks."""

    @property
    def accepted(self) -> Mapping[int, Syntaxes]:
        """The syntaxes that were agreed, by context ID."""

    @property
    def studies(self) -> set[str]:
        """Study Instance UIDs of the images that were kept of what came on it."""

    def hand_to_library(self, context_id: int, command: bytes, dataset: bytes) -> None:
        """Have the library decode and serve a message that has come whole, command set and dataset as they came."""


def contained(step: Callable[..., _Result], *arguments: object) -> _Result:
    """Return ``step(*arguments)``; a defect of ours costs the peer neither its association nor a secret.

    Raises
    ------
    Refused
        As raised by the step, and with 0xA700 in place of any other exception. The words of an exception may hold
        patient data; its type and where it happened do not, and are logged.
    """
    try:
        return step(*arguments)
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("storing failed", error=type(error).__qualname__, file=place.filename, line=place.lineno)
        raise Refused(_OUT_OF_RESOURCES, "processing failed on the node") from None


Service = Callable[[Served, int, Command], Exchange]
"""Opens the exchange of a request: who asks, on which presentation context, and the command set, which has an ID."""


class StorageService:
    """Opens the exchange of each message.

    Parameters
    ----------
    begin
        Called for every instance, on several threads at once; what it returns takes the dataset and gives the status.
    maximum_bytes
        The longest dataset that is let in.
    others
        What opens the exchange of other operations, by (0000,0100) Command Field.
    """

    def __init__(self, begin: Begin, maximum_bytes: int, others: Mapping[int, Service] | None = None) -> None:
        self._begin, self._maximum_bytes, self._others = begin, maximum_bytes, others or {}

    def open(self, association: Served, context_id: int, command: Command, encoded: bytes) -> Exchange:
        """Return the exchange of the message with this command set, decoded and as it came.

        Raises
        ------
        BrokenProtocol
            When the request has no message ID: nothing is stored that could not be answered.
        """
        if not command.is_answerable:
            # PS3.7 9.3.2.3: a C-CANCEL for what is over is ignored; responses answer nothing that this node asked.
            _log.info("stray message ignored", command_field=f"0x{command.field:04X}")
            return Thrown(None)
        try:
            _ = command.number(Element.MESSAGE_ID)
        except MalformedCommand as error:
            raise BrokenProtocol(str(error)) from error
        field = command.field
        if field == CommandField.C_STORE_RQ:
            return self._store(association, association.accepted[context_id], command)
        if field in self._others:
            return self._others[field](association, context_id, command)
        if field not in _LIBRARY_SERVES:
            return Thrown(response_to(command, _UNRECOGNISED_OPERATION))
        served = CommandField(field)
        # PS3.7 E.1: which of the two names the class depends on the operation
        if _LIBRARY_SERVES[served] not in map(command.text, _SOP_CLASS_UIDS):
            return Thrown(response_to(command, _SOP_CLASS_NOT_SUPPORTED))
        hand_on = partial(association.hand_to_library, context_id, encoded)
        return Gathered(hand_on, _MAXIMUM_HANDED_ON_BYTES[served], response_to(command, _RESOURCE_LIMITATION))

    def _store(self, association: Served, context: Syntaxes, command: Command) -> Exchange:
        who = association.introduction
        announced = Announced(
            command.text(Element.AFFECTED_SOP_CLASS_UID),
            command.text(Element.AFFECTED_SOP_INSTANCE_UID),
            context.abstract_syntax,
            context.transfer_syntax,
            who.calling_ae_title,
            who.called_ae_title,
            who.address,
        )
        respond = partial(_store_response, command, announced)
        begin, studies = partial(self._begun, command), association.studies
        return StoreExchange(begin, announced, self._maximum_bytes, respond, studies)

    def _begun(self, command: Command, announced: Announced) -> Reception:
        """Begin the reception of an instance that the command names (PS3.7 9.3.1.1)."""
        if not is_uid(announced.sop_instance_uid) or not is_uid(announced.sop_class_uid):
            raise Refused(_DATASET_DOES_NOT_MATCH, "the Affected SOP Class or Instance UID is missing or no UID")
        if not command.has_dataset:
            raise Refused(_DATASET_DOES_NOT_MATCH, "the C-STORE came without a dataset")
        return self._begin(announced)


def _store_response(command: Command, announced: Announced, status: int, comment: str) -> bytes:
    """Return the C-STORE-RSP, and log a refusal; PS3.7 9.1.1.1 leaves the UIDs optional, malformed ones break peers."""
    if comment:
        uid = announced.sop_instance_uid if is_uid(announced.sop_instance_uid) else ""
        who = {"calling_ae_title": announced.calling_ae_title, "address": announced.address}
        _log.warning("instance refused", status=f"0x{status:04X}", reason=comment, sop_instance_uid=uid, **who)
    uids = {
        Element.AFFECTED_SOP_CLASS_UID: announced.sop_class_uid,
        Element.AFFECTED_SOP_INSTANCE_UID: announced.sop_instance_uid,
    }
    return response_to(command, status, comment, tuple(element for element, uid in uids.items() if is_uid(uid)))


class StoreExchange:
    """A C-STORE whose dataset goes to a reception, up to a limit of bytes.

    Once something is refused the rest of the dataset is thrown away as it comes, and the refusal answered at its end.

    Parameters
    ----------
    begin
        Makes the reception.
    announced
        What command and association say of the instance.
    maximum_bytes
        The longest dataset that is let in.
    respond
        Encodes the response for a status and a comment; where there is a comment it is a refusal.
    studies
        Where the study of an image goes that was kept.
    """

    __slots__ = ("_left_bytes", "_reception", "_refused", "_respond", "_studies")

    def __init__(
        self,
        begin: Begin,
        announced: Announced,
        maximum_bytes: int,
        respond: Callable[[int, str], bytes],
        studies: set[str],
    ) -> None:
        self._respond, self._left_bytes, self._studies = respond, maximum_bytes, studies
        self._reception: Reception | None = None
        self._refused: Refused | None = None
        try:
            self._reception = contained(begin, announced)
        except Refused as refused:
            self._refused = refused

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Hand on the next bytes."""
        if self._reception is None:
            return
        self._left_bytes -= sum(map(len, fragments))
        if self._left_bytes < 0:
            self._refuse(Refused(_OUT_OF_RESOURCES, "the instance is over [receive] max_instance_mb"))
            return
        try:
            contained(self._reception.write, fragments)
        except Refused as refused:
            self._refuse(refused)

    def _refuse(self, refused: Refused) -> None:
        self._refused = refused
        self.abandon()

    def finish(self) -> bytes:
        """Return the response with the reception's status, or with that of the refusal."""
        try:
            return self._respond(self._kept(), "")
        except Refused as refused:
            return self._respond(refused.status, refused.reason)

    def _kept(self) -> int:
        reception, self._reception = self._reception, None
        if reception is None:
            raise self._refused or Refused(_OUT_OF_RESOURCES, "the reception was given up")
        status = contained(reception.finish)
        if reception.study:
            self._studies.add(reception.study)
        return status

    def abandon(self) -> None:
        """Have the reception leave nothing."""
        reception, self._reception = self._reception, None
        if reception is not None:
            with contextlib.suppress(Refused):  # it is logged, and there is nobody to tell
                contained(reception.abandon)
