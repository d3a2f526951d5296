"""The listening socket, and how an association starts on each connection that it accepts.

Two more guards around pynetdicom 3.0.4, with their reasons. It knows no application entity's rules.
"""

from collections.abc import Callable
from typing import cast

from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationServer, RequestHandler

from node.network.connection import send_at_once
from node.network.guards import GuardedAssociation, GuardedSocket


class GuardedHandler(RequestHandler):
    """Starts an association on an accepted connection."""

    server: "GuardedServer"

    def handle(self) -> None:
        """Start the association.

        The library's own handler copies every supported context for each connection, some 12 000 UIDs; these are
        shared.
        """
        send_at_once(self.request)
        association = self.server.new_association()
        association._server = self.server  # noqa: SLF001 - the library closes the connection through it
        association.set_socket(GuardedSocket(association, self.request, self.server.deadline_s))
        association.requestor.address_info = self.remote
        self._introduce(association)
        association.start()

    def _introduce(self, association: GuardedAssociation) -> None:
        entity, acceptor = self.ae, association.acceptor
        acceptor.ae_title = entity.ae_title
        acceptor.address_info = self.local
        acceptor.maximum_length = entity.maximum_pdu_size
        acceptor.implementation_class_uid = entity.implementation_class_uid
        acceptor.implementation_version_name = entity.implementation_version_name
        acceptor.supported_contexts = self.server.contexts


class GuardedServer(AssociationServer):
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
    """

    #: The library lets 5 connections wait; a PACS opens more at once.
    request_queue_size = 128

    def __init__(
        self,
        entity: ApplicationEntity,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        new_association: Callable[[], GuardedAssociation],
    ) -> None:
        super().__init__(entity, address, entity.ae_title, contexts, request_handler=GuardedHandler)
        self.new_association = new_association
        self.deadline_s = cast("float", entity.network_timeout)

    def service_actions(self) -> None:
        """Do nothing between connections: the library collects all garbage here, which stops a large process."""

    def shutdown(self) -> None:
        """Stop accepting and close the listening socket; the library's own expects to be in a list of servers."""
        super(AssociationServer, self).shutdown()
        self.server_close()
