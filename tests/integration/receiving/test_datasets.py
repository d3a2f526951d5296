"""Datasets that are none, and datasets that are too much: what is not whole leaves nothing behind."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    JPEG,
    PATIENT_NAME,
    PIXELS,
    SEQUENCE_END,
    UNDEFINED,
    Instance,
    Value,
    ct,
    element,
    followed_by,
    image,
    marker,
)

_SYNTAXES = {
    "implicit": IMPLICIT,
    "explicit": EXPLICIT,
    "big endian": BIG_ENDIAN,
    "deflated": DEFLATED,
    "encapsulated": JPEG,
}
_PRIVATE = 0x00091001
_CANNOT_UNDERSTAND, _OUT_OF_RESOURCES = 0xC000, 0xA700


def _element_ends(instance: Instance) -> set[int]:
    """Return where a dataset may end and be whole: nothing says that the elements after that are missing."""
    if instance.transfer_syntax_uid == DEFLATED:
        return set()
    elements = image(instance.sop_instance_uid)
    if instance.transfer_syntax_uid == JPEG:
        del elements[PIXELS]
    ends, position = set(), 0
    for tag in sorted(elements):
        position += len(element(tag, *elements[tag], instance.transfer_syntax_uid))
        ends.add(position)
    return ends


@pytest.mark.parametrize("syntax", _SYNTAXES.values(), ids=_SYNTAXES)
def test_a_dataset_cut_anywhere_is_0xc000(syntax: str, node: ReceivingNode) -> None:
    """At every seventh byte, and within the last ones; on one association, which lives on."""
    whole, files = ct(node.uid(), syntax), node.files()
    length, ends = len(whole.dataset), _element_ends(whole)
    peer = node.connect().associate((1, whole.sop_class_uid, (syntax,)))
    cuts = {*range(0, length, 7), *range(length - 9, length)} - ends
    if syntax == DEFLATED:
        cuts.discard(length - 1)  # its last byte is padding, or belongs to a stream that ends with the one before it
    answers = {cut: peer.store(Instance(whole.sop_instance_uid, whole.dataset[:cut], syntax)) for cut in sorted(cuts)}
    assert {cut: hex(status) for cut, status in answers.items() if status != _CANNOT_UNDERSTAND} == {}
    assert node.files() == files
    node.stores(whole, peer)


@pytest.mark.parametrize("agreed", _SYNTAXES.values(), ids=_SYNTAXES)
def test_a_dataset_in_another_encoding_than_was_agreed_is_0xc000(agreed: str, node: ReceivingNode) -> None:
    """Each in the context of each of the others; but what stands around compressed pixels is the explicit encoding."""
    files, peer = node.files(), node.connect().associate((1, ct("1").sop_class_uid, (agreed,)))
    others = [other for other in _SYNTAXES.values() if other != agreed and {other, agreed} != {EXPLICIT, JPEG}]
    answers = {other: peer.store(ct(node.uid(), other)) for other in others}
    assert answers == dict.fromkeys(others, _CANNOT_UNDERSTAND)
    assert node.files() == files


def _garbage() -> Iterator[Any]:
    yield pytest.param(b"\0" * 4000, id="zeros")
    yield pytest.param(b"\xff" * 4000, id="ones")
    yield pytest.param(bytes(range(256)) * 20, id="every byte")
    yield pytest.param(b"GIF89a" + bytes(500), id="a picture")
    yield pytest.param(bytes(128) + b"DICM" + bytes(500), id="the preamble of a file")
    yield pytest.param(b"{}", id="two bytes")


@pytest.mark.parametrize("dataset", list(_garbage()))
@pytest.mark.parametrize("syntax", _SYNTAXES.values(), ids=_SYNTAXES)
def test_garbage_is_0xc000_in_every_encoding(dataset: bytes, syntax: str, node: ReceivingNode) -> None:
    """Nothing of it is kept."""
    files = node.files()
    assert node.status_of(Instance(node.uid(), dataset, syntax)) == _CANNOT_UNDERSTAND
    assert node.files() == files


_OPEN = element(_PRIVATE, "SQ", b"", length=UNDEFINED)
_OPEN_ITEM = marker(ITEM, UNDEFINED)
_NAME = element(0x00080070, "LO", b"Acme")
#: Contributing Equipment, the one sequence that is looked into where its length would let it be skipped.
_EQUIPMENT = 0x0018A001


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(element(_PRIVATE, "ZZ", b"what"), id="an unknown VR"),
        pytest.param(element(_PRIVATE, "\0\0", b"what"), id="a VR of two NULs"),
        pytest.param(element(_PRIVATE, "OB", b"what", length=0xFFFFFFFE), id="an element of 4 GiB"),
        pytest.param(element(_PRIVATE, "UN", b"what", length=0x7FFFFFFF), id="an element of 2 GiB"),
        pytest.param(element(_PRIVATE, "LO", b"what", length=6), id="an element that overruns by two bytes"),
        pytest.param(element(_PRIVATE, "UT", b"what", length=UNDEFINED), id="text of undefined length"),
        pytest.param(_OPEN, id="an open sequence"),
        pytest.param(_OPEN + _OPEN_ITEM, id="an open item"),
        pytest.param(_OPEN + _OPEN_ITEM + marker(ITEM_END), id="a closed item in an open sequence"),
        pytest.param(_OPEN + _OPEN_ITEM + marker(SEQUENCE_END), id="an open item in a closed sequence"),
        pytest.param(_OPEN + marker(ITEM, 0xFFFFFFF0), id="an item of 4 GiB"),
        pytest.param(_OPEN + element(_PRIVATE, "LO", b"what"), id="an element where an item must stand"),
        pytest.param(element(_EQUIPMENT, "SQ", _OPEN_ITEM + _NAME), id="an open item in a sequence with a length"),
        pytest.param(marker(ITEM_END), id="an item's end without an item"),
        pytest.param(marker(SEQUENCE_END), id="a sequence's end without a sequence"),
        pytest.param(element(0x00001000, "UI", b"1.2\0"), id="an element of a command"),
        pytest.param(element(PIXELS, "OB", marker(ITEM) + marker(ITEM, 99), length=UNDEFINED), id="an open fragment"),
        pytest.param(b"\x09\0", id="two bytes of an element"),
    ],
)
def test_an_element_that_cannot_be_is_0xc000(more: bytes, node: ReceivingNode) -> None:
    """After all that is needed, so that what comes before it is in order."""
    files, good, peer = node.files(), ct(node.uid(), changes={PIXELS: None}), node.associate()
    assert peer.store(followed_by(good, more)) == _CANNOT_UNDERSTAND
    assert node.files() == files
    node.stores(good, peer)


def _nested(depth: int) -> bytes:
    return (_OPEN + _OPEN_ITEM) * depth + (marker(ITEM_END) + marker(SEQUENCE_END)) * depth


def _nested_with_lengths(depth: int) -> bytes:
    heads = []
    for level in range(depth):
        inner = 20 * level
        heads.append(element(_PRIVATE, "SQ", b"", length=inner + 8) + marker(ITEM, inner))
    return b"".join(reversed(heads))


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(_nested(60_000), id="60 000 sequences in each other, closed"),
        pytest.param((_OPEN + _OPEN_ITEM) * 60_000, id="60 000 sequences in each other, open"),
        pytest.param(_nested_with_lengths(60_000), id="60 000 sequences in each other, with lengths"),
        pytest.param(_OPEN + (_OPEN_ITEM + marker(ITEM_END)) * 60_000 + marker(SEQUENCE_END), id="60 000 empty items"),
        pytest.param(
            b"".join(element(0x00090000 + number, "LO", b"what") for number in range(0x1000, 0x1000 + 50_000)),
            id="50 000 elements",
        ),
        pytest.param(element(_PRIVATE, "LO", b"what") * 50_000, id="an element 50 000 times"),
        pytest.param(
            b"".join(element(0x00091000 + number, "LT", b"x" * 60_000) for number in range(50)), id="values of 60 KB"
        ),
    ],
)
def test_what_is_much_takes_bounded_time_and_memory(more: bytes, node: ReceivingNode) -> None:
    """It is kept whole or refused; others are served beside it, and the association goes on."""
    files, good, peer = node.files(), ct(node.uid(), changes={PIXELS: None}), node.associate()
    big = followed_by(good, more)
    status = peer.store(big)
    node.serves()
    assert status in {0x0000, _CANNOT_UNDERSTAND}
    assert node.kept(big.sop_instance_uid) == (big.dataset if status == 0x0000 else None)
    if status != 0x0000:
        assert {path for path in node.files() - files if big.dataset in path.read_bytes()} == set()


@pytest.mark.parametrize("tag", [PATIENT_NAME, 0x00081030, 0x00080008, 0x0020000D])
def test_a_known_value_of_60_kb_takes_bounded_time_and_memory(tag: int, node: ReceivingNode) -> None:
    """Also where it is one of those that the database has a column for; a UID of that length is none."""
    long: tuple[str, Value] = ("LO", b"long\\" * 12_000)
    instance = ct(node.uid(), changes={tag: long})
    status = node.status_of(instance)
    assert status == (0xA900 if tag == 0x0020000D else 0x0000)
    assert node.kept(instance.sop_instance_uid) == (instance.dataset if status == 0x0000 else None)


def _bomb(megabytes: int, head: bytes) -> bytes:
    """Return a deflate stream of this and so many million zeros; a thousandth of their size."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    million = bytes(1_000_000)
    start = deflater.compress(head) + deflater.flush(zlib.Z_FULL_FLUSH)
    # after a full flush a stream knows nothing of what was before, so its pieces can be laid in a row
    piece = deflater.compress(million) + deflater.flush(zlib.Z_FULL_FLUSH)
    return start + piece * megabytes + deflater.flush()


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_elements_of_a_files_meta_information_are_kept_with_a_warning(syntax: str, node: ReceivingNode) -> None:
    """Group 0002 belongs into no dataset (PS3.5 7.1), and some senders put it there: stored as it came, and told."""
    lying = {0x00020010: ("UI", b"1.2.840.10008.1.2.4.90\0\0")}  # would name another transfer syntax, in a file
    instance = ct(node.uid(), syntax, lying)
    node.stores(instance, node.connect().associate((1, instance.sop_class_uid, (syntax,))))
    assert "file meta information in a dataset" in node.log()


def test_a_deflate_bomb_is_0xa700_and_never_unfolds(node: ReceivingNode) -> None:
    """Five gigabytes in five megabytes, in a private element of a dataset that is otherwise in order."""
    files, good = node.files(), ct(node.uid(), changes={PIXELS: None})
    head = good.dataset + struct.pack("<HH2sxxL", 0x0009, 0x1001, b"OB", 4_000_000_000)
    assert node.status_of(Instance(good.sop_instance_uid, _bomb(4000, head), DEFLATED)) == _OUT_OF_RESOURCES
    assert node.files() == files


def test_a_deflated_dataset_that_unfolds_to_less_than_the_cap_is_kept_as_it_came(node: ReceivingNode) -> None:
    """Deflated bytes are what a peer gets back; they are inflated to be looked at alone."""
    good = ct(node.uid(), changes={PIXELS: None})
    dataset = _bomb(2, good.dataset + struct.pack("<HH2sxxL", 0x0009, 0x1001, b"OB", 2_000_000))
    node.stores(Instance(good.sop_instance_uid, dataset, DEFLATED))
