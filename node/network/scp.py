"""The SCP of verification, storage and storage commitment: where it listens, who is let in, how many, how it stops.

References
----------
DICOM PS3.4 Annexes A, B and J, PS3.8 9.3.4 (rejection).
"""

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable

from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import PresentationContext

from node.domain.errors import OperatorError, Refused
from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.network.association import GuardedAssociation, Host, quieten
from node.network.commitment_scp import CommitmentService, Hear
from node.network.connection import MAXIMUM_PDU_BYTES
from node.network.fast import FastAssociation
from node.network.guards import LibraryAssociation
from node.network.incoming import Begin
from node.network.lobby import Lobby, Visitor
from node.network.pdu import reject_pdu
from node.network.presentation import APPLICATION_CONTEXT, acceptor_contexts, commitment_contexts
from node.network.refused import RefusedAssociation, Rejection
from node.network.released import ReleasedAssociation
from node.network.request import AssociationRequest
from node.network.scp_settings import ScpSettings
from node.network.service import StorageService, contained
from node.network.slots import LocalSlots, Slots

__all__ = ["RefusedAssociation", "Rejection", "ScpSettings", "StorageSCP"]

_READERS = {"fast": FastAssociation, "pynetdicom": LibraryAssociation}

#: How long the associations that are aborted at the end of a drain may take to end, all together.
_GRACE_S = 2.0

#: Connections that wait for the lobby; a PACS opens several at once, and Linux keeps no more than its own limit.
_BACKLOG = 1024

#: Associations that are being judged, a thread each, in all and from one address: a crowd of strangers, of whom each
#: is written down before it is rejected, keeps nobody else waiting.
_JUDGED, _JUDGED_PER_ADDRESS = 64, 24


