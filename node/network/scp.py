"""The Verification and Storage SCP: who is let in, how many at once, and what each request is answered.

It hands each instance on as the bytes that came, with what the association says about it; what becomes of it, and so
which status is true, is decided by the callable that it is given.

References
----------
DICOM PS3.4 Annex A (Verification), Annex B (Storage), PS3.7 9.1.1 (C-STORE), 9.1.5 (C-ECHO), PS3.8 9.3.4 (rejection).
"""

import errno
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pynetdicom.ae import ApplicationEntity

from node.domain.errors import OperatorError, Refused
from node.domain.identifiers import is_uid
from node.network.command import Command, CommandField, Element, MalformedCommand, response_to
from node.network.guards import MAXIMUM_PDU_BYTES, GuardedAssociation, GuardedServer, quieten
from node.network.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.network.message import Message
from node.network.presentation import acceptor_contexts
from node.telemetry import logger

_SUCCESS = 0x0000
_UNRECOGNISED_OPERATION = 0x0211
_OUT_OF_RESOURCES = 0xA700
_DATASET_DOES_NOT_MATCH = 0xA900

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

#: How long an association that was aborted at the end of a drain may take to end.
_GRACE_S = 2.0

_log = logger("network.scp")


@dataclass(frozen=True, slots=True)
class ScpSettings:
    """Where the SCP listens, whom it lets in, and its limits.

    Parameters
    ----------
    ae_title
        The called AE title that it answers to, 1 to 16 characters.
    bind, port
        Where it listens; port 0 takes a free one.
    accept_any_calling_ae
        Whether every calling AE title is let in.
    calling_ae_titles
        The calling AE titles that are let in otherwise.
    max_associations
        How many associations run at once.
    association_timeout_s
        From the connection to the A-ASSOCIATE-RQ (the ARTIM timer, PS3.8 9.1.5).
    idle_timeout_s
        Without a PDU, or within one, afterwards: the association is then aborted.
    max_instance_mb
        A dataset above this is refused with 0xA700.
    """

    ae_title: str
    bind: str = "0.0.0.0"  # noqa: S104 - a DICOM node listens to the network; the operator narrows it
    port: int = 11112
    accept_any_calling_ae: bool = False
    calling_ae_titles: frozenset[str] = frozenset()
    max_associations: int = 20
    association_timeout_s: float = 30.0
    idle_timeout_s: float = 120.0
    max_instance_mb: int = 2048


@dataclass(frozen=True, slots=True)
class IncomingInstance:
    """An instance as a peer sent it.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid
        Affected SOP Class and Instance UID of the command; the latter always has the form of a UID.
    context_sop_class_uid, transfer_syntax_uid
        What was agreed for the presentation context that it came on.
    calling_ae_title, called_ae_title, address
        Who sent it, to which title, and the sender's IP address.
    dataset
        The encoded dataset, byte for byte as received.
    """

    sop_class_uid: str
    sop_instance_uid: str
    context_sop_class_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    called_ae_title: str
    address: str
    dataset: bytes


@dataclass(frozen=True, slots=True)
class RefusedAssociation:
    """An association that was rejected: who asked, and why not."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    reason: str


class Rejection(Enum):
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21), and the reason in words."""

    APPLICATION_CONTEXT = (1, 1, 2, "application context name not supported")
    CALLING_AE_TITLE = (1, 1, 3, "calling AE title not recognised")
    CALLED_AE_TITLE = (1, 1, 7, "called AE title not recognised")
    DRAINING = (2, 3, 1, "temporary congestion: the node is draining")
    LOCAL_LIMIT = (2, 3, 2, "local limit exceeded: too many associations")

    @property
    def codes(self) -> tuple[int, int, int]:
        """Result, source, reason."""
        return self.value[:3]

    @property
    def reason(self) -> str:
        """The reason in words."""
        return self.value[3]


