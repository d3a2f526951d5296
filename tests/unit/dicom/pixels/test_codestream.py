"""Compressed frames that are not what the dataset says: told by their header, before a decoder believes them."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGBaseline8Bit, JPEGLosslessSV1

from node.dicom.pixels.codestream import Codestream, FrameSize, Samples, codestream_of
from node.dicom.pixels.jpeg8 import without_end
from node.dicom.pixels.modality_values import PixelsUnreadable, read_pixels
from node.dicom.samples.testfiles import test_file as pydicom_file

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


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_jpeg_that_ends_early_and_has_an_end_marker_is_refused(share: float, tmp_path: Path) -> None:
    """Some senders close what they could not finish; libjpeg would make grey of the rest."""
    name = "SC_rgb_jpeg_dcmtk.dcm"
    frame = _frame(name)
    scan = frame.index(b"\xff\xda")
    cut = frame[: scan + int((len(frame) - scan) * share)] + b"\xff\xd9"
    with pytest.raises(PixelsUnreadable, match="no decoder can decode"):
        read_pixels(_with_frame(name, cut, tmp_path))


def test_a_whole_jpeg_is_decoded_without_its_end_marker_as_with_it() -> None:
    """Grey and colour, of odd sizes, with restart markers and without; of several scans nothing is taken away."""
    noise = np.random.default_rng(1)
    for shape in ((64, 64), (37, 51), (70, 90, 3)):
        for options in ({}, {"restart_marker_blocks": 4}, {"quality": 20, "optimize": True}):
            written = io.BytesIO()
            Image.fromarray(noise.integers(0, 256, shape, np.uint8)).save(written, "JPEG", **options)
            frame = written.getvalue()
            assert not without_end(frame).endswith(b"\xff\xd9")
            assert Image.open(io.BytesIO(without_end(frame))).tobytes() == Image.open(written).tobytes()
    written = io.BytesIO()
    Image.fromarray(noise.integers(0, 256, (16, 16), np.uint8)).save(written, "JPEG", progressive=True)
    assert without_end(written.getvalue()) == written.getvalue()


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


def _with_header(name: str, folder: Path, **changed: int) -> Path:
    dataset = dcmread(pydicom_file(name))
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    path = folder / "other_header.dcm"
    dataset.save_as(path)
    return path


def test_a_codestream_with_a_sign_under_a_header_without_one_is_refused(tmp_path: Path) -> None:
    """JPEG 2000 says 16 bits with a sign; read without one, -1 would be 65535."""
    with pytest.raises(PixelsUnreadable, match="16 bits with a sign, which do not fit"):
        read_pixels(_with_header(_JPEG_2000, tmp_path, PixelRepresentation=0))


def test_a_codestream_without_a_sign_and_with_too_few_bits_for_a_signed_header_is_refused(tmp_path: Path) -> None:
    """Twelve bits for a header of sixteen: nobody knows whether the twelfth is a sign."""
    frame = bytearray(_frame(_JPEG_2000))
    frame[frame.index(b"\xff\x51") + 40] = 11
    with pytest.raises(PixelsUnreadable, match="12 bits without a sign, which do not fit"):
        read_pixels(_with_frame(_JPEG_2000, bytes(frame), tmp_path))


def test_values_that_need_more_bits_than_the_header_has_are_refused(tmp_path: Path) -> None:
    """The codestream has 16 bits; the values fit into 13, and not into 8."""
    whole = read_pixels(pydicom_file(_JPEG_2000)).values
    assert (read_pixels(_with_header(_JPEG_2000, tmp_path, BitsStored=13, HighBit=12)).values == whole).all()
    with pytest.raises(PixelsUnreadable, match="do not fit into the 8 bits"):
        read_pixels(_with_header(_JPEG_2000, tmp_path, BitsStored=8, HighBit=7))


@pytest.mark.parametrize("name", _FAMILIES)
def test_a_codestream_of_another_family_than_the_transfer_syntax_is_refused(name: str, tmp_path: Path) -> None:
    """A decoder that knows both would read it, one that does not would crash."""
    dataset = dcmread(pydicom_file(name))
    other = JPEGBaseline8Bit if dataset.file_meta.TransferSyntaxUID != JPEGBaseline8Bit else JPEGLosslessSV1
    dataset.file_meta.TransferSyntaxUID = other
    dataset.save_as(tmp_path / "other_family.dcm")
    with pytest.raises(PixelsUnreadable, match="its transfer syntax is one of JPEG"):
        read_pixels(tmp_path / "other_family.dcm")


def test_a_thumbnail_before_the_header_is_not_the_frame() -> None:
    """Its own header and end do not count: they stand in an application segment."""
    thumbnail = b"\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0\xff\xd9"
    frame = b"\xff\xd8\xff\xe0" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    frame += b"\xff\xff\xc2\0\x0b\x08\0\5\0\7\1\1\x11\0"  # a fill byte before the marker
    cut = Codestream(FrameSize(5, 7, 1), is_whole=False, family="JPEG", samples=Samples(8, signed=False))
    assert codestream_of(frame) == cut
    assert codestream_of(frame + b"\xff\xd9") == cut._replace(is_whole=True)


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
