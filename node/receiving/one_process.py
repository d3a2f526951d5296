"""The SCP and the receiver, joined: what receives, alone or beside others, whoever writes the rows.

It stands below app, which runs everything else, and knows nothing of reading, composing and delivering; nor of a
database, so that a process that has none need not import one.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from node import telemetry
from node.config import Settings
from node.domain.errors import OperatorError, Refused, Transient
from node.network.commitment import Heard
from node.network.refused import RefusedAssociation
from node.network.released import ReleasedAssociation
from node.network.scp import ScpSettings, StorageSCP
from node.network.slots import Slots
from node.pipeline.intake.congestion import Congestion
from node.pipeline.intake.ledger import Ledger
from node.pipeline.intake.let_in import let_in_with
from node.pipeline.intake.receive import Receiver
from node.pipeline.steps import Reached, unobserved
from node.store.disk.files import Free, InstanceFiles

_PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.20: the peer comes again

_log = telemetry.logger("receiving")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What receiving calls.

    Parameters
    ----------
    wake
        After the commit of an instance that caused work, in whichever process.
    lost
        Where nothing is received any more though nobody told it to stop: a defect, after which the node is to end.
    """

    wake: Callable[[], None]
    lost: Callable[[], None]


class Receiving:
    """Accepts associations and keeps what comes on them.

    Parameters
    ----------
    settings
        The checked configuration.
    files
        Where bytes are kept.
    ledger
        Keeps the rows.
    lost
        Called where nobody is accepted any more though nobody told it to stop.
    reached
        Called at each step of an instance; for tests that end the process there.
    """

    def __init__(
        self,
        settings: Settings,
        files: InstanceFiles,
        ledger: Ledger,
        lost: Callable[[], None],
        reached: Reached = unobserved,
    ) -> None:
        self._ledger, self._lost = ledger, lost
        congestion = Congestion(ledger.ping, files, _least(settings))
        self._receiver = Receiver(files, ledger, congestion, reached)
        asked_of = (peer.ae_title for peer in settings.peers if peer.one_study_per_association or peer.query)
        self._told_of = frozenset(asked_of)  # whose releases mean something
        self._scp_settings = _scp_settings(settings)
        self._speaks_of_commitment = settings.commitment.serve or bool(settings.committing_titles)
        self._scp: StorageSCP | None = None

    def start(self, listener: socket.socket | None = None, slots: Slots | None = None) -> int:
        """Accept associations from now on; return the port.

        Parameters
        ----------
        listener
            A socket that listens already, shared with other processes; left out, one is opened.
        slots
            Shared with them too; left out, the associations of this process count alone.

        Raises
        ------
        OperatorError
            Where the port cannot be opened.
        """
        receiver, congested = self._receiver, self._receiver.congestion.reason
        hear = self._heard if self._speaks_of_commitment else None
        self._scp = StorageSCP(self._scp_settings, receiver.begin, self._refused, congested, slots, self._lost, hear)
        self._scp.on_released = self._released
        return self._scp.start(listener)

    def accepts(self, within_s: float) -> bool:
        """Return whether connections are accepted, after so long at most."""
        return self._scp is not None and self._scp.accepts(within_s)

    def drain(self, timeout_s: float) -> bool:
        """Reject new associations, let current ones finish; return whether all did in time."""
        return self._scp is None or self._scp.drain(timeout_s)

    def abandon(self) -> None:
        """Do nothing: what this process receives ends with it."""

    def _released(self, association: ReleasedAssociation) -> None:
        """Hand on what a sender released, where the operator set something that it means."""
        if association.calling_ae_title not in self._told_of:
            return
        try:
            self._ledger.released(association)
        except Transient as error:  # what it brought waits for the quiet period
            _log.warning("released association not recorded", reason=str(error))

    def _heard(self, said: Heard) -> int:
        """Have it kept what a peer said of storage commitment."""
        try:
            return self._ledger.heard(said)
        except (Transient, OperatorError) as error:
            raise Refused(_PROCESSING_FAILURE, str(error)) from error

    def _refused(self, refused: RefusedAssociation) -> None:
        """Keep who was turned away, for `check` and the log."""
        who = (refused.calling_ae_title, refused.called_ae_title, refused.address, refused.reason)
        log = _log.bind(calling_ae_title=who[0], called_ae_title=who[1], address=who[2])
        log.warning("association rejected", reason=who[3], let_in_with=let_in_with(who[3], who[0], who[2]))
        try:
            self._ledger.refused(refused)
        except Transient as error:  # it is in the log, and the peer is answered all the same
            log.warning("rejected association not recorded", reason=str(error))


def _least(settings: Settings) -> Free:
    return Free(settings.storage.min_free_mb * 1_000_000, settings.storage.min_free_inodes)


def _scp_settings(settings: Settings) -> ScpSettings:
    return ScpSettings(
        ae_title=settings.node.ae_title,
        bind=settings.node.bind,
        port=settings.node.port,
        accept_any_calling_ae=settings.receive.accept_any_calling_ae,
        calling_ae_titles=frozenset(peer.ae_title for peer in settings.peers if peer.may_send),
        committing_ae_titles=settings.committing_titles,
        max_associations=settings.receive.max_associations,
        max_associations_per_address=settings.receive.max_associations_per_address,
        association_timeout_s=settings.receive.association_timeout_s,
        pdu_timeout_s=settings.receive.pdu_timeout_s,
        idle_timeout_s=settings.receive.idle_timeout_s,
        max_instance_mb=settings.receive.max_instance_mb,
        reader=settings.receive.reader,
        known_addresses=frozenset(filter(_is_address, (peer.host for peer in settings.peers if peer.may_send))),
    )


def _is_address(host: str) -> bool:
    """Return whether a host is an IP address; a name is not looked up: whom it lets in is known from then on."""
    with suppress(ValueError):
        return str(ip_address(host)) == host
    return False
