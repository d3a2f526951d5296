"""Images that no decoder should meet: stored as they came, and the one who reads them says why not."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.databases.rows import rows_in
from tests.support.nodes import footprint
from tests.support.nodes.process import Node, NodeFolder, serving
from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import (
    COLUMNS,
    EXPLICIT,
    FRAMES,
    ITEM,
    JPEG,
    PIXELS,
    ROWS,
    SEQUENCE_END,
    SOP_CLASS,
    STUDY,
    UNDEFINED,
    Instance,
    Value,
    element,
    encoded,
    image,
    marker,
    text,
    uid,
)
from tests.support.peers.raw_peer import RawPeer
from tests.support.waiting import wait_until

_DX = "1.2.840.10008.5.1.4.1.1.1.1"
_RLE, _JPEG_2000, _JPEG_LS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"
_SAMPLES, _PHOTOMETRIC, _ALLOCATED, _STORED, _HIGH, _SIGNED = (
    0x00280002,
    0x00280004,
    0x00280100,
    0x00280101,
    0x00280102,
    0x00280103,
)
_READ_S = 60.0
_CHILDREN = 3  # that read, decode and write reports
_CHILD_PEAK_KB = 1_500_000
_READING = "SELECT CAST(reading AS TEXT) FROM readings WHERE sop_instance_uid = :uid"
_JOB = "SELECT state, last_error FROM jobs WHERE kind = 'read' AND subject_uid = :uid"

Changes = dict[int, tuple[str, Value] | None]

_HEADERS: dict[str, Changes] = {
    "65535 rows and columns": {ROWS: ("US", 65535), COLUMNS: ("US", 65535)},
    "2147483647 frames of them": {ROWS: ("US", 65535), COLUMNS: ("US", 65535), FRAMES: ("IS", b"2147483647")},
    "65535 samples a pixel": {_SAMPLES: ("US", 65535), ROWS: ("US", 65535), COLUMNS: ("US", 65535)},
    "no rows": {ROWS: ("US", 0)},
    "rows that are missing": {ROWS: None},
    "no samples": {_SAMPLES: ("US", 0)},
    "13 bits allocated": {_ALLOCATED: ("US", 13)},
    "no bits allocated": {_ALLOCATED: ("US", 0)},
    "65535 bits allocated": {_ALLOCATED: ("US", 65535)},
    "more bits stored than allocated": {_STORED: ("US", 40), _HIGH: ("US", 39)},
    "a high bit beyond all": {_HIGH: ("US", 99)},
    "a sign that is 7": {_SIGNED: ("US", 7)},
    "a photometric interpretation that nobody knows": {_PHOTOMETRIC: ("CS", b"NONSENSE")},
    "a colour palette without one": {_PHOTOMETRIC: ("CS", text("PALETTE COLOR"))},
    "fewer pixels than promised": {PIXELS: ("OW", bytes(10))},
    "a rescale slope that is no number": {0x00281053: ("DS", text("not a number"))},
    "a rescale slope beyond all": {0x00281053: ("DS", text("1e999")), 0x00281052: ("DS", text("-1e999"))},
    "a padding value for every pixel": {0x00280120: ("US", 0), 0x00280121: ("US", 65535)},
}
_CODESTREAMS = {
    "an empty JPEG": (JPEG, b"\xff\xd8\xff\xd9"),
    "a JPEG of 65500 rows and columns": (
        JPEG,
        bytes.fromhex("ffd8ffc0000b08ffdcffdc01011100ffda0008010100003f00") + bytes(32),
    ),
    "JPEG 2000 of 4 GiB rows and columns": (
        _JPEG_2000,
        bytes.fromhex("ff4fff5100290000ffffffffffffffff00000000000000000000ffff0000ffff0000000000000000000107 0101"),
    ),
    "a JPEG-LS of garbage": (_JPEG_LS, b"\xff\xd8\xff\xf7\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0" + bytes(32)),
    "RLE with segments beyond its end": (_RLE, b"\x0f\0\0\0" + b"\xff\xff\xff\x7f" * 15),
}


def _elements(sop_instance_uid: str, changes: Changes) -> dict[int, tuple[str, Value]]:
    """Return a radiograph that the shipped model's rule lets in, changed."""
    chest: Changes = {
        SOP_CLASS: uid(_DX),
        STUDY: uid(f"{sop_instance_uid}.1"),
        0x00080060: ("CS", b"DX"),
        0x00080068: ("CS", text("FOR PRESENTATION")),
        0x00101010: ("AS", b"003Y"),
        0x00180015: ("CS", text("CHEST")),
    }
    return image(sop_instance_uid, chest | changes)


def _radiograph(sop_instance_uid: str, changes: Changes | None = None, more: bytes = b"") -> Instance:
    dataset = encoded(_elements(sop_instance_uid, changes or {})) + more
    return Instance(sop_instance_uid, dataset, EXPLICIT, _DX)


def _compressed(sop_instance_uid: str, syntax: str, codestream: bytes) -> Instance:
    fragments = marker(ITEM) + marker(ITEM, len(codestream)) + codestream + marker(SEQUENCE_END)
    pixels = element(PIXELS, "OB", fragments, length=UNDEFINED)
    return Instance(sop_instance_uid, encoded(_elements(sop_instance_uid, {PIXELS: None})) + pixels, syntax, _DX)


def _empty_jpeg(sop_instance_uid: str) -> Instance:
    return _compressed(sop_instance_uid, *_CODESTREAMS["an empty JPEG"])


