"""PDUs that nobody knows, and known ones where they do not belong (PS3.8 9.2.3, the state table)."""

import struct

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import ct
from tests.support.peers.raw_peer import (
    ABORT,
    ABORTED,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    CLOSED,
    LAST_COMMAND,
    LAST_DATASET,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    REQUEST,
    associate_request,
    pdu,
    pdv,
    store_request,
)

_PARTS = pdu(P_DATA, pdv(LAST_COMMAND, store_request(b"1.2.3")))

_OUT_OF_PLACE = [
    pytest.param(pdu(0, b""), id="a PDU of type 0"),
    pytest.param(pdu(8, bytes(4)), id="a PDU of type 8"),
    pytest.param(pdu(0x42, b"what"), id="a PDU of type 0x42"),
    pytest.param(pdu(0xFF, bytes(4)), id="a PDU of type 0xFF"),
    pytest.param(pdu(ASSOCIATE_AC, associate_request()), id="an A-ASSOCIATE-AC"),
    pytest.param(pdu(ASSOCIATE_RJ, b"\0\1\1\1"), id="an A-ASSOCIATE-RJ"),
    pytest.param(pdu(RELEASE_RP, bytes(4)), id="an A-RELEASE-RP"),
]


@pytest.mark.parametrize(
    "said",
    [
        *_OUT_OF_PLACE,
        pytest.param(_PARTS, id="a P-DATA-TF"),
        pytest.param(pdu(RELEASE_RQ, bytes(4)), id="an A-RELEASE-RQ"),
    ],
)
def test_what_comes_instead_of_a_request_is_aborted(said: bytes, node: ReceivingNode) -> None:
    """Nobody has an association yet."""
    peer = node.connect()
    peer.send(said)
    assert peer.ending() == ABORTED


@pytest.mark.parametrize("said", [*_OUT_OF_PLACE, pytest.param(REQUEST, id="a second request")])
def test_what_does_not_belong_on_an_association_aborts_it(said: bytes, node: ReceivingNode) -> None:
    """The association ends for this peer alone."""
    peer, other = node.associate(), node.associate()
    peer.send(said)
    assert peer.ending() == ABORTED
    assert other.echo() == 0x0000


def test_a_second_request_at_once_with_the_first_is_aborted(node: ReceivingNode) -> None:
    """It is not waited for that the first one is answered."""
    peer = node.connect()
    peer.send(REQUEST + REQUEST)
    answer = peer.read()
    assert answer is not None
    assert answer.kind in {ASSOCIATE_AC, ABORT}
    if answer.kind == ASSOCIATE_AC:
        assert peer.ending() == ABORTED


def test_an_abort_instead_of_a_request_is_the_end(node: ReceivingNode) -> None:
    """Nothing is answered to it (PS3.8 9.2.3, state 2, AA-2)."""
    peer = node.connect()
    peer.send(pdu(ABORT, bytes(4)))
    assert peer.ending() == CLOSED


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(pdu(RELEASE_RQ, bytes(4)), id="a release"),
        pytest.param(REQUEST, id="a request"),
        pytest.param(pdu(0x42, b"what"), id="an unknown PDU"),
        pytest.param(pdu(P_DATA, pdv(LAST_COMMAND, store_request(b"1.2.4"))), id="another command"),
        pytest.param(pdu(P_DATA, pdv(LAST_DATASET, b"other", 3)), id="a fragment of another context"),
        pytest.param(pdu(ABORT, bytes(4)), id="an abort"),
    ],
)
def test_what_cuts_a_dataset_short_leaves_nothing_of_it(said: bytes, node: ReceivingNode) -> None:
    """Half an instance is on its way when the peer says something else."""
    files, instance, peer = node.files(), ct(node.uid()), node.associate()
    peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode()))
    peer.fragment(0, instance.dataset[:300])
    peer.send(said)
    ending = peer.read()
    assert ending is None or ending.kind in {ABORT, RELEASE_RP}
    peer.reset()
    node.comes_to_rest()
    assert node.kept(instance.sop_instance_uid) is None
    assert node.files() == files


@pytest.mark.parametrize("source", [0, 1, 2, 255])
def test_an_abort_of_any_source_ends_the_association_quietly(source: int, node: ReceivingNode) -> None:
    """Even of a source that the Standard does not know (PS3.8 9.3.8)."""
    peer = node.associate()
    peer.send(pdu(ABORT, struct.pack(">xxBB", source, 9)))
    assert peer.ending() == CLOSED
