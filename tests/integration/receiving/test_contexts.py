"""Presentation contexts: each is judged by itself, and the others live."""

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import BIG_ENDIAN, CT, DEFLATED, EXPLICIT, IMPLICIT, JPEG, ct
from tests.support.peers.raw_peer import ABORTED, LAST_COMMAND, VERIFICATION, Context, store_request

_UNKNOWN = "1.2.826.0.1.3680043.9.9999.1"
_ACCEPTED, _NO_SUCH_CLASS, _NO_SUCH_SYNTAX = 0, 3, 4


@pytest.mark.parametrize(
    ("contexts", "results"),
    [
        pytest.param(
            [(1, _UNKNOWN, [EXPLICIT]), (3, CT, [_UNKNOWN]), (5, CT, [_UNKNOWN, EXPLICIT]), (7, CT, [IMPLICIT])],
            {1: _NO_SUCH_CLASS, 3: _NO_SUCH_SYNTAX, 5: _ACCEPTED, 7: _ACCEPTED},
            id="unknown class, unknown syntax, and both known",
        ),
        pytest.param(
            [(1, "", [EXPLICIT]), (5, CT, [EXPLICIT])],
            {1: _NO_SUCH_CLASS, 5: _ACCEPTED},
            id="a class of no characters",
        ),
        pytest.param(
            [(1, "../../etc/passwd", [EXPLICIT]), (3, CT, ["../x"]), (5, CT, [EXPLICIT])],
            {1: _NO_SUCH_CLASS, 3: _NO_SUCH_SYNTAX, 5: _ACCEPTED},
            id="paths instead of UIDs",
        ),
        pytest.param(
            [(255, CT, [EXPLICIT]), (5, CT, [EXPLICIT])], {255: _ACCEPTED, 5: _ACCEPTED}, id="in any order of IDs"
        ),
    ],
)
def test_contexts_are_accepted_one_by_one(
    contexts: list[Context], results: dict[int, int], node: ReceivingNode
) -> None:
    """What is not known is answered with its result, and an instance is stored on one that is."""
    peer = node.connect()
    answer = peer.request(*contexts)
    assert answer is not None
    assert answer.results == results
    instance = ct(node.uid())
    assert peer.store(instance, 5) == 0x0000
    assert node.kept(instance.sop_instance_uid) == instance.dataset


def test_contexts_of_which_none_is_known_are_all_refused(node: ReceivingNode) -> None:
    """The association is none of use, and it is the peer's to end it."""
    peer = node.connect()
    answer = peer.request((1, _UNKNOWN, [EXPLICIT]), (3, CT, [_UNKNOWN]))
    assert answer is not None
    assert answer.results == {1: _NO_SUCH_CLASS, 3: _NO_SUCH_SYNTAX}
    peer.release()


@pytest.mark.parametrize("context_id", [3, 99])
def test_a_command_on_a_context_that_was_refused_is_aborted(context_id: int, node: ReceivingNode) -> None:
    """PS3.8 9.3.5.1: only what was accepted may be used."""
    peer = node.connect().associate((1, CT, [EXPLICIT]), (3, _UNKNOWN, [EXPLICIT]))
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"), context_id)
    assert peer.ending() == ABORTED


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED, JPEG])
def test_an_instance_is_kept_as_it_came_in_every_encoding(syntax: str, node: ReceivingNode) -> None:
    """Byte for byte, under the transfer syntax that was agreed."""
    instance = ct(node.uid(), syntax)
    node.stores(instance)
    found = node.rows(
        "SELECT transfer_syntax_uid FROM instances WHERE sop_instance_uid = :uid", uid=instance.sop_instance_uid
    )
    assert found == [(syntax,)]


def test_contexts_of_one_association_are_used_in_turn(node: ReceivingNode) -> None:
    """Four instances in two syntaxes and an echo, each on its own context."""
    peer = node.connect().associate((1, CT, [EXPLICIT]), (3, CT, [IMPLICIT]), (5, VERIFICATION, [IMPLICIT]))
    for syntax, context_id in ((EXPLICIT, 1), (IMPLICIT, 3), (EXPLICIT, 1), (IMPLICIT, 3)):
        instance = ct(node.uid(), syntax)
        assert peer.store(instance, context_id) == 0x0000
        assert node.kept(instance.sop_instance_uid) == instance.dataset
        assert peer.echo(5) == 0x0000
