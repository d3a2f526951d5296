"""The walk over raw bytes: what is one whole dataset, and what is not."""

from pathlib import Path

import pytest

from node.dicom.encoding.structure import MAXIMUM_VALUE_BYTES, check_structure
from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.part10 import NotPart10, read_part10
from tests.unit.dicom.raw import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM_CLOSE,
    ITEM_OPEN,
    JPEG_BASELINE,
    SEQUENCE_CLOSE,
    SMALL,
    SOP_CLASS,
    UNDEFINED,
    encapsulated,
    explicit,
    implicit,
    item,
    open_sequence,
)

_SEQUENCE = 0x00081140
_PIXELS = 0x7FE00010


def test_a_whole_dataset_gives_its_wanted_values() -> None:
    """Values come raw, with their padding."""
    structure = check_structure(SMALL, EXPLICIT)
    assert structure.values[0x00100010] == b"Doe^Jane"
    assert structure.values[0x00080018] == b"1.2.3.4\0"
    assert structure.pixels is None


@pytest.mark.parametrize(
    ("why", "dataset", "transfer_syntax"),
    [
        ("empty", b"", EXPLICIT),
        ("a few bytes", b"\x08\0\x16\0U", EXPLICIT),
        ("cut inside a value", SMALL[:-1], EXPLICIT),
        ("cut inside an element header", SMALL + b"\x20\0\x0e\0", EXPLICIT),
        ("cut inside a long element header", SMALL + explicit(_PIXELS, b"OW", b"")[:10], EXPLICIT),
        ("text", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", EXPLICIT),
        ("text as implicit", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", IMPLICIT),
        ("zeros", bytes(4096), EXPLICIT),
        ("zeros as implicit", bytes(4096), IMPLICIT),
        ("ones", b"\xff" * 4096, IMPLICIT),
        ("a whole file", bytes(128) + b"DICM" + SMALL, EXPLICIT),
        ("explicit sent as implicit", SMALL, IMPLICIT),
        ("implicit sent as explicit", implicit(0x00080016, b"1.2\0") * 4, EXPLICIT),
        ("little endian sent as big endian", SMALL, BIG_ENDIAN),
        ("big endian sent as little endian", explicit(0x00080016, b"UI", b"1.2\0", order=">") * 4, EXPLICIT),
        ("plain sent as deflated", SMALL, DEFLATED),
        ("unknown VR", SMALL + explicit(0x00290010, b"ZZ", b"ab"), EXPLICIT),
        ("unknown VR in an open sequence", SMALL + open_sequence(_SEQUENCE, explicit(0x90010, b"QQ", b"")), EXPLICIT),
        ("a 4 GiB element", SMALL + explicit(_PIXELS, b"OW", b"", 0xFFFFFFFE), EXPLICIT),
        ("a sequence longer than the dataset", SMALL + explicit(_SEQUENCE, b"SQ", item(b""), 4000), EXPLICIT),
        ("an unclosed sequence", SMALL + explicit(_SEQUENCE, b"SQ", ITEM_OPEN + ITEM_CLOSE, UNDEFINED), EXPLICIT),
        ("an unclosed item", SMALL + explicit(_SEQUENCE, b"SQ", ITEM_OPEN + SEQUENCE_CLOSE, UNDEFINED), EXPLICIT),
        (
            "an item that overruns",
            SMALL + explicit(_SEQUENCE, b"SQ", implicit(0xFFFEE000, b"", 999), UNDEFINED),
            EXPLICIT,
        ),
        ("an element where an item must stand", SMALL + explicit(_SEQUENCE, b"SQ", SMALL, UNDEFINED), EXPLICIT),
        ("a stray delimiter", SMALL + ITEM_CLOSE, EXPLICIT),
        ("a command element", explicit(0x00000002, b"UI", b"1.2\0") + SMALL, EXPLICIT),
        ("text without a length", SMALL + explicit(0x00204000, b"UT", SEQUENCE_CLOSE, UNDEFINED), EXPLICIT),
        ("unclosed pixel data", SMALL + encapsulated(b"\xff\xd8")[:-8], JPEG_BASELINE),
        ("a fragment without a length", SMALL + explicit(_PIXELS, b"OB", ITEM_OPEN, UNDEFINED), JPEG_BASELINE),
    ],
)
def test_what_is_not_one_whole_dataset_is_refused(why: str, dataset: bytes, transfer_syntax: str) -> None:
    """Each kind of damage is found, and the reason names no value."""
    with pytest.raises(NotParsable) as refusal:
        check_structure(dataset, transfer_syntax)
    assert "Doe" not in str(refusal.value), why


@pytest.mark.parametrize("cut", range(len(SMALL) - 1, 0, -7))
def test_a_dataset_cut_inside_an_element_is_refused(cut: int) -> None:
    """Wherever it is cut, but for the seams between elements."""
    seams = {len(SOP_CLASS), len(SOP_CLASS) + 16, len(SOP_CLASS) + 32}
    if cut not in seams:
        with pytest.raises(NotParsable):
            check_structure(SMALL[:cut], EXPLICIT)


@pytest.mark.parametrize(
    "extra",
    [
        open_sequence(_SEQUENCE, SMALL, b"", SMALL),
        open_sequence(_SEQUENCE, open_sequence(_SEQUENCE, SMALL)),
        explicit(_SEQUENCE, b"SQ", b""),
        explicit(_SEQUENCE, b"SQ", b"", UNDEFINED) + SEQUENCE_CLOSE,
        explicit(_SEQUENCE, b"SQ", item(SMALL) + item(SMALL)),
        explicit(_SEQUENCE, b"SQ", item(SMALL) + SEQUENCE_CLOSE, UNDEFINED),
        explicit(0x00291010, b"UN", ITEM_OPEN + implicit(0x00080100, b"AB") + ITEM_CLOSE + SEQUENCE_CLOSE, UNDEFINED),
        explicit(0x00090010, b"LO", b"odd"),
        explicit(0xFFFCFFFC, b"OB", bytes(100)),
        explicit(0x00080000, b"UL", b"\x01\0\0\0"),
        explicit(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0"),
    ],
)
def test_what_real_scanners_send_is_let_in(extra: bytes) -> None:
    """Sequences of every form, group lengths that are wrong, meta elements inside, odd lengths, trailing padding."""
    check_structure(SMALL + extra, EXPLICIT)


def test_only_the_top_level_gives_values() -> None:
    """A patient or pixels inside a sequence are somebody else's."""
    inside = explicit(0x00100010, b"PN", b"Roe^Rick") + explicit(_PIXELS, b"OB", bytes(10))
    structure = check_structure(SMALL + open_sequence(_SEQUENCE, inside), EXPLICIT)
    assert structure.values[0x00100010] == b"Doe^Jane"
    assert structure.pixels is None


def test_native_pixels_are_located() -> None:
    """Offset and length are those of the value."""
    dataset = SMALL + explicit(_PIXELS, b"OW", b"pixels")
    offset, length = check_structure(dataset, EXPLICIT).pixels or (0, 0)
    assert dataset[offset : offset + length] == b"pixels"


def test_encapsulated_pixels_are_located_up_to_their_delimiter() -> None:
    """The items stay, the delimiter goes."""
    dataset = SMALL + encapsulated(b"\xff\xd8\xfe\xff\xdd\xe0", b"\xff\xd9")
    offset, length = check_structure(dataset, JPEG_BASELINE).pixels or (0, 0)
    assert dataset[offset : offset + length] == item(b"") + item(b"\xff\xd8\xfe\xff\xdd\xe0") + item(b"\xff\xd9")


@pytest.mark.parametrize("pixels", [explicit(_PIXELS, b"OW", b""), encapsulated()])
def test_pixel_data_without_a_byte_is_none(pixels: bytes) -> None:
    """An empty value and an empty offset table hold no pixels."""
    assert check_structure(SMALL + pixels, EXPLICIT).pixels is None


@pytest.mark.parametrize("defined", [True, False])
def test_device_uids_are_found_in_contributing_equipment(defined: bool) -> None:  # noqa: FBT001
    """At the top level and in each item, whatever the form of the sequence; never deeper, and each once."""
    inner = explicit(0x00181002, b"UI", b"1.5\0")
    deeper = explicit(0x0040A170, b"SQ", item(explicit(0x00181002, b"UI", b"1.7\0")))
    top = explicit(0x00181002, b"UI", b"1.4\0")
    equipment = (
        explicit(0x0018A001, b"SQ", item(inner + deeper) + item(inner))
        if defined
        else open_sequence(0x0018A001, inner + deeper, inner)
    )
    assert check_structure(SMALL + top + equipment, EXPLICIT).device_uids == (b"1.4\0", b"1.5\0")


@pytest.mark.parametrize(
    ("dataset", "transfer_syntax"),
    [
        (SMALL + explicit(0x0018A001, b"UN", item(implicit(0x00181002, b"1.5\0"))), EXPLICIT),
        (
            SMALL
            + explicit(0x0018A001, b"UN", ITEM_OPEN, UNDEFINED)
            + implicit(0x00181002, b"1.5\0")
            + ITEM_CLOSE
            + SEQUENCE_CLOSE,
            EXPLICIT,
        ),
        (
            explicit(0x00080018, b"UI", b"1.2\0", order=">")
            + explicit(0x0018A001, b"UN", item(implicit(0x00181002, b"1.5\0")), order=">"),
            BIG_ENDIAN,
        ),
        (implicit(0x00080018, b"1.2\0") + implicit(0x0018A001, item(implicit(0x00181002, b"1.5\0"))), IMPLICIT),
    ],
)
def test_device_uids_are_found_whatever_the_equipment_went_through(dataset: bytes, transfer_syntax: str) -> None:
    """An archive that does not know the sequence passes it on as VR UN, implicit inside (PS3.5 6.2.2)."""
    assert check_structure(dataset, transfer_syntax).device_uids == (b"1.5\0",)


def test_contributing_equipment_inside_another_sequence_is_somebody_elses() -> None:
    """It says who made what is referred to."""
    inner = open_sequence(0x0018A001, explicit(0x00181002, b"UI", b"1.5\0"))
    assert check_structure(SMALL + open_sequence(_SEQUENCE, inner), EXPLICIT).device_uids == ()
    assert check_structure(SMALL + open_sequence(0x0018A001, inner), EXPLICIT).device_uids == ()


def test_contributing_equipment_that_is_no_sequence_is_skipped() -> None:
    """A value that fits is no fault."""
    assert check_structure(SMALL + explicit(0x0018A001, b"LO", b"abcd"), EXPLICIT).device_uids == ()


def test_contributing_equipment_that_is_broken_inside_is_refused() -> None:
    """It says whether an object is our own, so it is looked at whole."""
    with pytest.raises(NotParsable):
        check_structure(SMALL + explicit(0x0018A001, b"SQ", item(b"\x18\0\x02\x10UI\xff\x00")), EXPLICIT)


def test_a_long_value_is_kept_short() -> None:
    """What a header holds cannot be made large."""
    structure = check_structure(SMALL + explicit(0x00081030, b"LO", b"x" * 60_000), EXPLICIT)
    assert len(structure.values[0x00081030]) == MAXIMUM_VALUE_BYTES


def test_an_unknown_transfer_syntax_is_taken_as_explicit_little_endian() -> None:
    """Private ones are encapsulated so."""
    assert check_structure(SMALL + encapsulated(b"ab"), "1.2.3.4.5").pixels is not None


_REFUSED_RIGHTLY = {
    "MR_truncated.dcm": "its pixel data is cut",
    "SC_rgb_jpeg.dcm": "it says JPEG, and is implicit VR",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "its pixel data is cut and has no delimiter",
    "rtplan_truncated.dcm": "it is cut",
}


def _part10_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"})


def _check_files(folder: Path) -> set[str]:
    refused = set()
    for path in _part10_files(folder):
        try:
            part10 = read_part10(path)
        except NotPart10:
            continue
        try:
            check_structure(part10.dataset, part10.transfer_syntax_uid)
        except NotParsable:
            refused.add(path.name)
    return refused


def test_every_sound_file_of_pydicom_passes(pydicom_files: Path) -> None:
    """Only the files that are made to be broken are refused."""
    assert _check_files(pydicom_files) == _REFUSED_RIGHTLY.keys() - {"emri_small_jpeg_2k_lossless_too_short.dcm"}


@pytest.mark.data
def test_every_sound_file_of_the_zoo_passes(public_data: Path) -> None:
    """Only the files that are made to be broken are refused."""
    assert _check_files(public_data / "dicom_zoo" / "files") == _REFUSED_RIGHTLY.keys()
