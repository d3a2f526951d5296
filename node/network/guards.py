"""The guards around pynetdicom 3.0.4: what it leaves open as it comes, closed from outside, each with its reason.

Everything here rests on how one version of the library behaves, so the version is pinned, only `message`, `listener`
and this file derive from the library's classes, and tests hold each guard to what it is for. It knows associations and
sockets; who may send, and what becomes of an instance, it does not know.

What `message.MessageProvider` guards against, by standing in for the library's DIMSE provider:

- an Affected SOP Instance UID over 64 characters aborts the association, and a C-STORE-RQ without UIDs is never
  answered (PS3.7 9.1.1.1.4; the node answers 0xA900);
- a stray C-CANCEL-RQ or an unknown Command Field raises on the upper layer thread, which then dies with its connection
  open (PS3.7 9.3.2.3, C.5.22; the node ignores the one and answers 0x0211 to the other);
- a dataset of any length is gathered in memory, and copied three times (PS3.7 6.3).
"""

import contextlib
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pydicom.uid import UID
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AddressInformation, AssociationSocket

from node.network.connection import PDU_CAP_BYTES, acknowledge_at_once
from node.network.message import Message, MessageProvider
from node.network.presentation import Syntaxes, preferred_transfer_syntax

#: PS3.8 9.2.1: the association is over, and the connection waits to be closed.
_CLOSING = "Sta13"
_DISCARD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an A-ASSOCIATE-RQ says of the one who asks, AE titles without padding, and the address that it came from."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    application_context: str


def quieten() -> None:
    """Keep identifiers out of the log: at INFO and DEBUG the library prints associations, commands and datasets."""
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)
    # Without its own handlers the library also does not build the texts that it would then not print.
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False