class StorageSCP:
    """Accepts associations on one port and serves C-ECHO and C-STORE on them, one thread an association.

    Parameters
    ----------
    settings
        Where it listens, whom it lets in, and its limits.
    begin
        Called for every instance, on several threads at once; see `node.network.incoming`.
    on_refused
        Called for every association that is rejected, before the peer is told.
    congested
        Asked for each association; a reason in words has it rejected with (2,3,1), None lets it in.
    slots
        Counts the associations; those of this process alone where it is left out.
    lost
        Called once where this SCP accepts nobody any more though nobody stopped it; see `lobby.Lobby`.
    hear
        Called with what a peer says of storage commitment, see `commitment_scp`; without it none is offered.
    """

    def __init__(
        self,
        settings: ScpSettings,
        begin: Begin,
        on_refused: Callable[[RefusedAssociation], None],
        congested: Callable[[], str | None] = lambda: None,
        slots: Slots | None = None,
        lost: Callable[[], None] = lambda: None,
        hear: Hear | None = None,
    ) -> None:
        self._settings, self._on_refused, self._congested = settings, on_refused, congested
        self._lost = lost
        #: Called with each association that its requestor released, where it had brought an image.
        self.on_released: Callable[[ReleasedAssociation], None] = lambda _: None
        self._slots = slots or LocalSlots(settings.max_associations, settings.max_associations_per_address)
        self._commits = hear is not None
        others = CommitmentService(hear).operations if hear is not None else None
        self._service = StorageService(begin, settings.max_instance_mb * 1_000_000, others)
        self._changed = threading.Condition()
        self._open: set[GuardedAssociation] = set()
        self._admitted: set[GuardedAssociation] = set()
        self._is_draining = False
        self._lobby: Lobby | None = None

    def start(self, listener: socket.socket | None = None) -> int:
        """Listen, and serve from now on.

        Parameters
        ----------
        listener
            A socket that listens already, perhaps shared with other processes; one is bound where it is left out.

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
        listener = listener or listening(self._settings.bind, self._settings.port)
        port = int(listener.getsockname()[1])
        settings = self._settings
        lobby = Lobby(listener, settings.association_timeout_s, self._welcome, self._lost, settings.known_addresses)
        self._lobby = lobby
        self._host = Host(
            _entity(self._settings),
            list(_contexts(commits=self._commits)),
            self._admit,
            self._end,
            lobby.see_off,
            self._service,
            self._settings.pdu_timeout_s,
            self._settings.idle_timeout_s,
            self._contexts_of(),
            self._tell_released,
        )
        lobby.start()
        return port

    def _contexts_of(self) -> dict[str, list[PresentationContext]]:
        settings = self._settings
        alone = () if settings.accept_any_calling_ae else settings.committing_ae_titles - settings.calling_ae_titles
        return {title: list(commitment_contexts()) for title in alone}

    def _welcome(self, visitor: Visitor) -> bytes | None:
        """Start the association of a visitor, or say with what to send it away; called on the lobby's thread."""
        association = _READERS[self._settings.reader](self._host, visitor)
        with self._changed:
            judged = [each.visitor.address[0] for each in self._open - self._admitted]
            if len(judged) >= _JUDGED or judged.count(visitor.address[0]) >= _JUDGED_PER_ADDRESS:
                return reject_pdu(Rejection.LOCAL_LIMIT.codes)
            try:
                association.start()
            except RuntimeError:  # the process may have no more threads
                return reject_pdu(Rejection.LOCAL_LIMIT.codes)
            self._open.add(association)
        return None

    def _end(self, association: GuardedAssociation) -> None:
        with self._changed:
            self._open.discard(association)
            if association in self._admitted:
                self._admitted.discard(association)
                self._slots.give_back(association.introduction.address)
            self._changed.notify_all()

    def _tell_released(self, association: ReleasedAssociation) -> None:
        with contextlib.suppress(Refused):  # it is logged; studies then wait for their quiet period
            contained(self.on_released, association)

    def accepts(self, within_s: float) -> bool:
        """Return whether the thread that accepts goes round, after so long at most."""
        return self._lobby is not None and self._lobby.turns(within_s)

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
        if self._lobby is not None:
            self._end_rest(self._host)
            self._lobby.stop()
            self._lobby = None
        return finished

    def stop(self) -> None:
        """Abort what runs and close the port."""
        self.drain(0)

    def _end_rest(self, host: Host) -> None:
        # Also those that hold no slot any more, whose threads are about to end.
        running = (each for each in threading.enumerate() if isinstance(each, GuardedAssociation))
        rest = [each for each in running if each.host is host]
        for association in rest:
            association.end_at_once()
        deadline = time.monotonic() + _GRACE_S
        for association in rest:
            association.join(max(deadline - time.monotonic(), 0))

    def _admit(self, association: GuardedAssociation) -> Rejection | None:
        """Count the association that is asked for among the running ones, or return why it is rejected."""
        rejection, reason = self._judged(association)
        if rejection is not None:
            who = association.introduction
            refused = RefusedAssociation(who.calling_ae_title, who.called_ae_title, who.address, reason)
            with contextlib.suppress(Refused):  # it is logged; the caller is rejected all the same
                contained(self._on_refused, refused)
        return rejection

    def _judged(self, association: GuardedAssociation) -> tuple[Rejection | None, str]:
        rejection = self._rejection(association.asked)
        if rejection is None and not self._is_draining and (reason := self._congestion()) is not None:
            return Rejection.CONGESTED, f"{Rejection.CONGESTED.reason}: {reason}"
        rejection = rejection or self._take_slot(association)
        return rejection, rejection.reason if rejection is not None else ""

    def _rejection(self, request: AssociationRequest) -> Rejection | None:
        settings, calling = self._settings, request.calling_ae_title
        if not request.is_version_1:
            return Rejection.PROTOCOL_VERSION
        if request.application_context != APPLICATION_CONTEXT:
            return Rejection.APPLICATION_CONTEXT
        titles = settings.calling_ae_titles | settings.committing_ae_titles
        is_known = settings.accept_any_calling_ae or calling in titles
        if not is_known or not request.is_calling_title_sound:
            return Rejection.CALLING_AE_TITLE
        return None if request.called_ae_title == settings.ae_title else Rejection.CALLED_AE_TITLE

    def _congestion(self) -> str | None:
        try:
            return contained(self._congested)
        except Refused as refused:
            return refused.reason

    def _take_slot(self, association: GuardedAssociation) -> Rejection | None:
        with self._changed:
            if self._is_draining:
                return Rejection.DRAINING
            rejection = self._slots.take(association.introduction.address)
            if rejection is None:
                self._admitted.add(association)
                if self._lobby is not None:
                    self._lobby.remember(association.introduction.address)
        return rejection


def listening(bind: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 takes a free one.

    Raises
    ------
    OperatorError
        When the address cannot be bound; it names the way out.
    """
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OperatorError(_bind_failure(f"port {port} on {bind}", error)) from error


def _contexts(*, commits: bool) -> tuple[PresentationContext, ...]:
    storage = acceptor_contexts()
    return (*storage, *commitment_contexts()[1:]) if commits else storage


def _entity(settings: ScpSettings) -> ApplicationEntity:
    entity = ApplicationEntity(settings.ae_title)
    entity.acse_timeout = settings.association_timeout_s
    entity.network_timeout = settings.idle_timeout_s
    entity.maximum_pdu_size = MAXIMUM_PDU_BYTES
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    # The library counts threads of associations; the node counts those that it has let in.
    entity.maximum_associations = 1_000_000
    return entity


def _bind_failure(where: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: choose another [node] port or stop the other process"
    if error.errno == errno.EACCES:
        return f"{where} may not be opened by this user: choose a [node] port above 1023"
    return f"{where} cannot be opened ({error.strerror or error}): check [node] bind and port"
