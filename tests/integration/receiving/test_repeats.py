"""The same SOP Instance UID again, in each of four ways, and at the same moment from several peers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.part10 import dataset_bytes
from tests.support.objects.raw_dataset import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    PATIENT_ID,
    PATIENT_NAME,
    PIXELS,
    STUDY,
    ct,
    text,
)

_DUPLICATE = 0x0111
_COPIES = "SELECT kind, path FROM instance_copies WHERE sop_instance_uid = :uid ORDER BY id"
_EVENTS = "SELECT event FROM audit WHERE sop_instance_uid = :uid ORDER BY id"
_OTHER_PIXELS = {PIXELS: ("OW", bytes(reversed(range(256))) * 2)}


def _events(node: ReceivingNode, uid: str) -> list[str]:
    return [event for (event,) in node.rows(_EVENTS, uid=uid)]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG])
def test_equal_bytes_are_0x0000_and_nothing_new(syntax: str, node: ReceivingNode) -> None:
    """On the same association and on another one; there is one file, and one row."""
    instance = ct(node.uid(), syntax)
    node.stores(instance)
    files = node.files()
    for _ in range(2):
        assert node.status_of(instance) == 0x0000
    assert node.files() == files
    assert node.rows(_COPIES, uid=instance.sop_instance_uid) == []
    assert _events(node, instance.sop_instance_uid) == ["instance stored"]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG])
def test_a_changed_header_is_0x0000_and_a_revision(syntax: str, node: ReceivingNode) -> None:
    """As a PACS sends after a merge: both files are kept, and the study has the new name."""
    uid = node.uid()
    study = {STUDY: ("UI", text(f"{uid}.1", b"\0"))}
    first = ct(uid, syntax, study)
    second = ct(uid, syntax, {**study, PATIENT_NAME: ("PN", b"Roe^Jane"), PATIENT_ID: ("LO", b"ID-2")})
    node.stores(first)
    assert node.status_of(second) == 0x0000
    assert node.kept(uid) == first.dataset
    ((kind, path),) = node.rows(_COPIES, uid=uid)
    assert kind == "revision"
    assert dataset_bytes((node.process.home.data / path).read_bytes()) == second.dataset
    assert node.rows("SELECT patient_id FROM studies WHERE study_instance_uid = :uid", uid=f"{uid}.1") == [("ID-2",)]


def test_another_transfer_syntax_is_0x0000_and_noted(node: ReceivingNode) -> None:
    """The first copy is kept, and the second is no file."""
    uid = node.uid()
    first = ct(uid)
    node.stores(first)
    files = node.files()
    for syntax in (IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG):
        assert node.status_of(ct(uid, syntax)) == 0x0000
    assert node.kept(uid) == first.dataset
    assert node.files() == files
    assert _events(node, uid) == ["instance stored", *["other transfer syntax"] * 4]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG])
def test_other_pixels_are_0x0111_and_quarantined(syntax: str, node: ReceivingNode) -> None:
    """The first one stands; the second waits for an operator, and is told of aloud, once however often it comes."""
    uid = node.uid()
    first, second = ct(uid, syntax), ct(uid, syntax, _OTHER_PIXELS)
    node.stores(first)
    for _ in range(2):
        assert node.status_of(second) == _DUPLICATE
    assert node.kept(uid) == first.dataset
    ((kind, path),) = node.rows(_COPIES, uid=uid)
    assert kind == "quarantined"
    assert path.startswith("quarantine/")
    assert dataset_bytes((node.process.home.data / path).read_bytes()) == second.dataset
    assert any("quarantined" in line and uid in line and "error" in line for line in node.log().splitlines())


def test_a_copy_that_is_cut_short_changes_nothing(node: ReceivingNode) -> None:
    """0xC000 for the second; the first one stands."""
    first = ct(node.uid())
    node.stores(first)
    files = node.files()
    assert node.status_of(replace(first, dataset=first.dataset[:-1])) == 0xC000
    assert node.files() == files
    assert node.kept(first.sop_instance_uid) == first.dataset


def test_the_same_instance_from_eight_peers_at_once_is_kept_once(node: ReceivingNode) -> None:
    """Every peer hears 0x0000."""
    instance, files = ct(node.uid()), node.files()
    peers = [node.associate() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda peer: peer.store(instance), peers)) == {0x0000}
    assert node.kept(instance.sop_instance_uid) == instance.dataset
    assert len(node.files() - files) == 1


def test_eight_kinds_of_pixels_under_one_uid_at_once_are_one_kept_and_seven_quarantined(node: ReceivingNode) -> None:
    """Which of them is the first is decided once."""
    uid = node.uid()
    instances = [ct(uid, changes={PIXELS: ("OW", bytes([number]) * 512)}) for number in range(8)]
    peers = [node.associate() for _ in instances]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda peer, instance: peer.store(instance), peers, instances))
    assert sorted(statuses) == [0x0000, *[_DUPLICATE] * 7]
    assert node.kept(uid) == instances[statuses.index(0x0000)].dataset
    assert [kind for kind, _ in node.rows(_COPIES, uid=uid)] == ["quarantined"] * 7
