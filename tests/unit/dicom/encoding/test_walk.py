"""The bounds of the walk: how much work, how deep and how much memory any bytes can ask for."""

import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest

from node.dicom.encoding.structure import MAXIMUM_DEPTH, MAXIMUM_STEPS, check_structure
from node.dicom.encoding.transfer_syntax import EXPLICIT_LITTLE, NotParsable
from node.dicom.encoding.walk import Walk
from node.dicom.instance.header import MAXIMUM_DEVICE_UIDS, inspect
from tests.unit.dicom.raw import (
    EXPLICIT,
    ITEM_CLOSE,
    ITEM_OPEN,
    JPEG_BASELINE,
    SEQUENCE_CLOSE,
    SMALL,
    UNDEFINED,
    encapsulated,
    explicit,
    implicit,
    item,
    open_sequence,
)

_SEQUENCE = 0x00081140
_EQUIPMENT = 0x0018A001
_OPENING = explicit(_SEQUENCE, b"SQ", ITEM_OPEN, UNDEFINED)
_DEVICE_UID = explicit(0x00181002, b"UI", b"1.2\0")
_FEW = 500  # steps: an allowance for these tests, so that what would need more can stay small

_HOSTILE: dict[str, Callable[[int], bytes]] = {
    "empty elements": lambda many: explicit(0x00091018, b"LO", b"") * many,
    "empty long elements": lambda many: explicit(0x00091018, b"UN", b"") * many,
    "the same wanted element": lambda many: explicit(0x00081030, b"LO", b"abcd") * many,
    "the same device UID": lambda many: _DEVICE_UID * many,
    "empty pixel data": lambda many: explicit(0x7FE00010, b"OB", b"") * many,
    "empty encapsulated pixel data": lambda many: encapsulated() * many,
    "fragments": lambda many: encapsulated(*[b"ab"] * many),
    "empty sequences": lambda many: open_sequence(_SEQUENCE) * many,
    "empty items": lambda many: explicit(_SEQUENCE, b"SQ", item(b"") * many + SEQUENCE_CLOSE, UNDEFINED),
    "empty open items": lambda many: open_sequence(_SEQUENCE, *[b""] * many),
    "open sequences": lambda many: open_sequence(_SEQUENCE, b"") * many,
    "unknown sequences": lambda many: (
        (explicit(0x00091018, b"UN", ITEM_OPEN + ITEM_CLOSE + SEQUENCE_CLOSE, UNDEFINED)) * many
    ),
    "empty equipment": lambda many: explicit(_EQUIPMENT, b"SQ", item(b"") * many),
    "equipment": lambda many: explicit(_EQUIPMENT, b"SQ", item(_DEVICE_UID) * many),
    "equipment again and again": lambda many: explicit(_EQUIPMENT, b"SQ", item(b"")) * many,
}


def _walk(dataset: bytes, maximum_steps: int = MAXIMUM_STEPS) -> Walk:
    return Walk(memoryview(dataset), EXPLICIT_LITTLE, maximum_steps)


@pytest.mark.parametrize("hostile", _HOSTILE.values(), ids=_HOSTILE)
def test_no_bytes_ask_for_more_steps_than_are_allowed(hostile: Callable[[int], bytes]) -> None:
    """Whatever is repeated, each repetition is counted, and the walk ends at the cap."""
    walk = _walk(SMALL + hostile(_FEW + 1), maximum_steps=_FEW)
    with pytest.raises(NotParsable, match=f"more than {_FEW}"):
        walk.run()
    assert walk.steps == _FEW


@pytest.mark.parametrize("hostile", _HOSTILE.values(), ids=_HOSTILE)
def test_many_of_anything_are_no_fault(hostile: Callable[[int], bytes]) -> None:
    """Fifty thousand of them are let in, with no more than six steps for each."""
    walk = _walk(SMALL + hostile(50_000))
    walk.run()
    assert 50_000 <= walk.steps <= 6 * 50_000 + 10


