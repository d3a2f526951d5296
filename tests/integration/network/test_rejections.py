"""Who is not let in, read off the wire."""

import threading
from typing import Any

import pytest

from node.domain.errors import OperatorError
from node.network.scp import RefusedAssociation
from tests.support.objects.raw_dataset import Instance
from tests.support.peers.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RQ,
    USER_INFORMATION,
    Answer,
    associate_request,
    item,
    pdu,
)


@pytest.mark.parametrize(
    ("asked", "codes", "reason"),
    [
        ({"calling": b"STRANGER"}, (1, 1, 3), "calling AE title not recognised"),
        ({"called": b"SOMEONE"}, (1, 1, 7), "called AE title not recognised"),
        ({"application": b"1.2.3"}, (1, 1, 2), "application context name not supported"),
    ],
)
def test_each_rejection_has_its_codes_and_is_reported(
    asked: dict[str, bytes], codes: tuple[int, int, int], reason: str, listen: Any, raw: Any
) -> None:
    """The A-ASSOCIATE-RJ carries result, source and reason; the operator hears who asked, under which titles."""
    node = listen()
    assert raw(node).request(**asked).codes == codes
    calling, called = asked.get("calling", b"MODALITY").decode(), asked.get("called", b"PACSNODE").decode()
    assert node.refused == [RefusedAssociation(calling, called, "127.0.0.1", reason)]
    assert raw(node).request().kind == ASSOCIATE_AC


def test_padding_of_ae_titles_is_not_significant(listen: Any, raw: Any) -> None:
    """Leading and trailing spaces are no part of a title (PS3.5 6.2)."""
    assert raw(listen()).request(calling=b"  MODALITY", called=b" PACSNODE").kind == ASSOCIATE_AC


def test_any_caller_is_let_in_where_the_operator_says_so(listen: Any, raw: Any) -> None:
    """accept_any_calling_ae lets a stranger in, under his own name."""
    node = listen(accept_any_calling_ae=True, calling_ae_titles=frozenset())
    assert raw(node).request(calling=b"STRANGER").kind == ASSOCIATE_AC
    assert node.refused == []


@pytest.mark.parametrize("calling", [b"SCAN\0NER", b"SCAN\\NER", b"\0"])
def test_what_is_no_title_is_let_in_nowhere(calling: bytes, listen: Any, raw: Any) -> None:
    """Also where every caller is: nobody could be named for what comes (PS3.5 6.2, VR AE)."""
    node = listen(accept_any_calling_ae=True)
    assert raw(node).request(calling=calling).codes == (1, 1, 3)


@pytest.mark.parametrize("role", [b"", b"\0\x051.2.3\1", b"\xff\xff1.2.3\1\0", b"\0\x051.2.3\2\0"])
def test_a_malformed_role_selection_costs_no_association(role: bytes, listen: Any, raw: Any) -> None:
    """It is left out, and the default roles stand (PS3.7 D.3.3.4)."""
    peer = raw(listen())
    assert peer.request(user_information=USER_INFORMATION + item(0x54, role)).kind == ASSOCIATE_AC
    assert peer.echo() == 0


def test_one_association_too_many_is_rejected_until_one_ends(listen: Any, raw: Any) -> None:
    """The limit is answered with (2,3,2), as a transient state that ends with the association that fills it."""
    node = listen(max_associations=1)
    first = raw(node)
    assert first.request().kind == ASSOCIATE_AC
    assert raw(node).request().codes == (2, 3, 2)
    first.release()
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._admitted, 10)
    assert raw(node).request().kind == ASSOCIATE_AC


def test_connections_that_never_ask_take_no_place(listen: Any, raw: Any) -> None:
    """Half-open connections do not count against the limit of associations."""
    node = listen(max_associations=1)
    silent = [raw(node) for _ in range(5)]
    assert raw(node).request().kind == ASSOCIATE_AC
    assert len(silent) == 5


def test_a_report_that_fails_still_rejects(listen: Any, raw: Any) -> None:
    """Where the refusal cannot be recorded, the caller is refused all the same."""
    node = listen()

    def fail(_: Any) -> None:
        raise OSError("no database")

    node.scp._on_refused = fail
    assert raw(node).request(calling=b"STRANGER").codes == (1, 1, 3)


def test_strangers_whose_rejection_takes_long_keep_nobody_out(listen: Any, raw: Any) -> None:
    """Those of one address beyond a number are sent away at once; another address is let in meanwhile."""
    written, strangers = threading.Event(), []
    node = listen()
    node.scp._on_refused = lambda _: written.wait(10)
    try:
        for _ in range(24):
            strangers.append(raw(node))
            strangers[-1].connection.sendall(pdu(ASSOCIATE_RQ, associate_request(calling=b"STRANGER")))
        with node.scp._changed:
            while len(node.scp._open) < 24:  # judged, each on its thread
                node.scp._changed.wait(0.01)
        assert raw(node).request().codes == (2, 3, 2)
        assert raw(node, "127.0.0.2").request().kind == ASSOCIATE_AC
    finally:
        written.set()
    assert {peer.read().codes for peer in strangers} == {(1, 1, 3)}


def test_a_draining_node_lets_nobody_in_and_its_guests_finish(listen: Any, raw: Any) -> None:
    """New callers get (2,3,1); an association that runs stores on and releases; then the port is closed."""
    node = listen()
    guest = raw(node)
    guest.request()
    finished: list[bool] = []
    draining = threading.Thread(target=lambda: finished.append(node.scp.drain(30)))
    draining.start()
    while (answer := (early := raw(node)).request()).kind == ASSOCIATE_AC:
        early.release()
    assert answer.codes == (2, 3, 1)
    assert guest.store(Instance("1.2.3", b"dataset")) == 0x0000
    guest.release()
    draining.join(10)
    assert finished == [True]
    with pytest.raises(ConnectionRefusedError):
        raw(node)


def test_a_drain_has_an_end(listen: Any, raw: Any) -> None:
    """A guest that does not leave is aborted when the time is up, and the drain says so."""
    node = listen()
    guest = raw(node)
    guest.request()
    assert node.scp.drain(0.05) is False
    assert guest.read() == Answer(ABORT, bytes(4))
    assert guest.read() is None
    assert node.scp._open == set()


def test_a_drain_ends_guests_that_stand_in_the_middle_of_a_pdu(listen: Any, raw: Any) -> None:
    """Neither a half-sent PDU nor a half-open connection holds a thread after the node has stopped."""
    node = listen()
    guest, silent = raw(node), raw(node)
    guest.request()
    guest.connection.sendall(b"\4\0\0\0\1\0abc")
    silent.connection.sendall(b"\1")
    node.scp.drain(0.05)
    assert node.scp._open == set()


def test_a_port_in_use_is_one_clear_line(listen: Any) -> None:
    """The message names port, address and the way out."""
    port = listen().port
    with pytest.raises(OperatorError, match=rf"port {port} on 127.0.0.1 is in use: choose another \[node\] port"):
        listen(port=port)


def test_an_address_that_is_not_ours_is_one_clear_line(listen: Any) -> None:
    """A bind address of another host names the key to look at."""
    with pytest.raises(OperatorError, match=r"check \[node\] bind and port"):
        listen(bind="192.0.2.1")
