"""Values of 1 to 64 bits, with a sign and without, packed or not, alone and in frames."""

import importlib.metadata
from typing import Any

import numpy as np
import pytest

from node.dicom.pixels.modality_values import PixelsUnreadable, read_pixels
from tests.unit.dicom.pixels.pictures import Write, grey


def _extremes(bits: int, *, signed: bool) -> list[int]:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return [low, high, high // 2, high // 3, low // 2, high]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", range(2, 33))
def test_values_of_any_number_of_bits_are_read(write: Write, bits: int, signed: bool) -> None:  # noqa: FBT001
    """In the smallest container, with noise above them: as they are, or as near as a float32 comes."""
    allocated = next(size for size in (8, 16, 32) if size >= bits)
    values = _extremes(bits, signed=signed)
    noise = 0x5555_5555 << bits  # an old overlay, as some have it in the unused bits
    stored = np.array([value & ((1 << bits) - 1) | noise & ((1 << allocated) - 1) for value in values])
    image = grey(BitsAllocated=allocated, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=int(signed))
    image.add_new("PixelData", "OW", stored.astype(f"<u{allocated // 8}").tobytes())
    np.testing.assert_array_equal(read_pixels(write(image)).values.ravel(), np.array(values, np.float32))


@pytest.mark.parametrize("signed", [False, True])
def test_values_may_stand_in_the_high_bits(write: Write, signed: bool) -> None:  # noqa: FBT001
    """High Bit 15 with 12 bits stored: the low four are none of the value."""
    values = _extremes(12, signed=signed)
    stored = np.array([(value << 4 | 0b1010) & 0xFFFF for value in values], "<u2")
    image = grey(BitsAllocated=16, BitsStored=12, HighBit=15, PixelRepresentation=int(signed))
    image.PixelData = stored.tobytes()
    np.testing.assert_array_equal(read_pixels(write(image)).values.ravel(), values)


@pytest.mark.parametrize(("stored", "high"), [(12, 16), (12, 9), (17, 16), (12, -1)])
def test_bits_that_do_not_fit_are_refused(write: Write, stored: int, high: int) -> None:
    """No value can be made of them."""
    image = grey(BitsAllocated=16, BitsStored=stored, PixelData=bytes(12))
    image.add_new("HighBit", "SS" if high < 0 else "US", high)
    with pytest.raises(PixelsUnreadable, match="do not fit"):
        read_pixels(write(image))


def test_single_bits_are_unpacked_over_frames_that_end_inside_a_byte(write: Write) -> None:
    """Three frames of fifteen pixels: the second begins in the middle of a byte."""
    values = np.random.default_rng(2).integers(0, 2, (3, 3, 5), np.uint8)
    packed = np.packbits(values.ravel(), bitorder="little").tobytes()
    image = grey(Rows=3, Columns=5, NumberOfFrames=3, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed)
    np.testing.assert_array_equal(read_pixels(write(image)).values, values)


@pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floats_are_read_as_they_are(write: Write, keyword: str, kind: str) -> None:
    """Of 32 and of 64 bits."""
    values = np.array([0.25, -1.5, 3e7, 0, 1e-3, 7], kind)
    image = grey(BitsAllocated=8 * values.itemsize)
    del image.PixelData, image.BitsStored, image.HighBit, image.PixelRepresentation
    setattr(image, keyword, values.tobytes())
    read = read_pixels(write(image))
    np.testing.assert_array_equal(read.values.ravel(), values.astype(np.float32))
    assert read.bits_stored == 8 * values.itemsize


def test_a_float_beyond_float32_is_refused(write: Write) -> None:
    """It would become infinite."""
    image = grey(BitsAllocated=64)
    del image.PixelData
    image.DoubleFloatPixelData = np.array([1e300, 0, 0, 0, 0, 0], "<f8").tobytes()
    with pytest.raises(PixelsUnreadable, match="finite"):
        read_pixels(write(image))


@pytest.mark.filterwarnings("ignore:The pixel data is 64 bytes long")
@pytest.mark.parametrize("allocated", [2, 12, 24, 40])
def test_containers_that_no_decoder_knows_are_refused(write: Write, allocated: int) -> None:
    """Twelve bits packed in nine bytes for six pixels were retired long ago."""
    image = grey(BitsAllocated=allocated, BitsStored=min(allocated, 12), HighBit=min(allocated, 12) - 1)
    image.PixelData = bytes(64)
    with pytest.raises(PixelsUnreadable, match=r"do not fit|no decoder"):
        read_pixels(write(image))


@pytest.mark.parametrize("changed", [{"NumberOfFrames": 2}, {"NumberOfFrames": 3, "PixelData": bytes(12)}])
def test_fewer_frames_than_promised_are_refused(write: Write, changed: dict[str, Any]) -> None:
    """The missing ones are not made up."""
    with pytest.raises(PixelsUnreadable, match="truncated"):
        read_pixels(write(grey(**changed)))


def test_no_decoder_under_the_gpl_is_installed() -> None:
    """Pylibjpeg picks up pylibjpeg-libjpeg (GPL-3) by itself where it is there."""
    installed = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
    assert "pylibjpeg-libjpeg" not in installed
    assert {"pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-gdcm"} <= installed
