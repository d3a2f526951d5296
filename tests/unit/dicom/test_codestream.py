"""Compressed frames that are not what the dataset says: told by their header, before a decoder believes them."""

import struct
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames

from node.dicom.codestream import Codestream, FrameSize, codestream_of
from node.dicom.pixels import PixelsUnreadable, read_pixels
from node.dicom.testfiles import test_file as pydicom_file

_JPEG_2000 = "MR_small_jp2klossless.dcm"
_FAMILIES = {
    "SC_rgb_jpeg_dcmtk.dcm": b"\xff\xc0",
    "SC_rgb_jpeg_gdcm.dcm": b"\xff\xc3",
    "MR_small_jpeg_ls_lossless.dcm": b"\xff\xf7",
    _JPEG_2000: b"\xff\x51",
    "examples_jpeg2k.dcm": b"\xff\x51",
}


def _frame(name: str) -> bytes:
    dataset = dcmread(pydicom_file(name))
    return next(generate_frames(dataset.PixelData, number_of_frames=1))


def _claiming(frame: bytes, marker: bytes, rows: int, columns: int) -> bytes:
    """Return the frame with another size in its header."""
    spoilt, at = bytearray(frame), frame.index(marker)
    if marker == b"\xff\x51":
        struct.pack_into(">2I", spoilt, at + 6, columns, rows)
        struct.pack_into(">2I", spoilt, at + 22, columns, rows)  # in one tile
    else:
        struct.pack_into(">2H", spoilt, at + 5, rows, columns)
    return bytes(spoilt)


def _with_frame(name: str, frame: bytes, folder: Path) -> Path:
    dataset = dcmread(pydicom_file(name))
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    path = folder / "spoilt.dcm"
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(("name", "marker"), _FAMILIES.items())
def test_a_frame_that_claims_to_be_a_bomb_is_refused(name: str, marker: bytes, tmp_path: Path) -> None:
    """60000 x 60000 where the header says a few: refused by the frame's own header, and nothing is decoded."""
    bomb = _claiming(_frame(name), marker, 60_000, 60_000)
    with pytest.raises(PixelsUnreadable, match=r"compressed frame has the size \(60000, 60000"):
        read_pixels(_with_frame(name, bomb, tmp_path))


@pytest.mark.parametrize(("name", "marker"), _FAMILIES.items())
def test_a_frame_with_rows_and_columns_swapped_is_refused(name: str, marker: bytes, tmp_path: Path) -> None:
    """It would decode into as many pixels, in the wrong places."""
    dataset = dcmread(pydicom_file(name))
    swapped = _claiming(_frame(name), marker, dataset.Columns * 2, dataset.Rows // 2)
    with pytest.raises(PixelsUnreadable, match="the header"):
        read_pixels(_with_frame(name, swapped, tmp_path))


@pytest.mark.parametrize("name", _FAMILIES)
def test_a_frame_that_ends_early_is_refused(name: str, tmp_path: Path) -> None:
    """A decoder would fill up the rest with grey."""
    frame = _frame(name)
    with pytest.raises(PixelsUnreadable, match="truncated"):
        read_pixels(_with_frame(name, frame[: len(frame) * 2 // 3], tmp_path))


@pytest.mark.parametrize("name", _FAMILIES)
def test_a_frame_without_a_header_is_refused(name: str, tmp_path: Path) -> None:
    """Noise where a frame should be."""
    with pytest.raises(PixelsUnreadable, match="no header"):
        read_pixels(_with_frame(name, bytes(range(200)), tmp_path))


def test_a_panic_of_the_rle_decoder_is_a_refusal(tmp_path: Path) -> None:
    """A run that is 9 bytes longer than its segment has room for, in a frame of 32 bits."""
    frame = bytearray(_frame("SC_rgb_rle_32bit.dcm"))
    assert frame[1882] == 157  # the header of a run of 100
    frame[1882] -= 9
    with pytest.raises(PixelsUnreadable, match="do not fit"):
        read_pixels(_with_frame("SC_rgb_rle_32bit.dcm", bytes(frame), tmp_path))


def test_a_thumbnail_before_the_header_is_not_the_frame() -> None:
    """Its own header and end do not count: they stand in an application segment."""
    thumbnail = b"\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0\xff\xd9"
    frame = b"\xff\xd8\xff\xe0" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    frame += b"\xff\xff\xc2\0\x0b\x08\0\5\0\7\1\1\x11\0"  # a fill byte before the marker
    assert codestream_of(frame) == Codestream(FrameSize(5, 7, 1), is_whole=False)
    assert codestream_of(frame + b"\xff\xd9") == Codestream(FrameSize(5, 7, 1), is_whole=True)


def test_a_jp2_file_is_looked_into() -> None:
    """Some senders put a whole file where a codestream belongs; a codestream in another of its boxes is none."""
    signature, decoy = b"\x00\x00\x00\x0cjP  \r\n\x87\n", _claiming(_frame(_JPEG_2000), b"\xff\x51", 9, 9)
    other = struct.pack(">I4s", 8 + len(decoy), b"xml ") + decoy
    large = struct.pack(">I4sQ", 1, b"jp2c", 16 + len(_frame(_JPEG_2000))) + _frame(_JPEG_2000)
    found = codestream_of(signature + other + large)
    assert found is not None
    assert found.size == FrameSize(64, 64, 1)


@pytest.mark.parametrize(
    "frame", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\x4f\xff\x51\0", b"\x00\x00\x00\x0cjP  \r\n\x87\n"]
)
def test_a_header_that_is_cut_short_is_none(frame: bytes) -> None:
    """Whatever is left of it."""
    assert codestream_of(frame) is None