def test_the_steps_of_plain_elements_are_as_many_as_the_elements() -> None:
    """And one for the end."""
    assert check_structure(SMALL, EXPLICIT).steps == 4 + 1


@pytest.mark.parametrize("closed", [True, False])
def test_sixty_thousand_nested_sequences_are_refused_at_once(closed: bool) -> None:  # noqa: FBT001
    """Depth is counted, never recursed into, and the rest is not looked at."""
    walk = _walk(SMALL + _OPENING * 60_000 + (ITEM_CLOSE + SEQUENCE_CLOSE) * 60_000 * closed)
    with pytest.raises(NotParsable, match="nested deeper"):
        walk.run()
    assert walk.steps < 2 * MAXIMUM_DEPTH


def test_as_deep_as_is_allowed_is_let_in() -> None:
    """A sequence and its item are two."""
    half = MAXIMUM_DEPTH // 2
    check_structure(SMALL + _OPENING * half + (ITEM_CLOSE + SEQUENCE_CLOSE) * half, EXPLICIT)
    with pytest.raises(NotParsable, match="nested deeper"):
        check_structure(SMALL + _OPENING * (half + 1) + (ITEM_CLOSE + SEQUENCE_CLOSE) * (half + 1), EXPLICIT)


def test_a_cine_of_a_million_fragments_is_let_in() -> None:
    """Long and finely cut, and legal."""
    dataset = SMALL + encapsulated(*[b"ab"] * 1_000_000)
    structure = check_structure(dataset, JPEG_BASELINE)
    assert structure.pixels is not None
    assert structure.pixels[1] == 10_000_000 + 8


# the macros that an enhanced image can have for each frame, by how many elements each has (PS3.3 A.36.2, A.38.1): frame
# content, geometry, display, timing, coils, diffusion and more, as if nothing were shared
_ELEMENTS_OF_MACROS = (8, 1, 1, 3, 3, 3, 6, 5, 5, 1, 9, 5, 4, 3, 1, 6, 3)
_FRAMES = 10_000


def _frame() -> bytes:
    element = partial(explicit, vr=b"DS", value=b"1.25")
    macros = (element(0x00189000) * elements for elements in _ELEMENTS_OF_MACROS)
    return b"".join(open_sequence(0x00209111, content) for content in macros)


def test_an_enhanced_image_of_ten_thousand_frames_is_let_in() -> None:
    """With every functional group in every frame, and no sequence or item that has a length."""
    frames = open_sequence(0x52009230, *[_frame()] * _FRAMES)
    structure = check_structure(SMALL + frames + explicit(0x7FE00010, b"OW", b"ab"), EXPLICIT)
    assert structure.steps > 130 * _FRAMES
    assert structure.pixels is not None


def test_what_is_kept_stays_small_whatever_is_sent() -> None:
    """Long values, a hundred thousand different device UIDs, and megabytes of text."""
    uids = (explicit(0x00181002, b"UI", b"1.1%06d" % number) for number in range(100_000))
    long_values = (explicit(tag, b"UT", b"1\\" * 500_000) for tag in (0x00100010, 0x00081030, 0x00080008))
    dataset = SMALL + b"".join(long_values) + explicit(_EQUIPMENT, b"SQ", b"".join(map(item, uids)))
    tracemalloc.start()
    header = inspect(dataset, EXPLICIT)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 17
    assert len(repr(header)) < 8192
    assert len(header.device_uids) <= MAXIMUM_DEVICE_UIDS


def test_an_implicit_dataset_has_the_same_bounds() -> None:
    """Its elements are counted like explicit ones."""
    dataset = implicit(0x00080018, b"1.2\0") + implicit(0x00091018, b"") * (MAXIMUM_STEPS + 1)
    with pytest.raises(NotParsable, match=f"more than {MAXIMUM_STEPS}"):
        check_structure(dataset, "1.2.840.10008.1.2")
