"""A JPEG, and the same picture as a DX image however it may be stored: equal tensors, in training and in serving."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from models.images.preprocess import network_input
from node.dicom.pixels.modality_values import read_pixels
from node.dicom.samples.wrap import Subject, wrap_as_dx

Pixels = NDArray[np.uint8]
SIZE = 64
_SUBJECT = Subject("P-1", "Doe^Jane", "1.2.1", "1.2.2", "1.2.3")
_CURVE = np.round(65535 * (np.arange(256) / 255) ** 2.2).astype(np.int64)  # one 16-bit value for each of 8 bits


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    """Return a JPEG with smooth shapes, an edge and a black border of ten columns."""
    row, column = np.mgrid[0:180, 0:230]
    shapes = 120 + 60 * np.sin(row / 17) * np.cos(column / 23) + 40 * (column > 150)
    shapes[:, :16] = 0
    encoded = io.BytesIO()
    Image.fromarray(np.clip(shapes, 0, 255).astype(np.uint8)).save(encoded, "JPEG", quality=95)
    return encoded.getvalue()


@pytest.fixture(scope="module")
def pixels(jpeg: bytes) -> Pixels:
    """Return the picture as the JPEG decodes."""
    return np.asarray(Image.open(io.BytesIO(jpeg)))


@pytest.fixture(scope="module")
def expected(pixels: Pixels) -> NDArray[np.float32]:
    """Return the tensor that training sees."""
    return network_input(pixels, None, False, SIZE)


def _dx(pixels: Pixels) -> Dataset:
    return dcmread(io.BytesIO(wrap_as_dx(pixels, _SUBJECT)))


def _stored(pixels: Pixels, stored: NDArray[np.int64], *, signed: bool = False, bits: int = 16) -> Dataset:
    """Return the picture with other stored values and without a window."""
    image = _dx(pixels)
    del image.WindowCenter, image.WindowWidth
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, bits, bits - 1, int(signed)
    image.add_new("PixelData", "OW", stored.astype("<i2" if signed else "<u2").tobytes())
    return image


def _windowed(image: Dataset, center: float, width: float, function: str = "LINEAR") -> Dataset:
    image.WindowCenter, image.WindowWidth, image.VOILUTFunction = center, width, function
    return image


def _monochrome1(pixels: Pixels) -> Dataset:
    return dcmread(io.BytesIO(wrap_as_dx(255 - pixels, _SUBJECT, inverted=True)))


def _back(image: Dataset, keyword: str) -> Dataset:
    """Give the image a table that turns the curve's values back into those of 8 bits."""
    table, entries = Dataset(), np.searchsorted(_CURVE, np.arange(65536)).astype("<u2")
    table.add_new("LUTDescriptor", "US", [0, 0, 16])
    table.add_new("LUTData", "OW", entries.tobytes())
    setattr(image, keyword, [table])
    return image


def _with_modality_lut(pixels: Pixels) -> Dataset:
    image = _back(_stored(pixels, _CURVE[pixels]), "ModalityLUTSequence")
    del image.RescaleSlope, image.RescaleIntercept, image.RescaleType
    return image


def _rescaled(image: Dataset, slope: float, intercept: float) -> Dataset:
    image.RescaleSlope, image.RescaleIntercept = slope, intercept
    return image


def _padded(pixels: Pixels) -> Dataset:
    """Mark the black border as padding, with a value that is the brightest of all."""
    stored = pixels.astype(np.int64)
    stored[:, :8] = 65535
    image = _stored(pixels, stored)
    image.add_new("PixelPaddingValue", "US", 65535)
    return image


def _compressed(image: Dataset, syntax: str) -> Dataset:
    image.compress(syntax)
    return image


WAYS: dict[str, Callable[[Pixels], Dataset]] = {
    "8 bits": _dx,
    "12 bits, without a window": lambda pixels: _stored(pixels, pixels * np.int64(16), bits=12),
    "16 bits, windowed": lambda pixels: _windowed(_stored(pixels, pixels * np.int64(257)), 32768, 65536),
    "16 bits, exactly windowed": lambda pixels: _windowed(
        _stored(pixels, pixels * np.int64(257)), 32767.5, 65535, "LINEAR_EXACT"
    ),
    "signed": lambda pixels: _stored(pixels, pixels.astype(np.int64) - 128, signed=True),
    "signed of 12 bits in units of the detector": lambda pixels: _rescaled(
        _stored(pixels, pixels * np.int64(16) - 2048, signed=True, bits=12), 0.25, -1000
    ),
    "falling with dose": lambda pixels: _rescaled(_stored(pixels, 255 - pixels.astype(np.int64)), -1, 255),
    "MONOCHROME1": _monochrome1,
    "VOI LUT": lambda pixels: _back(_stored(pixels, _CURVE[pixels]), "VOILUTSequence"),
    "Modality LUT": _with_modality_lut,
    "padding": _padded,
    "RLE": lambda pixels: _compressed(_dx(pixels), RLELossless),
    "JPEG 2000": lambda pixels: _compressed(_stored(pixels, pixels * np.int64(16), bits=12), JPEG2000Lossless),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_jpeg_and_the_same_picture_as_dx_give_equal_tensors(
    way: str, pixels: Pixels, expected: NDArray[np.float32], tmp_path: Path
) -> None:
    """However its values are stored, compressed, turned over or curved."""
    WAYS[way](pixels).save_as(tmp_path / "image.dcm")
    read = read_pixels(tmp_path / "image.dcm")
    tensor = network_input(read.values[0], read.window, read.inverted, SIZE)
    np.testing.assert_allclose(tensor, expected, atol=2e-6)


def test_the_jpeg_itself_inside_a_dx_image_gives_its_tensor(
    jpeg: bytes, pixels: Pixels, expected: NDArray[np.float32], tmp_path: Path
) -> None:
    """Its bytes as they are, in JPEG Baseline; another decoder may round single pixels otherwise."""
    image = _dx(pixels)
    image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    image.PixelData = encapsulate([jpeg])
    image["PixelData"].is_undefined_length = True
    image.save_as(tmp_path / "image.dcm")
    read = read_pixels(tmp_path / "image.dcm")
    tensor = network_input(read.values[0], read.window, read.inverted, SIZE)
    np.testing.assert_allclose(tensor, expected, atol=0.5 / 255)


def test_a_sigmoid_gives_the_tensor_of_a_jpeg_that_was_curved_first(pixels: Pixels, tmp_path: Path) -> None:
    """The curve comes before the picture is made smaller, as in an archive that exports JPEGs."""
    exported = 1 / (1 + np.exp(-4 * (pixels.astype(np.float64) - 90) / 60))
    _windowed(_dx(pixels), 90, 60, "SIGMOID").save_as(tmp_path / "image.dcm")
    read = read_pixels(tmp_path / "image.dcm")
    tensor = network_input(read.values[0], read.window, read.inverted, SIZE)
    np.testing.assert_allclose(tensor, network_input(exported, None, False, SIZE), atol=1e-5)
