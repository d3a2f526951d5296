"""The Verification and Storage SCP: where the node listens, who is let in, how many at once, and how it stops.

References
----------
DICOM PS3.4 Annexes A and B, PS3.8 9.3.4 (rejection).
"""

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pynetdicom.ae import ApplicationEntity

from node.domain.errors import OperatorError
from node.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.network.connection import MAXIMUM_PDU_BYTES
from node.network.guards import GuardedAssociation, Introduction, quieten
from node.network.listener import GuardedServer
from node.network.presentation import APPLICATION_CONTEXT, acceptor_contexts
from node.network.reception import Begin
from node.network.rejection import RefusedAssociation, Rejection
from node.network.service import StorageService

__all__ = ["RefusedAssociation", "Rejection", "ScpSettings", "StorageSCP"]

#: How long the associations that are aborted at the end of a drain may take to end, all together.
_GRACE_S = 2.0

#: How often the listening thread looks whether it has been told to stop.
_STOP_POLL_S = 0.1


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
        A dataset above this, in units of 1 000 000 bytes, is refused with 0xA700.
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


class StorageSCP:
    """Accepts associations on one port and serves C-ECHO and C-STORE on them, one thread an association.

    Parameters
    ----------
    settings
        Where it listens, whom it lets in, and its limits.
    begin
        Called for every instance, on several threads at once; see `reception`.
    on_refused
        Called for every association that is rejected, before the peer is told.
    """

    def __init__(
        self,
        settings: ScpSettings,
        begin: Begin,
        on_refused: Callable[[RefusedAssociation], None],
    ) -> None:
        self._settings, self._on_refused = settings, on_refused
        self._service = StorageService(begin)
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
        entity = _entity(self._settings)
        server = self._server = self._listening(entity)
        serve = partial(server.serve_forever, poll_interval=_STOP_POLL_S)
        threading.Thread(target=serve, name="storage-scp", daemon=True).start()
        return int(server.server_address[1])

    def _listening(self, entity: ApplicationEntity) -> GuardedServer:
        settings = self._settings
        new_association = partial(self._new_association, entity)
        try:
            return GuardedServer(entity, (settings.bind, settings.port), list(acceptor_contexts()), new_association)
        except OSError as error:
            raise OperatorError(_bind_failure(settings, error)) from error

    def _new_association(self, entity: ApplicationEntity) -> GuardedAssociation:
        association = GuardedAssociation(
            entity, self._admit, self._service.serve, self._end, self._settings.max_instance_mb * 1_000_000
        )
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
        self._end_rest()
        return finished

    def stop(self) -> None:
        """Abort what runs and close the port."""
        self.drain(0)

    def _end_rest(self) -> None:
        with self._changed:
            rest, admitted = tuple(self._open), tuple(self._admitted)
        for association in admitted:
            association.abort(block=False)
        deadline = time.monotonic() + _GRACE_S
        # The peers of these are told; an association that stands in the middle of a PDU is not listening to us.
        _join(admitted, deadline - _GRACE_S / 2)
        for association in rest:
            association.cut()
        _join(rest, deadline)

    def _admit(self, association: GuardedAssociation) -> None:
        """Count the association that is asked for among the running ones, or reject it."""
        who = association.introduction
        rejection = self._rejection(who) or self._take_slot(association)
        if rejection is None:
            return
        refused = RefusedAssociation(who.calling_ae_title, who.called_ae_title, who.address, rejection.reason)
        try:
            self._on_refused(refused)
        finally:
            association.reject(*rejection.codes)

    def _rejection(self, who: Introduction) -> Rejection | None:
        settings = self._settings
        if who.application_context != APPLICATION_CONTEXT:
            return Rejection.APPLICATION_CONTEXT
        if not settings.accept_any_calling_ae and who.calling_ae_title not in settings.calling_ae_titles:
            return Rejection.CALLING_AE_TITLE
        return None if who.called_ae_title == settings.ae_title else Rejection.CALLED_AE_TITLE

    def _take_slot(self, association: GuardedAssociation) -> Rejection | None:
        with self._changed:
            if self._is_draining:
                return Rejection.DRAINING
            if len(self._admitted) >= self._settings.max_associations:
                return Rejection.LOCAL_LIMIT
            self._admitted.add(association)
        return None


def _entity(settings: ScpSettings) -> ApplicationEntity:
    entity = ApplicationEntity(settings.ae_title)
    entity.acse_timeout = settings.association_timeout_s
    entity.network_timeout = settings.idle_timeout_s
    entity.maximum_pdu_size = MAXIMUM_PDU_BYTES
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    # The library counts half-open connections too; the node counts those that it has let in.
    entity.maximum_associations = 1_000_000
    return entity


def _join(associations: tuple[GuardedAssociation, ...], deadline: float) -> None:
    for association in associations:
        association.join(max(deadline - time.monotonic(), 0))


def _bind_failure(settings: ScpSettings, error: OSError) -> str:
    where = f"port {settings.port} on {settings.bind}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: choose another [node] port or stop the other process"
    if error.errno == errno.EACCES:
        return f"{where} may not be opened by this user: choose a [node] port above 1023"
    return f"{where} cannot be opened ({error.strerror or error}): check [node] bind and port"
