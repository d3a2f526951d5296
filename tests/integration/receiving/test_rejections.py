"""Associations that are not let in: the codes on the wire, and the entry that an operator finds afterwards."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.nodes.footprint import footprint
from tests.support.nodes.process import NodeFolder, start
from tests.support.nodes.receiving import ReceivingNode
from tests.support.peers.raw_peer import ASSOCIATE_AC, rejection

_CALLERS = "SELECT reason, times FROM refused_callers WHERE calling_ae_title = :calling AND called_ae_title = :called"


@pytest.mark.parametrize(
    ("asked", "codes", "reason"),
    [
        pytest.param({"version": 0}, (1, 2, 2), "protocol version", id="no protocol version"),
        pytest.param({"version": 2}, (1, 2, 2), "protocol version", id="another protocol version"),
        pytest.param({"application": b"1.2.3"}, (1, 1, 2), "application context", id="another application context"),
        pytest.param({"application": b""}, (1, 1, 2), "application context", id="no application context"),
        pytest.param({"called": b"SOMEONE"}, (1, 1, 7), "called AE title", id="a called title that is not ours"),
        pytest.param({"called": b"pacsnode"}, (1, 1, 7), "called AE title", id="our title in lower case"),
        pytest.param({"called": b""}, (1, 1, 7), "called AE title", id="no called title"),
        pytest.param({"calling": b"STRANGER"}, (1, 1, 3), "calling AE title", id="a calling title that nobody knows"),
        pytest.param({"calling": b""}, (1, 1, 3), "calling AE title", id="no calling title"),
        pytest.param({"calling": b"MODA\0LITY"}, (1, 1, 3), "calling AE title", id="a known title with a NUL within"),
    ],
)
def test_each_has_its_codes_and_its_entry(
    asked: dict[str, Any], codes: tuple[int, int, int], reason: str, node: ReceivingNode
) -> None:
    """And the connection is closed afterwards; who asks again is counted again."""
    for _ in range(2):
        peer = node.connect()
        answer = peer.request(**asked)
        assert answer is not None
        assert answer.codes == codes
        peer.shut()
        assert peer.read() is None
    titles = {"calling": b"MODALITY", "called": b"PACSNODE"} | {name: asked[name] for name in asked if name[0] == "c"}
    printable = {name: titles[name].decode().replace("\0", "?") for name in ("calling", "called")}
    entries = [(said, times) for said, times in node.rows(_CALLERS, **printable) if reason in said]
    assert len(entries) == 1
    assert entries[0][1] >= 2


@pytest.mark.parametrize("version", [3, 0xFFFF])
def test_a_newer_protocol_that_also_speaks_ours_is_let_in(version: int, node: ReceivingNode) -> None:
    """PS3.8 9.3.2: only bit 0 is tested."""
    answer = node.connect().request(version=version)
    assert answer is not None
    assert answer.kind == ASSOCIATE_AC


def test_padding_of_titles_is_not_significant(node: ReceivingNode) -> None:
    """PS3.5 6.2, VR AE: leading and trailing spaces are no part of it."""
    assert node.connect().associate(calling=b"  MODALITY", called=b" PACSNODE").echo() == 0x0000


def test_one_association_too_many_is_turned_away_for_now(crowded_node: ReceivingNode) -> None:
    """The limits, of two from an address and three in all, are answered with (2,3,2); those inside go on."""
    inside = [crowded_node.associate("127.0.0.2"), crowded_node.associate("127.0.0.2")]
    assert _turned_away(crowded_node, "127.0.0.2") == (2, 3, 2)
    inside.append(crowded_node.associate("127.0.0.3"))
    assert _turned_away(crowded_node, "127.0.0.4") == (2, 3, 2)
    assert [peer.echo() for peer in inside] == [0, 0, 0]
    reasons = {address: reason for reason, address in crowded_node.rows("SELECT reason, address FROM refused_callers")}
    assert "from this address" in reasons["127.0.0.2"]
    assert "from this address" not in reasons["127.0.0.4"]
    inside.pop().release()
    crowded_node.has_connections(2)
    crowded_node.serves()


def _turned_away(node: ReceivingNode, address: str) -> tuple[int, int, int]:
    answer = node.connect(address).request()
    assert answer is not None
    return answer.codes


@pytest.mark.parametrize("floor", ["min_free_mb = 1000000000", "min_free_inodes = 1000000000000"])
def test_a_disk_at_its_watermark_turns_associations_away_for_now(
    floor: str, home_of: Callable[..., NodeFolder]
) -> None:
    """Of bytes or of inodes: a peer hears (2,3,1) before it has sent anything, and is not told to stay away."""
    home = home_of("full")
    home.write()
    key = floor.split(" ", 1)[0]
    home.configuration.write_text(re.sub(rf"{key} = \d+", floor, home.configuration.read_text()))
    node = start(home)
    try:
        assert [rejection(node.port) for _ in range(3)] == [(2, 3, 1)] * 3
        assert footprint(node.process.pid).threads < 20
    finally:
        assert node.process.terminate() == 0