class GuardedSocket(AssociationSocket):
    """The library's socket, with a cap and a deadline for each PDU.

    The library reads 4 KB at a time with no limit of length or time, so that one byte and then silence holds two
    threads for ever, and no abort is sent until the peer sends the rest (PS3.8 9.1.5 leaves the time-out to the node).

    Parameters
    ----------
    association
        The association that reads from it.
    connection
        The accepted connection.
    deadline_s
        How long a PDU may take to come, and how long a write may stand still.
    """

    def __init__(self, association: Association, connection: socket.socket, deadline_s: float) -> None:
        super().__init__(association, client_socket=connection)
        self._connection, self._deadline_s = connection, deadline_s

    def recv(self, nr_bytes: int) -> bytearray:
        """Return the next `nr_bytes` bytes, fewer where the peer closed the connection.

        Raises
        ------
        OSError
            When the PDU is longer than the cap, or has not come within its deadline: the library then closes.
        """
        if self.assoc.dul.state_machine.current_state == _CLOSING:
            return self._discard()
        if nr_bytes > PDU_CAP_BYTES:
            raise OSError("a PDU claims to be longer than the cap")
        received = bytearray(nr_bytes)
        count = self._fill(memoryview(received))
        return received if count == nr_bytes else received[:count]

    def _discard(self) -> bytearray:
        """Throw away what lies there after the end: the library would wait for it to become a whole PDU."""
        self._connection.recv(_DISCARD_BYTES)
        return bytearray()

    def _fill(self, view: memoryview) -> int:
        deadline = time.monotonic() + self._deadline_s
        filled = 0
        while filled < len(view):
            acknowledge_at_once(self._connection)
            self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
            count = self._connection.recv_into(view[filled:])
            if not count:
                break
            filled += count
        self._connection.settimeout(self._deadline_s)
        return filled

    def cut(self) -> None:
        """Close the connection under the association; a thread that waits in a read wakes up."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class GuardedUpperLayer(DULServiceProvider):
    """The library's upper layer thread, whose end is the end of its connection and of whoever waits for it.

    An even context ID raises in the library's state machine (PS3.8 9.3.2.2): the thread dies, and its connection stays
    open. And the thread that waits for an A-ASSOCIATE-RQ waits out its time-out on a connection that is closed, so that
    every port scan holds it for half a minute.
    """

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        # The library's is none: one stalled peer would keep the process from ending.
        self.daemon = True

    def run_reactor(self) -> None:
        """Run until the association is over, then close what is left and wake who waits."""
        try:
            super().run_reactor()
        finally:
            cast("GuardedSocket", self.socket).cut()
            if self.assoc.requestor.primitive is None:
                self.to_user_queue.put(cast("Any", None))


class GuardedAssociation(Association):
    """An association of the acceptor: asked about at its start, served by this node, told of at its end.

    Parameters
    ----------
    entity
        The application entity that accepts.
    admit
        Called when the A-ASSOCIATE-RQ has come, before it is answered; it may reject.
    serve
        Called with each whole message.
    ended
        Called once, when the association is over in whatever way.
    maximum_dataset_bytes
        The longest dataset that is kept.

    All three are called on the association's thread.
    """

    def __init__(
        self,
        entity: ApplicationEntity,
        admit: "Callable[[GuardedAssociation], None]",
        serve: "Callable[[GuardedAssociation, Message], None]",
        ended: "Callable[[GuardedAssociation], None]",
        maximum_dataset_bytes: int,
    ) -> None:
        super().__init__(entity, "acceptor")
        self._serve, self._ended = serve, ended
        self.messages = MessageProvider(self, maximum_dataset_bytes)
        self.dimse = self.messages
        self.dul = GuardedUpperLayer(self)
        # The library sets these on the upper layer that it made itself.
        self.acse_timeout, self.network_timeout = entity.acse_timeout, entity.network_timeout
        self.bind(evt.EVT_REQUESTED, lambda _: self._prefer())
        self.bind(evt.EVT_REQUESTED, lambda _: admit(self))

    @property
    def introduction(self) -> Introduction:
        """Who asks; from the A-ASSOCIATE-RQ on."""
        request = cast("A_ASSOCIATE", self.requestor.primitive)
        address = cast("AddressInformation", self.requestor.address_info)
        return Introduction(
            request.calling_ae_title.strip(),
            request.called_ae_title.strip(),
            address.address,
            str(request.application_context_name),
        )

    def accepted_context(self, context_id: int) -> Syntaxes:
        """Return the syntaxes that were agreed for an accepted presentation context."""
        context = self._accepted_cx[context_id]
        return Syntaxes(str(context.abstract_syntax), str(context.transfer_syntax[0]))

    def _prefer(self) -> None:
        """Leave each proposed context the one transfer syntax that the node prefers for it.

        The library takes the first of the acceptor's list, whatever the peer lists first; a peer that names a
        compressed syntax before the uncompressed ones then has to convert what it often cannot (PS3.8 9.3.3.2 leaves
        the choice to the acceptor).
        """
        request = cast("A_ASSOCIATE", self.requestor.primitive)
        for context in request.presentation_context_definition_list:
            preferred = preferred_transfer_syntax([str(syntax) for syntax in context.transfer_syntax])
            if preferred is not None:
                context.transfer_syntax = [UID(preferred)]

    def run_reactor(self) -> None:
        """Run the association until it is over."""
        try:
            super().run_reactor()
        finally:
            self._ended(self)

    def _serve_request(self, msg: Any, context_id: int) -> None:
        """Serve a message here: the library aborts at retired SOP classes and is silent at requests without UIDs."""
        if context_id in self._accepted_cx:
            self._serve(self, msg)
        else:
            self.abort()  # PS3.8 9.3.5.1: the context was never accepted

    def reject(self, result: int, source: int, diagnostic: int) -> None:
        """Answer the request with an A-ASSOCIATE-RJ of these codes (PS3.8 9.3.4) and end."""
        self.acse.send_reject(result, source, diagnostic)
        self.kill()

    def cut(self) -> None:
        """Close the connection under the association, without telling the peer."""
        if isinstance(self.dul.socket, GuardedSocket):
            self.dul.socket.cut()
