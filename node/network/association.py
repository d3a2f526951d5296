"""An association of the acceptor: the library's, with this node's rules at its start and at its end.

The library negotiates it and keeps its state; what is asked is read and judged before the library sees it, and how
bytes then move is left to one of the two readers. Everything that rests on the library's inside stands in this file,
`fast`, `guards` and `library_messages`; tests hold it to the version that was read. It knows no store.

References
----------
DICOM PS3.8 9.2 (states), 9.3.2 to 9.3.4 (A-ASSOCIATE), PS3.7 9.3 (messages).
"""

import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from node.network.assembly import Assembly
from node.network.connection import acknowledge_at_once, cut, send_at_once
from node.network.lobby import Visitor
from node.network.pdu import ABORT_BY_USER, HEADER, IS_COMMAND, BrokenProtocol, abort_pdu, data_pdus, reject_pdu
from node.network.presentation import Syntaxes
from node.network.refused import Rejection
from node.network.released import ReleasedAssociation
from node.network.request import AssociationRequest, decode_request
from node.network.service import Introduction, StorageService
from node.telemetry import logger

#: A peer that takes less than this at once is sent this much all the same: nothing shorter carries a response.
_SHORTEST_PDU_BYTES = 64

_log = logger("network.association")


@dataclass(frozen=True, slots=True)
class Host:
    """What every association of an SCP shares.

    Parameters
    ----------
    entity
        The application entity that accepts.
    contexts
        The supported presentation contexts; the library copies some 12 000 UIDs for each connection, these are shared.
    admit
        Asked when the A-ASSOCIATE-RQ has come, before it is answered; returns why it is rejected, or None.
    ended
        Called once, when the association is over in whatever way.
    see_off
        Takes over the connection, and the last bytes to send on it.
    service
        Opens the exchange of each message.
    pdu_timeout_s, idle_timeout_s
        How long a PDU may take from its first byte on, or a write, and how long none need come.
    contexts_of
        What is supported instead for some callers, by AE title.
    released
        Called after a release that the peer asked for, with what the association had brought, if that is any image.
    """

    entity: ApplicationEntity
    contexts: list[PresentationContext]
    admit: "Callable[[GuardedAssociation], Rejection | None]"
    ended: "Callable[[GuardedAssociation], None]"
    see_off: Callable[[socket.socket, bytes], None]
    service: StorageService
    pdu_timeout_s: float
    idle_timeout_s: float
    contexts_of: Mapping[str, list[PresentationContext]] = field(default_factory=dict)
    released: Callable[[ReleasedAssociation], None] = lambda _: None


def quieten() -> None:
    """Keep the library out of the log: it prints identifiers below WARNING, and tracebacks for what peers send above.

    What the operator has to know of an association is logged by this node.
    """
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    # Without its own handlers the library also does not build the texts that it would then not print.
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False


class GuardedAssociation(Association):
    """An association that begins with a visitor whose A-ASSOCIATE-RQ has come whole; served on its own thread.

    Parameters
    ----------
    host
        What all associations share.
    visitor
        Who has come, on which connection, and the A-ASSOCIATE-RQ.
    """

    def __init__(self, host: Host, visitor: Visitor) -> None:
        super().__init__(host.entity, "acceptor")
        self.host, self.visitor = host, visitor
        self.connection = visitor.connection
        self.asked: AssociationRequest  #: what the A-ASSOCIATE-RQ says, once it has been read
        #: What is sent last, on the way out.
        self.farewell = ABORT_BY_USER
        self._is_over = False
        self.studies: set[str] = set()  #: of the images that were kept

    def run_reactor(self) -> None:
        """Run the association until it is over."""
        try:
            if self._is_let_in():
                self._introduce()
                super().run_reactor()
        except BrokenProtocol as broken:
            self.end_for(broken)
        except OSError:
            _log.info("connection lost", address=self.visitor.address[0])
        finally:
            self._is_over = True  # a drain that waited for this one goes on now, and must not abort what says goodbye
            self.host.ended(self)
            self.host.see_off(self.connection, self.farewell)
            if self.is_released and self.studies:  # only now: the peer waits for its answer
                self.host.released(ReleasedAssociation(self.introduction.calling_ae_title, tuple(sorted(self.studies))))

    def _is_let_in(self) -> bool:
        send_at_once(self.connection)
        self.asked = decode_request(memoryview(self.visitor.request)[HEADER.size :])
        self.visitor = replace(self.visitor, request=b"")  # up to 1 MiB that nobody needs any more
        rejection = self.host.admit(self)
        if rejection is not None:
            self.farewell = reject_pdu(rejection.codes)
        return rejection is None

    def end_for(self, broken: BrokenProtocol) -> None:
        """Let the association end with an A-ABORT that says why."""
        _log.warning("association aborted", reason=str(broken), address=self.visitor.address[0])
        self.farewell = abort_pdu(broken.reason)

    def _introduce(self) -> None:
        """Tell the library who talks with whom, as its own handler of connections does."""
        entity, acceptor = self.ae, self.acceptor
        acceptor.ae_title = entity.ae_title
        acceptor.address_info = AddressInformation.from_tuple(self.connection.getsockname())
        acceptor.maximum_length = entity.maximum_pdu_size
        acceptor.implementation_class_uid = entity.implementation_class_uid
        acceptor.implementation_version_name = entity.implementation_version_name
        acceptor.supported_contexts = self.host.contexts_of.get(self.asked.calling_ae_title, self.host.contexts)
        self.requestor.address_info = AddressInformation.from_tuple(self.visitor.address)

    @cached_property
    def introduction(self) -> Introduction:
        """Who asks; from the A-ASSOCIATE-RQ on."""
        asked = self.asked
        return Introduction(asked.calling_ae_title, asked.called_ae_title, self.visitor.address[0])

    @cached_property
    def accepted(self) -> Mapping[int, Syntaxes]:
        """The syntaxes that were agreed, by context ID; from the acceptance on."""
        return {
            context_id: Syntaxes(str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context_id, context in self._accepted_cx.items()
        }

    @cached_property
    def assembly(self) -> Assembly:
        """What puts this association's fragments together; from the acceptance on."""
        service = self.host.service
        return Assembly(
            self.accepted,
            lambda context_id, command, encoded: service.open(self, context_id, command, encoded),
            self._answer,
        )

    def _answer(self, context_id: int, response: bytes) -> None:
        """Send a response in one write; in one PDU where the peer takes one so long (PS3.8 D.1)."""
        maximum = self.asked.maximum_pdu_bytes or len(response) + HEADER.size
        self.send(b"".join(data_pdus(context_id, response, IS_COMMAND, max(maximum, _SHORTEST_PDU_BYTES))))

    def send(self, encoded: bytes) -> None:
        """Send PDUs in one write; raise `OSError` where the connection is gone, or has stood still for too long."""
        self.connection.sendall(encoded)
        # The peer writes next. Once a message is enough: at every read it costs as much and gains no more.
        acknowledge_at_once(self.connection)

    def hand_to_library(self, context_id: int, command: bytes, dataset: bytes) -> None:
        """Have the library serve a message of which all has come."""
        raise NotImplementedError

    def end_at_once(self, abort: bytes = ABORT_BY_USER) -> None:
        """Abort, from any thread: tell the peer as far as that is possible without waiting, and wake who waits."""
        if self._is_over:
            return
        with contextlib.suppress(OSError):
            self.connection.send(abort, socket.MSG_DONTWAIT)
        cut(self.connection)
