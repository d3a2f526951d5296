"""Instances that do not come to their end: cut off at every stage, or longer than the node takes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import PIXELS, Instance, ct
from tests.support.peers.raw_peer import (
    ABORT,
    DATASET,
    LAST_COMMAND,
    LAST_DATASET,
    P_DATA,
    REQUEST,
    RawPeer,
    pdu,
    pdv,
    store_request,
)

_OUT_OF_RESOURCES = 0xA700


def _parts(instance: Instance) -> list[bytes]:
    """Return an association with one C-STORE as what is sent, cut at each stage."""
    command = pdu(P_DATA, pdv(LAST_COMMAND, store_request(instance.sop_instance_uid.encode())))
    half = len(instance.dataset) // 2
    first = pdu(P_DATA, pdv(DATASET, instance.dataset[:half]))
    last = pdu(P_DATA, pdv(LAST_DATASET, instance.dataset[half:]))
    return [
        REQUEST[:100],
        REQUEST[100:],
        command[:40],
        command[40:],
        first[:9],
        first[9:4000],
        first[4000:],
        last[:-1],
    ]


#: Where a PDU has just ended, so that an A-ABORT is one, and no part of what should have come.
_BETWEEN_PDUS = (1, 3, 6)
_STAGES = [
    "within the request",
    "after the request",
    "within the command",
    "after the command",
    "within a fragment's header",
    "within a fragment",
    "between two fragments",
    "a byte before the end",
]


def _close(peer: RawPeer) -> None:
    peer.connection.close()


def _reset(peer: RawPeer) -> None:
    peer.reset()


def _half_close(peer: RawPeer) -> None:
    """Say the end, and stay: the node has to close."""
    peer.shut()
    while peer.read() is not None:
        pass


def _abort(peer: RawPeer) -> None:
    peer.send(pdu(ABORT, bytes(4)))
    peer.connection.close()


@pytest.mark.parametrize(
    ("stage", "leave"),
    [
        pytest.param(stage, leave, id=f"{leave.__name__[1:]} {said}")
        for stage, said in enumerate(_STAGES)
        for leave in (_close, _reset, _half_close, _abort)
        if leave is not _abort or stage in _BETWEEN_PDUS
    ],
)
def test_a_peer_that_leaves_before_the_end_leaves_nothing(
    stage: int, leave: Callable[[RawPeer], None], node: ReceivingNode
) -> None:
    """No file, no row, no place taken; others are served while it is in the middle."""
    files, instance, peer = node.files(), _large(node, 40_000), node.connect()
    parts = _parts(instance)
    peer.send(parts[0])
    if stage:
        peer.send(parts[1])
        assert peer.read() is not None
        peer.send(b"".join(parts[2 : stage + 1]))
    leave(peer)
    node.comes_to_rest()
    assert node.kept(instance.sop_instance_uid) is None
    assert node.files() == files


@pytest.mark.parametrize("leave", [_close, _reset, _abort], ids=["close", "reset", "abort"])
def test_a_peer_that_does_not_wait_for_the_answer_leaves_all_or_nothing(
    leave: Callable[[RawPeer], None], node: ReceivingNode
) -> None:
    """Ten times, for it depends on the moment: what has a row is whole, and what has none is no file."""
    files, instances = node.files(), [_large(node, 40_000) for _ in range(10)]
    for instance in instances:
        peer = node.associate()
        peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode()))
        peer.send_dataset(instance.dataset)
        leave(peer)
    node.comes_to_rest()
    kept = [node.kept(instance.sop_instance_uid) for instance in instances]
    assert all(dataset in (None, instance.dataset) for dataset, instance in zip(kept, instances, strict=True))
    assert len(node.files() - files) == sum(dataset is not None for dataset in kept)


def test_an_instance_that_was_broken_off_is_stored_when_it_comes_again(node: ReceivingNode) -> None:
    """The sender's retry is the whole of it."""
    instance, peer = _large(node, 40_000), node.associate()
    peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode()))
    peer.fragment(DATASET, instance.dataset[:20_000])
    peer.reset()
    node.stores(instance)


def test_an_instance_just_below_the_limit_is_stored(node: ReceivingNode) -> None:
    """Of 8 MB, as this node is configured."""
    room = 8_000_000 - len(ct(node.uid(), changes={PIXELS: ("OW", b"")}).dataset) - 100
    node.stores(_large(node, room))


def test_an_instance_over_the_limit_is_0xa700_and_not_gathered(node: ReceivingNode) -> None:
    """Sixty megabytes come in and go nowhere; the association lives on, and memory and disk do not follow."""
    files, instance, peer = node.files(), _large(node, 60_000_000), node.associate()
    peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode()))
    half = len(instance.dataset) // 2
    for start in range(0, half, 100_000):
        peer.fragment(DATASET, instance.dataset[start : start + 100_000])
    assert sum(map(_size, node.incoming())) <= 9_000_000
    node.serves()
    peer.send_dataset(instance.dataset[half:], fragment_bytes=100_000)
    assert peer.status() == _OUT_OF_RESOURCES
    node.stores(ct(node.uid()), peer)
    assert len(node.files() - files) == 2


def test_a_dataset_that_never_ends_is_0xa700_when_it_does(node: ReceivingNode) -> None:
    """The limit is not that of one fragment: a hundred thousand small ones are counted too."""
    instance, peer = ct(node.uid()), node.associate()
    peer.fragment(LAST_COMMAND, store_request(instance.sop_instance_uid.encode()))
    small = pdu(P_DATA, b"".join(pdv(DATASET, bytes(100)) for _ in range(100)))
    for _ in range(1000):
        assert peer.send(small)
    peer.fragment(LAST_DATASET, b"")
    assert peer.status() == _OUT_OF_RESOURCES
    assert node.kept(instance.sop_instance_uid) is None


def _size(path: Path) -> int:
    """Return how long a file is; one that was thrown away meanwhile has no length."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _large(node: ReceivingNode, size: int) -> Instance:
    return ct(node.uid(), changes={PIXELS: ("OW", bytes(size))})
