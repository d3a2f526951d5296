"""Both readers rest on one version of the library: these tests fail when it changes underneath them."""

import hashlib
import inspect
import logging
import re
from pathlib import Path
from typing import Any

import pynetdicom
import pytest
from pynetdicom import _config, acse, association, dimse, dul, fsm, transport
from pynetdicom.acse import ACSE
from pynetdicom.association import Association, ServiceUser
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import StateMachine
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.transport import AssociationSocket

from node.network.association import quieten
from node.network.fast import SynchronousUpperLayer

ROOT = Path(__file__).resolve().parents[3]


def test_the_library_is_the_version_that_the_readers_were_written_for() -> None:
    """Another version has to be read again, guard by guard, before it is let in; only this one is asked for."""
    assert pynetdicom.__version__ == "3.0.4"
    assert '"pynetdicom>=3.0.4,<3.0.5"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("owner", "method", "parameters"),
    [
        # replaced by both readers
        (Association, "run_reactor", ["self"]),
        # replaced by the fast one
        (Association, "_run_reactor", ["self"]),
        # replaced by the other
        (AssociationSocket, "recv", ["self", "nr_bytes"]),
        (DIMSEServiceProvider, "receive_primitive", ["self", "primitive"]),
        (DULServiceProvider, "run_reactor", ["self"]),
        # relied on
        (Association, "_serve_request", ["self", "msg", "context_id"]),
        (Association, "set_socket", ["self", "socket"]),
        (ACSE, "negotiate_association", ["self"]),
        (DULServiceProvider, "receive_pdu", ["self", "wait", "timeout"]),
        (DULServiceProvider, "send_pdu", ["self", "primitive"]),
        (DULServiceProvider, "peek_next_pdu", ["self"]),
        (DIMSEMessage, "decode_msg", ["self", "primitive", "assoc"]),
        (DIMSEMessage, "message_to_primitive", ["self"]),
        (ServiceUser, "add_negotiation_item", ["self", "item"]),
        (A_ASSOCIATE_RQ, "to_primitive", ["self"]),
        (A_ASSOCIATE_AC, "from_primitive", ["self", "primitive"]),
        (A_ABORT_RQ, "from_primitive", ["self", "primitive"]),
        (P_DATA_TF, "from_primitive", ["self", "primitive"]),
    ],
)
def test_every_method_that_is_replaced_or_relied_on_is_still_the_librarys(
    owner: type, method: str, parameters: list[str]
) -> None:
    """A method that is renamed upstream would leave its guard without effect, silently."""
    assert list(inspect.signature(vars(owner)[method]).parameters) == parameters


def test_the_library_has_no_attribute_of_the_names_that_the_readers_add() -> None:
    """An attribute of ours would shadow one of the library's."""
    ours = {"host", "visitor", "connection", "asked", "farewell", "introduction", "accepted", "assembly", "send"}
    ours |= {"end_for", "end_at_once", "hand_to_library", "_is_over", "_is_let_in", "_introduce", "_answer", "_read"}
    assert ours & set(dir(Association)) == set()


def test_the_library_still_calls_what_is_replaced() -> None:
    """The lines that the readers rest on, as they stand in the version that was read."""
    run = inspect.getsource(Association.run_reactor)
    assert "if not self._started_dul:" in run
    assert "primitive = self.dul.receive_pdu(wait=True, timeout=self.acse_timeout)" in run
    assert "self._run_reactor()" in run
    assert "if self._server and sock.socket:" in run
    assert "self._serve_request(msg" in inspect.getsource(Association._run_reactor)
    assert "while self.dul.is_alive() and not self.dul.stop_dul():" in inspect.getsource(Association.kill)
    assert "dimse.receive_primitive(" in inspect.getsource(fsm.DT_2)
    assert "kill_dul()" in inspect.getsource(StateMachine.do_action)


def test_the_library_asks_its_upper_layer_for_nothing_that_the_stand_in_lacks() -> None:
    """Every attribute of `dul` that association, ACSE and DIMSE provider use on an acceptor is there."""
    requestor_only = {"start", "stop_dul", "kill_dul", "idle_timer_expired", "event_queue"}
    used = set()
    for module in (association, acse, dimse):
        used |= set(re.findall(r"\bself\.dul\.(\w+)", inspect.getsource(module)))
    stand_in: Any = SynchronousUpperLayer.__new__(SynchronousUpperLayer)
    SynchronousUpperLayer.__init__(stand_in, None)  # type: ignore[arg-type]
    assert {name for name in used if not hasattr(stand_in, name)} <= requestor_only


def test_the_library_is_silent_below_critical() -> None:
    """At INFO and DEBUG it would print identifiers and datasets, at ERROR a traceback for what a peer sends."""
    quieten()
    assert logging.getLogger("pynetdicom").level >= logging.CRITICAL
    assert not logging.getLogger("pynetdicom.association").isEnabledFor(logging.ERROR)
    assert _config.LOG_HANDLER_LEVEL == "none"
    assert not _config.LOG_REQUEST_IDENTIFIERS
    assert not _config.LOG_RESPONSE_IDENTIFIERS


def test_only_two_files_derive_from_the_library() -> None:
    """What depends on the library's inside stays there."""
    room = ROOT / "node" / "network"
    bases = (
        r"\((Association|AssociationSocket|AssociationServer|RequestHandler|DIMSEServiceProvider|DULServiceProvider)\)"
    )
    files = {path.name for path in room.glob("*.py") if re.search(bases, path.read_text(encoding="utf-8"))}
    assert files == {"association.py", "guards.py"}


@pytest.mark.parametrize(
    ("source", "digest"),
    [
        (association.Association._run_reactor, "f28838c5559e462a"),
        (association.Association.run_reactor, "ed8bbbe3b3d6ddae"),
        (association.Association._serve_request, "2f24c1759cdf6c8c"),
        (association.Association._abort_blocking, "10b43ef8c63c6764"),
        (association.Association.kill, "8f9713666a7f4cff"),
        (acse.ACSE._negotiate_as_acceptor, "fffd360957c42a8e"),
        (acse.ACSE.send_accept, "c03855deabefe975"),
        (dimse.DIMSEServiceProvider.send_msg, "a839cf2fb46976d9"),
        (dul.DULServiceProvider.run_reactor, "e3a10eb3a0931e48"),
        (dul.DULServiceProvider._read_pdu_data, "19f2d4e38c13c835"),
        (dul.DULServiceProvider._is_transport_event, "8725ed03bb8fbdef"),
        (fsm.StateMachine.do_action, "9a883f44c7f31641"),
        (transport.AssociationSocket.__init__, "1f0325fdef2cc353"),
        (transport.AssociationSocket.close, "c726c8db53813d55"),
        (transport.AssociationSocket.send, "1ea8158c0b51faca"),
    ],
)
def test_the_sources_that_were_read_are_those_that_run(source: Any, digest: str) -> None:
    """A patched copy of the same version number would tell here; read it, then take over the new digest."""
    assert hashlib.sha256(inspect.getsource(source).encode()).hexdigest()[:16] == digest
