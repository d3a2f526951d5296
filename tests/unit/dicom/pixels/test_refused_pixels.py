"""Pixels that cannot be read rightly are refused in words, and nothing breaks by them."""

import contextlib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node.dicom.instance.part10 import preamble_and_meta
from node.dicom.pixels.modality_values import PixelsUnreadable, read_pixels
from node.dicom.samples.testfiles import test_file as pydicom_file
from tests.unit.dicom.pixels.pictures import CLASS, Write, encoded, grey
from tests.unit.dicom.raw import DEFLATED, EXPLICIT


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"PixelData": None}, "no pixel data"),
        ({"PixelData": b"\0\1"}, "truncated"),
        ({"Rows": 0}, "0 rows"),
        ({"Rows": 60_000, "Columns": 60_000, "NumberOfFrames": 1000}, "more than"),
        ({"NumberOfFrames": -1}, "rows"),
        ({"BitsAllocated": 13, "PixelData": bytes(10)}, "do not fit"),
        ({"PixelRepresentation": 7}, "do not fit"),
        ({"PhotometricInterpretation": "MONOCHROME7"}, "do not fit"),
        ({"RescaleSlope": "nan"}, "finite"),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 255}, "padding"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_what_cannot_be_read_rightly_is_refused(write: Write, changed: dict[str, Any], reason: str) -> None:
    """With a reason, and without decoding what would not fit."""
    with pytest.raises(PixelsUnreadable, match=reason):
        read_pixels(write(grey(**changed)))


def test_the_cap_on_the_size_is_the_callers(write: Write) -> None:
    """Six pixels are 24 bytes of float32."""
    path = write(grey())
    assert read_pixels(path, max_bytes=24).values.size == 6
    with pytest.raises(PixelsUnreadable, match="more than 23"):
        read_pixels(path, max_bytes=23)


def test_a_deflate_bomb_is_refused(tmp_path: Path) -> None:
    """It is never inflated past the cap."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path = tmp_path / "bomb.dcm"
    bomb = deflater.compress(bytes(8 << 20)) + deflater.flush()
    path.write_bytes(preamble_and_meta(CLASS, "1.2.3", DEFLATED) + bomb)
    with pytest.raises(PixelsUnreadable, match="inflates"):
        read_pixels(path, max_bytes=1 << 20)


@pytest.mark.parametrize("name", ["rtplan.dcm", "reportsi.dcm", "waveform_ecg.dcm"])
def test_objects_without_pixels_are_refused(name: str) -> None:
    """A plan, a report and a waveform are no images."""
    with pytest.raises(PixelsUnreadable, match="no pixel data"):
        read_pixels(pydicom_file(name))


def test_no_failure_tells_what_stands_in_the_dataset(write: Write) -> None:
    """A decoder's message may quote a value; ours does not."""
    with pytest.raises(PixelsUnreadable) as refusal:
        read_pixels(write(grey(PatientName="Doe^Jane", BitsStored=99)))
    assert "Doe" not in str(refusal.value)


def test_a_truncated_file_is_refused() -> None:
    """Its pixel data ends early."""
    with pytest.raises(PixelsUnreadable):
        read_pixels(pydicom_file("MR_truncated.dcm"))


_SPOILT = ("CT_small", "MR_small_RLE", "SC_rgb_rle_32bit", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*_SPOILT, "SC_rgb_jpeg_dcmtk", "rtdose_rle", "liver_1frame", "examples_palette"])
def test_spoilt_files_are_read_or_refused_and_never_break_anything(name: str, tmp_path: Path) -> None:
    """Bytes changed and taken out anywhere, two hundred times."""
    whole, random, path = pydicom_file(f"{name}.dcm").read_bytes(), np.random.default_rng(7), tmp_path / "spoilt.dcm"
    for _ in range(200):
        spoilt = bytearray(whole)
        for place in random.integers(132, len(whole), random.integers(1, 5)):
            spoilt[place : place + int(random.integers(1, 4))] = random.bytes(int(random.integers(0, 3)))
        path.write_bytes(spoilt)
        with contextlib.suppress(PixelsUnreadable):
            read_pixels(path)


def test_a_dataset_that_ends_inside_an_element_is_no_failure_of_the_disk(tmp_path: Path) -> None:
    """It is refused, where a file that is not there is an error of its own."""
    path = tmp_path / "short.dcm"
    path.write_bytes(preamble_and_meta(CLASS, "1.2.3", EXPLICIT) + encoded(grey())[:-9] + b"\xe0\x7f")
    with pytest.raises(PixelsUnreadable, match="ends inside an element"):
        read_pixels(path)
    with pytest.raises(FileNotFoundError):
        read_pixels(tmp_path / "none.dcm")


def test_sequences_that_are_nested_too_deeply_are_refused_in_words(tmp_path: Path) -> None:
    """Five hundred of undefined length, one in another."""
    opening = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    path = tmp_path / "nested.dcm"
    path.write_bytes(preamble_and_meta(CLASS, "1.2.3", EXPLICIT) + opening * 500 + closing * 500 + encoded(grey()))
    with pytest.raises(PixelsUnreadable, match="nested too deeply"):
        read_pixels(path)
