"""The guards rest on one version of the library: these tests fail when it changes underneath them."""

import inspect
import logging
import queue
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pynetdicom
import pytest
from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationServer, AssociationSocket, RequestHandler

from node.network.connection import PDU_CAP_BYTES
from node.network.guards import GuardedSocket, quieten


def test_the_library_is_the_version_that_the_guards_were_written_for() -> None:
    """Another version has to be read again, guard by guard, before it is let in."""
    assert pynetdicom.__version__ == "3.0.4"


@pytest.mark.parametrize(
    ("owner", "method", "parameters"),
    [
        (Association, "_serve_request", ["self", "msg", "context_id"]),
        (Association, "run_reactor", ["self"]),
        (AssociationSocket, "recv", ["self", "nr_bytes"]),
        (DIMSEServiceProvider, "receive_primitive", ["self", "primitive"]),
        (DULServiceProvider, "run_reactor", ["self"]),
        (AssociationServer, "service_actions", ["self"]),
        (RequestHandler, "handle", ["self"]),
    ],
)
def test_every_method_that_is_replaced_is_still_the_librarys(owner: type, method: str, parameters: list[str]) -> None:
    """A method that is renamed upstream would leave its guard without effect, silently."""
    assert list(inspect.signature(vars(owner)[method]).parameters) == parameters


def test_the_library_still_hands_messages_to_the_method_that_is_replaced() -> None:
    """The association's loop calls it with what the provider's queue holds."""
    assert "self._serve_request(msg" in inspect.getsource(Association._run_reactor)
    assert "dimse.receive_primitive(" in inspect.getsource(pynetdicom.fsm.DT_2)


def test_the_library_is_silent_below_warning() -> None:
    """At INFO and DEBUG it would print identifiers and datasets."""
    quieten()
    assert logging.getLogger("pynetdicom").level >= logging.WARNING
    assert not logging.getLogger("pynetdicom.association").isEnabledFor(logging.INFO)
    assert _config.LOG_HANDLER_LEVEL == "none"
    assert not _config.LOG_REQUEST_IDENTIFIERS
    assert not _config.LOG_RESPONSE_IDENTIFIERS


def test_only_the_guards_derive_from_the_library() -> None:
    """What depends on the library's inside stays in three files."""
    room = Path(inspect.getfile(quieten)).parent
    derived = (
        "(Association)",
        "(AssociationSocket)",
        "(AssociationServer)",
        "(RequestHandler)",
        "(DIMSEServiceProvider)",
        "(DULServiceProvider)",
    )
    files = {path.name for path in room.glob("*.py") if any(base in path.read_text() for base in derived)}
    assert files == {"guards.py", "listener.py", "message.py"}


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, GuardedSocket]]:
    """Give a peer's end and the node's end of a connection, with a deadline of 0.2 s."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    state = SimpleNamespace(current_state="Sta6")
    association = SimpleNamespace(dul=SimpleNamespace(event_queue=queue.Queue(), state_machine=state))
    with theirs, ours:
        yield theirs, GuardedSocket(association, ours, 0.2)


def test_a_pdu_is_gathered_from_pieces(connected: tuple[socket.socket, GuardedSocket]) -> None:
    """What comes in two writes is one PDU."""
    theirs, ours = connected
    theirs.sendall(b"ab")
    theirs.sendall(b"cd")
    assert ours.recv(4) == b"abcd"


def test_a_pdu_over_the_cap_is_not_gathered(connected: tuple[socket.socket, GuardedSocket]) -> None:
    """A claimed length alone costs no memory."""
    with pytest.raises(OSError, match="cap"):
        connected[1].recv(PDU_CAP_BYTES + 1)


def test_a_pdu_that_stops_half_way_meets_its_deadline(connected: tuple[socket.socket, GuardedSocket]) -> None:
    """One byte and silence ends in a time-out instead of holding a thread for ever."""
    theirs, ours = connected
    theirs.sendall(b"a")
    with pytest.raises(TimeoutError):
        ours.recv(6)


def test_a_closed_connection_gives_what_came(connected: tuple[socket.socket, GuardedSocket]) -> None:
    """The library finds by the length that the PDU is short."""
    theirs, ours = connected
    theirs.sendall(b"abc")
    theirs.close()
    assert ours.recv(6) == b"abc"


def test_what_comes_after_the_end_is_thrown_away(connected: tuple[socket.socket, GuardedSocket]) -> None:
    """Half a PDU on an association that is over does not keep its connection open."""
    theirs, ours = connected
    ours.assoc.dul.state_machine.current_state = "Sta13"
    theirs.sendall(b"abc")
    assert ours.recv(6) == b""
