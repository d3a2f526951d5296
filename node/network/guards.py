"""The guards around pynetdicom 3.0.4: what it leaves open as it comes, closed from outside, each with its reason.

Everything here rests on how one version of the library behaves, so the version is pinned, nothing else in the house
derives from the library's classes but `message`, and tests hold each guard to what it is for. It knows associations and
sockets; who may send and what becomes of an instance it does not know.

What `message.MessageProvider` guards against, by standing in for the library's DIMSE provider:

- an Affected SOP Instance UID over 64 characters aborts the association, and a C-STORE-RQ without UIDs is never answered
  (PS3.7 9.1.1.1.4; the node answers 0xA900);
- a stray C-CANCEL-RQ or an unknown Command Field raises on the upper layer thread, which then dies with its connection
  open (PS3.7 9.3.2.3, C.5.22; the node ignores the one and answers 0x0211 to the other);
- a dataset of any length is gathered in memory, and copied three times (PS3.7 6.3).
"""

import contextlib
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationServer, AssociationSocket, RequestHandler

from node.network.message import Message, MessageProvider

#: Longest P-DATA-TF that this node announces (PS3.8 D.1); larger ones gain nothing.
MAXIMUM_PDU_BYTES = 128 * 1024

#: No PDU is read beyond this: the library would gather a claimed 300 MB A-ASSOCIATE-RQ before it looks at it.
_PDU_CAP_BYTES = 1 << 20

Serve = Callable[["GuardedAssociation", Message], None]
Ended = Callable[["GuardedAssociation"], None]


def quieten() -> None:
    """Keep identifiers out of the log: at INFO and DEBUG the library prints associations, commands and datasets."""
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)
    # Without its own handlers the library also does not build the texts that it would then not print.
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False


def send_at_once(connection: socket.socket) -> None:
    """Set TCP_NODELAY: with Nagle's algorithm and delayed acknowledgements a C-STORE stalls for about 40 ms."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class GuardedSocket(AssociationSocket):  # type: ignore[misc]
    """The library's socket, with a cap and a deadline for each PDU.

    The library reads 4 KB at a time with no limit of length or time, so that one byte and then silence holds two threads
    for ever, and no abort is sent until the peer sends the rest (PS3.8 9.1.5 leaves the time-out to the node).
    """

    pdu_deadline_s: float = 60.0

    def recv(self, nr_bytes: int) -> bytearray:
        """Return the next `nr_bytes` bytes, fewer where the peer closed the connection.

        Raises
        ------
        OSError
            When the PDU is longer than the cap, or has not come within its deadline: the library then closes.
        """
        if nr_bytes > _PDU_CAP_BYTES:
            raise OSError("a PDU claims to be longer than the cap")
        received = bytearray(nr_bytes)
        count = self._fill(memoryview(received))
        return received if count == nr_bytes else received[:count]

    def _fill(self, view: memoryview) -> int:
        deadline = time.monotonic() + self.pdu_deadline_s
        filled = 0
        while filled < len(view):
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            count = self.socket.recv_into(view[filled:])
            if not count:
                break
            filled += count
        return filled


class GuardedAssociation(Association):  # type: ignore[misc]
    """An association of the acceptor whose messages are served by this node, and whose end is told.

    Parameters
    ----------
    entity
        The application entity that accepts.
    serve
        Called with each whole message, on the association's thread.
    ended
        Called once, when the association is over in whatever way.
    maximum_dataset_bytes
        The longest dataset that is kept.
    """

    def __init__(self, entity: ApplicationEntity, serve: Serve, ended: Ended, maximum_dataset_bytes: int) -> None:
        super().__init__(entity, "acceptor")
        self._serve, self._ended = serve, ended
        self.dimse = MessageProvider(self, maximum_dataset_bytes)
        # The library's upper layer thread is no daemon: one stalled peer would keep the process from ending.
        self.dul.daemon = True
        self.bind(evt.EVT_CONN_CLOSE, _wake_reactor)

    def run_reactor(self) -> None:
        """Run the association until it is over."""
        try:
            super().run_reactor()
        finally:
            self._ended(self)

    def _serve_request(self, msg: Message, context_id: int) -> None:
        """Serve a message here: the library aborts at retired SOP classes and is silent at requests without UIDs."""
        if any(context.context_id == context_id for context in self.accepted_contexts):
            self._serve(self, msg)
        else:
            self.abort()  # PS3.8 9.3.5.1: the context was never accepted

    def reject(self, result: int, source: int, diagnostic: int) -> None:
        """Answer the request with an A-ASSOCIATE-RJ of these codes (PS3.8 9.3.4) and end."""
        self.acse.send_reject(result, source, diagnostic)
        self.kill()

    def cut(self) -> None:
        """Close the connection under the association; a thread that waits in a read wakes up."""
        connection = self.dul.socket.socket if self.dul.socket else None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _wake_reactor(event: Any) -> None:
    """Wake the thread that waits for an A-ASSOCIATE-RQ on a connection that is closed.

    The library waits out its time-out, so that every port scan holds a thread for half a minute.
    """
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)


class GuardedHandler(RequestHandler):  # type: ignore[misc]
    """Starts an association on an accepted connection."""

    server: "GuardedServer"

    def handle(self) -> None:
        """Start the association.

        The library's own handler copies every supported context for each connection, some 12 000 UIDs; these are shared.
        """
        send_at_once(self.request)
        association = self.server.new_association()
        association._server = self.server  # noqa: SLF001 - the library closes the connection through it
        connection = GuardedSocket(association, client_socket=self.request)
        connection.pdu_deadline_s = self.server.ae.network_timeout
        association.set_socket(connection)
        _introduce(association, self.server, self.remote, self.local)
        association.start()


def _introduce(
    association: GuardedAssociation, server: "GuardedServer", remote: AddressInformation, local: AddressInformation
) -> None:
    entity, acceptor = server.ae, association.acceptor
    acceptor.ae_title = entity.ae_title
    acceptor.address_info = local
    acceptor.maximum_length = entity.maximum_pdu_size
    acceptor.implementation_class_uid = entity.implementation_class_uid
    acceptor.implementation_version_name = entity.implementation_version_name
    acceptor.supported_contexts = server.contexts
    association.requestor.address_info = remote
    for handler in server.requested_handlers:
        association.bind(evt.EVT_REQUESTED, handler)


class GuardedServer(AssociationServer):  # type: ignore[misc]
    """The listening socket.

    Parameters
    ----------
    entity
        The application entity that accepts.
    address
        Host and port; port 0 takes a free one.
    contexts
        The supported presentation contexts, shared by all associations.
    new_association
        Makes the association of a connection.
    on_requested
        Called with the library's event when an A-ASSOCIATE-RQ has come, before it is answered.
    """

    #: The library lets 5 connections wait; a PACS opens more at once.
    request_queue_size = 128

    def __init__(
        self,
        entity: ApplicationEntity,
        address: tuple[str, int],
        contexts: list[Any],
        new_association: Callable[[], GuardedAssociation],
        on_requested: Callable[[Any], None],
    ) -> None:
        super().__init__(entity, address, entity.ae_title, contexts, request_handler=GuardedHandler)
        self.new_association = new_association
        self.requested_handlers = (on_requested,)

    def service_actions(self) -> None:
        """Do nothing between connections: the library collects all garbage here, which stops a large process."""

    def shutdown(self) -> None:
        """Stop accepting and close the listening socket."""
        super(AssociationServer, self).shutdown()
        self.server_close()