class StorageSCP:
    """Accepts associations on one port and serves C-ECHO and C-STORE on them, one thread an association.

    Parameters
    ----------
    settings
        Where it listens, whom it lets in, and its limits.
    on_store
        Called for every instance, on several threads at once; returns the status to answer, or raises `Refused`.
        Nothing is acknowledged before it returns.
    on_refused
        Called for every association that is rejected, before the peer is told.
    """

    def __init__(
        self,
        settings: ScpSettings,
        on_store: Callable[[IncomingInstance], int],
        on_refused: Callable[[RefusedAssociation], None],
    ) -> None:
        self._settings, self._on_store, self._on_refused = settings, on_store, on_refused
        self._changed = threading.Condition()
        self._open: set[GuardedAssociation] = set()
        self._admitted: set[GuardedAssociation] = set()
        self._is_draining = False
        self._server: GuardedServer | None = None

    def start(self) -> int:
        """Listen, and serve from now on.

        Returns
        -------
        int
            The port that is bound.

        Raises
        ------
        OperatorError
            When the address cannot be bound; it names the way out.
        """
        quieten()
        self._server = self._listening()
        serving = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="storage-scp", daemon=True
        )
        serving.start()
        return int(self._server.server_address[1])

    def _listening(self) -> GuardedServer:
        settings = self._settings
        address = (settings.bind, settings.port)
        contexts = list(acceptor_contexts())
        try:
            return GuardedServer(self._entity(), address, contexts, self._new_association, self._admit)
        except OSError as error:
            raise OperatorError(_bind_failure(settings, error)) from error

    def _entity(self) -> ApplicationEntity:
        entity = ApplicationEntity(self._settings.ae_title)
        entity.acse_timeout = self._settings.association_timeout_s
        entity.network_timeout = self._settings.idle_timeout_s
        entity.maximum_pdu_size = MAXIMUM_PDU_BYTES
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        # The library counts half-open connections too; the node counts what it has admitted.
        entity.maximum_associations = 1_000_000
        return entity

    def _new_association(self) -> GuardedAssociation:
        maximum_bytes = self._settings.max_instance_mb * 1_000_000
        association = GuardedAssociation(self._server.ae, self._serve, self._end, maximum_bytes)
        with self._changed:
            self._open.add(association)
        return association

    def _end(self, association: GuardedAssociation) -> None:
        with self._changed:
            self._open.discard(association)
            self._admitted.discard(association)
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Let nobody else in, let the running associations finish, abort those that do not, and close the port.

        Parameters
        ----------
        timeout_s
            How long the running associations may take; new ones are rejected with (2,3,1) meanwhile.

        Returns
        -------
        bool
            Whether all of them finished by themselves.
        """
        with self._changed:
            self._is_draining = True
            finished = self._changed.wait_for(lambda: not self._admitted, timeout_s)
        if self._server is not None:
            self._server.shutdown()
            self._server = None
        self._abort_rest()
        return finished

    def stop(self) -> None:
        """Abort what runs and close the port."""
        self.drain(0)

    def _abort_rest(self) -> None:
        with self._changed:
            rest, admitted = tuple(self._open), tuple(self._admitted)
        for association in admitted:
            association.abort(block=False)
        deadline = time.monotonic() + _GRACE_S
        for association in rest:
            association.join(max((deadline - time.monotonic()) / 2, 0))
            association.cut()
        for association in rest:
            association.join(max(deadline - time.monotonic(), 0))

    def _admit(self, event: Any) -> None:
        """Reject the association that is asked for, or count it among the running ones."""
        association: GuardedAssociation = event.assoc
        rejection = self._rejection(association)
        if rejection is None:
            return
        calling, called, address = _introduction(association)
        _log.warning("association_rejected", calling=calling, called=called, address=address, reason=rejection.reason)
        try:
            self._on_refused(RefusedAssociation(calling, called, address, rejection.reason))
        finally:
            association.reject(*rejection.codes)

    def _rejection(self, association: GuardedAssociation) -> Rejection | None:
        settings = self._settings
        calling, called, _ = _introduction(association)
        if association.requestor.primitive.application_context_name != _APPLICATION_CONTEXT:
            return Rejection.APPLICATION_CONTEXT
        if not settings.accept_any_calling_ae and calling not in settings.calling_ae_titles:
            return Rejection.CALLING_AE_TITLE
        if called != settings.ae_title:
            return Rejection.CALLED_AE_TITLE
        return self._take_slot(association)

    def _take_slot(self, association: GuardedAssociation) -> Rejection | None:
        with self._changed:
            if self._is_draining:
                return Rejection.DRAINING
            if len(self._admitted) >= self._settings.max_associations:
                return Rejection.LOCAL_LIMIT
            self._admitted.add(association)
        return None

    def _serve(self, association: GuardedAssociation, message: Message) -> None:
        """Answer one message; what cannot be answered, because it says no message ID, aborts."""
        if not message.command.is_answerable:
            _log.warning("stray_message_ignored", command_field=f"0x{message.command.field:04X}")
            return
        try:
            association.dimse.answer(message.context_id, self._response(association, message))
        except MalformedCommand:
            association.abort()

    def _response(self, association: GuardedAssociation, message: Message) -> bytes:
        command = message.command
        if command.field == CommandField.C_ECHO_RQ:
            return response_to(command, _SUCCESS, echoed=_valid_uids(command))
        if command.field != CommandField.C_STORE_RQ:
            return response_to(command, _UNRECOGNISED_OPERATION, echoed=_valid_uids(command))
        try:
            status, comment = self._stored(_incoming(association, message)), ""
        except Refused as refused:
            status, comment = refused.status, refused.reason
            _log.warning("instance_refused", status=f"0x{status:04X}", reason=comment)
        return response_to(command, status, comment, _valid_uids(command))

    def _stored(self, incoming: IncomingInstance) -> int:
        try:
            return self._on_store(incoming)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours must not cost the peer its association
            # The message and the arguments of an exception may hold patient data; where it happened does not.
            place = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("store_failed", error=type(error).__qualname__, file=place.filename, line=place.lineno)  # noqa: TRY400
            raise Refused(_OUT_OF_RESOURCES, "processing failed on the node") from None


def _incoming(association: GuardedAssociation, message: Message) -> IncomingInstance:
    command = message.command
    sop_instance_uid = command.text(Element.AFFECTED_SOP_INSTANCE_UID)
    if not is_uid(sop_instance_uid):
        raise Refused(_DATASET_DOES_NOT_MATCH, "the Affected SOP Instance UID is missing or not a UID")
    if message.is_too_large:
        raise Refused(_OUT_OF_RESOURCES, "the instance is larger than the node takes ([receive] max_instance_mb)")
    if message.dataset is None:
        raise Refused(_DATASET_DOES_NOT_MATCH, "the C-STORE came without a dataset")
    context = next(one for one in association.accepted_contexts if one.context_id == message.context_id)
    calling, called, address = _introduction(association)
    return IncomingInstance(
        sop_class_uid=command.text(Element.AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=sop_instance_uid,
        context_sop_class_uid=str(context.abstract_syntax),
        transfer_syntax_uid=str(context.transfer_syntax[0]),
        calling_ae_title=calling,
        called_ae_title=called,
        address=address,
        dataset=message.dataset,
    )


def _introduction(association: GuardedAssociation) -> tuple[str, str, str]:
    """Return calling AE title, called AE title and address of the requestor."""
    request = association.requestor.primitive
    return request.calling_ae_title.strip(), request.called_ae_title.strip(), association.requestor.address_info.address


def _valid_uids(command: Command) -> tuple[Element, ...]:
    """Return which UIDs the response repeats: PS3.7 9.1.1.1 leaves them optional, and a malformed one breaks peers."""
    repeated = (Element.AFFECTED_SOP_CLASS_UID, Element.AFFECTED_SOP_INSTANCE_UID)
    return tuple(element for element in repeated if is_uid(command.text(element)))


def _bind_failure(settings: ScpSettings, error: OSError) -> str:
    where = f"port {settings.port} on {settings.bind}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: choose another [node] port or stop the other process"
    if error.errno == errno.EACCES:
        return f"{where} may not be opened by this user: choose a [node] port above 1023"
    return f"{where} cannot be opened ({error.strerror or error}): check [node] bind and port"
