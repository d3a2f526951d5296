"""The header: what rows, rules and reports need, decoded once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.dicom.encoding.tags import WANTED
from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.header import MAXIMUM_CHARACTERS, inspect, pixel_bytes
from node.domain.identifiers import is_uid
from tests.unit.dicom.raw import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    SMALL,
    encapsulated,
    explicit,
    implicit,
    item,
    open_sequence,
)


def test_a_header_is_decoded_from_every_byte_order() -> None:
    """Implicit, explicit and big endian say the same."""
    rows = explicit(0x00280010, b"US", b"\x00\x02")
    little = inspect(SMALL + rows, EXPLICIT)
    assert (little.patient_name, little.sop_instance_uid, little.study_instance_uid) == ("Doe^Jane", "1.2.3.4", "1.2.3")
    assert little.rows == 512
    big = explicit(0x00100010, b"PN", b"Doe^Jane", order=">") + explicit(0x00280010, b"US", b"\x02\x00", order=">")
    assert inspect(explicit(0x00080018, b"UI", b"1.2\0", order=">") + big, BIG_ENDIAN).rows == 512
    plain = implicit(0x00080018, b"1.2\0") + implicit(0x00100020, b"P 1 ") + implicit(0x00280011, b"\x03\0")
    assert (inspect(plain, IMPLICIT).patient_id, inspect(plain, IMPLICIT).columns) == ("P 1", 3)


def test_missing_elements_are_empty() -> None:
    """UIDs too: the caller refuses those."""
    header = inspect(explicit(0x00080005, b"CS", b"ISO_IR 192"), EXPLICIT)
    assert (header.sop_class_uid, header.sop_instance_uid, header.study_instance_uid) == ("", "", "")
    assert (header.rows, header.number_of_frames, header.has_pixels) == (0, 1, False)
    assert header.image_type == ()


@pytest.mark.parametrize(
    ("raw", "uid"),
    [(b"1.2.3\0", "1.2.3"), (b"1.2.3 ", "1.2.3"), (b"../../etc ", "../../etc"), (b" 1.2", " 1.2"), (b"1..2", "1..2")],
)
def test_a_uid_loses_its_trailing_padding_and_nothing_else(raw: bytes, uid: str) -> None:
    """What is wrong with it stays visible to whoever checks."""
    assert inspect(explicit(0x00080018, b"UI", raw), EXPLICIT).sop_instance_uid == uid


@pytest.mark.parametrize("raw", [b"1.2\0\0.3", b"1.2\n.3", b"1.2\x1b[31m", b"\x801.2"])
def test_a_uid_with_what_nothing_can_store_shows_that_it_has_it(raw: bytes) -> None:
    """It stays none, and neither a database nor a log line stumbles over it."""
    uid = inspect(explicit(0x00080018, b"UI", raw), EXPLICIT).sop_instance_uid
    assert not is_uid(uid)
    assert uid.isprintable()
    assert "\ufffd" in uid


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (b"'; DROP TABLE instances; --", "'; DROP TABLE instances; --"),
        (b"a\0b\r\n\tc", "abc"),
        (b"Doe^Jane" + b" " * 60_000, "Doe^Jane"),
        (b"x" * 60_000, "x" * MAXIMUM_CHARACTERS),
        ("王".encode() * 20_000, "王" * MAXIMUM_CHARACTERS),
    ],
)
def test_text_is_cleaned_and_cut_and_otherwise_as_sent(raw: bytes, text: str) -> None:
    """Markup and SQL are text like any other: pages escape it, and statements have parameters."""
    dataset = explicit(0x00080005, b"CS", b"ISO_IR 192") + explicit(0x00100010, b"PN", raw[: (1 << 16) - 2])
    assert inspect(dataset, EXPLICIT).patient_name == text


def test_a_text_of_a_megabyte_makes_no_large_header() -> None:
    """In every element that a header keeps."""
    dataset = b"".join(explicit(tag, b"UT", b"1\\" * 500_000) for tag in sorted(WANTED))
    header = inspect(dataset, EXPLICIT)
    assert len(repr(header)) < 16_384
    assert not is_uid(header.sop_instance_uid)


@pytest.mark.parametrize(
    ("raw", "frames"),
    [(b"12 ", 12), (b"1A", 1), (b"", 1), (b"-3", 1), (b"0", 1), (b"99999999999", 1), (b"2\\3 ", 1), ("٣".encode(), 1)],
)
def test_a_number_of_frames_that_is_none_is_one(raw: bytes, frames: int) -> None:
    """Odd values raise nothing."""
    assert inspect(SMALL + explicit(0x00280008, b"IS", raw), EXPLICIT).number_of_frames == frames


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\0\x02\0"])
def test_rows_of_another_length_than_two_bytes_are_none(raw: bytes) -> None:
    """One value of two bytes is what VR US has."""
    assert inspect(SMALL + explicit(0x00280010, b"US", raw), EXPLICIT).rows == 0


def test_codes_are_upper_case_and_without_padding() -> None:
    """As the Standard asks; rules compare them."""
    dataset = (
        explicit(0x00080008, b"CS", b"DERIVED\\primary \\")
        + explicit(0x00080060, b"CS", b"dx")
        + explicit(0x00180015, b"CS", b" Chest")
    )
    header = inspect(dataset, EXPLICIT)
    assert (header.image_type, header.modality, header.body_part_examined) == (
        ("DERIVED", "PRIMARY", ""),
        "DX",
        "CHEST",
    )


@pytest.mark.parametrize(("said", "synthetic"), [(b"YES ", True), (b"yes", True), (b"NO", False), (b"", False)])
def test_an_image_says_of_itself_that_it_is_synthetic(said: bytes, synthetic: bool) -> None:  # noqa: FBT001
    """By (0008,001C); whatever else stands there is no such word."""
    header = inspect(explicit(0x0008001C, b"CS", said) + SMALL, EXPLICIT)
    assert header.synthetic is synthetic


def test_text_is_free_of_what_breaks_a_line() -> None:
    """A newline in a description writes no second line into a log."""
    header = inspect(SMALL + explicit(0x00081030, b"LO", b"chest\nFORGED\0"), EXPLICIT)
    assert header.study_description == "chestFORGED"


def test_device_uids_are_listed_once_and_only_if_they_are_some() -> None:
    """They are compared with ours."""
    equipment = item(explicit(0x00181002, b"UI", b"1.5\\1.6\0")) + item(explicit(0x00181002, b"UI", b"nonsense"))
    dataset = SMALL + explicit(0x00181002, b"UI", b"1.5\0") + explicit(0x0018A001, b"SQ", equipment)
    assert inspect(dataset, EXPLICIT).device_uids == ("1.5", "1.6")


def _code(value: bytes, order: str = "<") -> bytes:
    return explicit(0x00080100, b"SH", value, order=order) + explicit(0x00080102, b"SH", b"DCM ", order=order)


@pytest.mark.parametrize("tag", [0x00089215, 0x0066002F])
def test_codes_say_how_an_image_was_derived(tag: int) -> None:
    """With a length and without one, with VRs and without; no further than the sequence."""
    items = item(_code(b"113072")) + item(_code(b"123110"))
    after = explicit(0x00082218, b"SQ", item(_code(b"999999")))
    closed, opened = explicit(tag, b"SQ", items), open_sequence(tag, _code(b"113072"), _code(b"123110"))
    expected = ("113072", "123110")
    assert inspect(SMALL + closed + after, EXPLICIT).derivation_codes == expected
    assert inspect(SMALL + opened + after, EXPLICIT).derivation_codes == expected
    bare = implicit(tag, item(implicit(0x00080100, b"123110") + implicit(0x00080102, b"DCM ")))
    assert inspect(bare + implicit(0x0020000D, b"1.2.3\0"), IMPLICIT).derivation_codes == ("123110",)


def test_codes_that_are_sloppy_cost_no_image() -> None:
    """What says how it was derived may be cut or nonsense; the image is kept all the same."""
    for value in (b"", b"\x08\x00", b"\xff" * 40, item(b"\x08\x00\x00\x01SH\x10\x00123")):
        assert inspect(SMALL + explicit(0x00089215, b"SQ", value), EXPLICIT).study_instance_uid == "1.2.3"


def test_who_contributed_is_told_from_who_made_the_image() -> None:
    """The manufacturer of the image stays its own."""
    equipment = item(explicit(0x00080070, b"LO", b"Finder AI ")) + item(explicit(0x00080070, b"LO", b"Scanner "))
    dataset = explicit(0x00080070, b"LO", b"Modality") + SMALL + explicit(0x0018A001, b"SQ", equipment)
    header = inspect(dataset, EXPLICIT)
    assert (header.manufacturer, header.equipment_manufacturers) == ("Modality", ("Finder AI", "Scanner"))


def test_pixels_are_compared_by_their_encoded_value() -> None:
    """A changed header leaves them equal, a changed fragment does not."""
    pixels = encapsulated(b"\xff\xd8", b"\xff\xd9")
    changed = encapsulated(b"\xff\xd8", b"\xff\xda")
    assert inspect(SMALL + pixels, JPEG_BASELINE).has_pixels
    assert pixel_bytes(SMALL + pixels, JPEG_BASELINE) == pixel_bytes(SMALL[:-14] + pixels, JPEG_BASELINE)
    assert pixel_bytes(SMALL + pixels, JPEG_BASELINE) != pixel_bytes(SMALL + changed, JPEG_BASELINE)
    assert pixel_bytes(SMALL, EXPLICIT) == b""


@given(st.binary(max_size=200), st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, JPEG_BASELINE]))
def test_no_bytes_raise_anything_but_not_parsable(noise: bytes, transfer_syntax: str) -> None:
    """Neither at the beginning of a dataset nor after a sound part of it."""
    for dataset in (noise, SMALL + noise):
        try:
            header = inspect(dataset, transfer_syntax)
        except NotParsable:
            continue
        assert all(is_uid(uid) for uid in header.device_uids)