def _nested(sop_instance_uid: str, depth: int) -> Instance:
    heads = (element(0x7FE11001, "SQ", b"", length=20 * level + 8) + marker(ITEM, 20 * level) for level in range(depth))
    return _radiograph(sop_instance_uid, more=b"".join(reversed(list(heads))))


@pytest.fixture(scope="module")
def reading(home_of: Callable[..., NodeFolder]) -> Iterator[ReceivingNode]:
    """Run a node with the shipped model, which buries what fails once; each of its child processes was at work."""
    home = home_of("reading", models=("starter",), work="decoders = 1\nattempts = 1\ndeadline_s = 60.0")
    with serving(home) as process:
        _begin_all_children(process)
        yield ReceivingNode(process)


def _begin_all_children(node: Node) -> None:
    """Have an image read, compressed ones decoded in the turns of both reading loops, and a report written."""
    raw, *compressed = _radiograph("1.2.826.4.1"), _empty_jpeg("1.2.826.4.2"), _empty_jpeg("1.2.826.4.3")
    with RawPeer(node.port).associate((1, _DX, (EXPLICIT,)), (3, _DX, (JPEG,))) as peer:
        assert peer.store(raw) == 0x0000
        for instance in compressed:
            assert peer.store(instance, 3) == 0x0000
            _wait_none(node, "state = 'waiting' AND kind = 'read'")
    wait_until(lambda: len(_children(node.process.pid)) == _CHILDREN, _READ_S, "all child processes")
    _wait_none(node, "state IN ('waiting', 'running')")


def _wait_none(node: Node, which: str) -> None:
    query = f"SELECT id FROM jobs WHERE {which}"  # noqa: S608 - words of this file
    wait_until(lambda: not rows_in(node.home.url, query), _READ_S, f"the end of all jobs with {which}")


@pytest.fixture
def reading_node(reading: ReceivingNode) -> Iterator[ReceivingNode]:
    """Return that node, on the same terms as every other."""
    with reading.unharmed():
        yield reading


def _settled(node: ReceivingNode, sop_instance_uid: str) -> str:
    """Wait until an image was read, or its job was buried; return the sentence that says why not, or nothing."""

    def said() -> list[str]:
        ((state, error),) = node.rows(_JOB, uid=sop_instance_uid)
        if state == "buried":
            return [error]
        readings = (json.loads(reading) for (reading,) in node.rows(_READING, uid=sop_instance_uid))
        return [reading["admission"]["sentence"] for reading in readings]

    wait_until(said, _READ_S, f"the end of reading {sop_instance_uid}")
    return said()[0]


def _child(node: ReceivingNode) -> int:
    """Return the process that reads: of all children it alone has a library that runs networks."""
    (child,) = [child for child in _children(node.pid) if b"LiteRt" in Path(f"/proc/{child}/maps").read_bytes()]
    return child


def _children(pid: int) -> list[int]:
    """Return the child processes that were started for work."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in _children_of(task)]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _children_of(task: Path) -> list[int]:
    try:
        return [int(child) for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # a thread that has ended since
        return []


def test_headers_that_promise_what_is_not_there_are_stored_and_not_read(reading_node: ReceivingNode) -> None:
    """The size is computed before anything is decoded: the reading process stays small, and lives on."""
    instances = {name: _radiograph(reading_node.uid(), changes) for name, changes in _HEADERS.items()}
    child = _child(reading_node)
    footprint.forget_peak(child)
    for instance in instances.values():
        reading_node.stores(instance)
    reasons = {name: _settled(reading_node, instance.sop_instance_uid) for name, instance in instances.items()}
    assert {name for name, reason in reasons.items() if not reason} == set()
    assert _child(reading_node) == child
    assert footprint.peak_kb(child) < _CHILD_PEAK_KB


def test_codestreams_that_promise_what_is_not_there_are_stored_and_not_read(reading_node: ReceivingNode) -> None:
    """Whatever a decoder makes of it, the node and the next image do not suffer."""
    instances = [_compressed(reading_node.uid(), *case) for case in _CODESTREAMS.values()]
    for instance in instances:
        reading_node.stores(instance)
    assert all(_settled(reading_node, instance.sop_instance_uid) for instance in instances)


@pytest.mark.parametrize("odd", ["sequences", "window"])
def test_what_is_odd_and_no_harm_is_read_all_the_same(odd: str, reading_node: ReceivingNode) -> None:
    """60 000 sequences in each other after the pixels, and a window of no width."""
    no_width: Changes = {0x00281050: ("DS", text("0")), 0x00281051: ("DS", text("-1"))}
    number = reading_node.uid()
    instance = _nested(number, 60_000) if odd == "sequences" else _radiograph(number, no_width)
    reading_node.stores(instance)
    assert _settled(reading_node, number) == ""


def test_a_study_on_which_the_reading_process_dies_is_buried_and_the_rest_go_on(reading_node: ReceivingNode) -> None:
    """The attempt counted when it was claimed; the reason is shown, and a new process reads the next image."""
    deadly, next_one = _radiograph(reading_node.uid()), _radiograph(reading_node.uid())
    child = _child(reading_node)
    os.kill(child, signal.SIGSTOP)
    reading_node.stores(deadly)
    wait_until(lambda: reading_node.rows(_JOB, uid=deadly.sop_instance_uid) == [("running", "")], _READ_S, "the claim")
    os.kill(child, signal.SIGKILL)
    assert "SIGKILL" in _settled(reading_node, deadly.sop_instance_uid)
    reading_node.stores(next_one)
    assert "SIGKILL" not in _settled(reading_node, next_one.sop_instance_uid)
    assert _child(reading_node) != child
