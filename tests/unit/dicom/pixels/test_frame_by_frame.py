"""An image decoded frame by frame gives what decoding all of it at once gives, in less memory."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames

from node.dicom.pixels.modality_values import PixelsUnreadable, PixelValues, TooManyFrames, read_frames, read_pixels
from node.dicom.samples.testfiles import test_file as pydicom_file
from tests.unit.dicom.pixels.pictures import Write, grey

_INSTALLED = ["rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm", "SC_rgb_rle_2frame.dcm", "examples_ybr_color.dcm"]
_OF_THE_ZOO = [
    "OBXXXX1A_rle_2frame.dcm",
    "emri_small.dcm",
    "emri_small_big_endian.dcm",
    "emri_small_jpeg_2k_lossless.dcm",
    "emri_small_jpeg_ls_lossless.dcm",
    "liver_nonbyte_aligned.dcm",
]


@pytest.mark.parametrize("name", [*_INSTALLED, "CT_small.dcm"])
def test_each_frame_is_what_it_is_among_all(name: str) -> None:
    """Values, window, polarity and depth; one frame at a time."""
    _compare(pydicom_file(name))


@pytest.mark.data
@pytest.mark.parametrize("name", _OF_THE_ZOO)
def test_each_frame_of_an_enhanced_image_is_what_it_is_among_all(name: str, public_data: Path) -> None:
    """MR with functional groups, ultrasound with a palette, single bits; plain and compressed."""
    _compare(public_data / "dicom_zoo" / "files" / name)


def _compare(path: Path) -> None:
    at_once, one_by_one = read_pixels(path), list(read_frames(path, max_frames=100))
    assert len(one_by_one) == len(at_once.values)
    for number, frame in enumerate(one_by_one):
        assert frame.values.shape == (1, *at_once.values.shape[1:])
        np.testing.assert_array_equal(frame.values[0], at_once.values[number])
        assert _described(frame) == _described(at_once)


def _described(pixels: PixelValues) -> tuple[object, ...]:
    return pixels.window, pixels.inverted, pixels.bits_stored


def test_each_frame_has_its_own_rescale(write: Write) -> None:
    """As the functional groups of an enhanced image give it."""
    slopes = [1, 2, 3]
    dataset = grey(
        PixelData=bytes([1] * 18), NumberOfFrames=3, PerFrameFunctionalGroupsSequence=[_rescaled(one) for one in slopes]
    )
    frames = list(read_frames(write(dataset), max_frames=3))
    assert [float(frame.values.max()) for frame in frames] == slopes


def _rescaled(slope: int) -> Dataset:
    group, macro = Dataset(), Dataset()
    macro.RescaleSlope, macro.RescaleIntercept, macro.RescaleType = slope, 0, "US"
    group.PixelValueTransformationSequence = [macro]
    return group


def test_more_frames_than_the_caller_takes_are_refused_before_the_first() -> None:
    """Nothing is decoded."""
    with pytest.raises(TooManyFrames, match="it has 15 frames, more than 14"):
        next(read_frames(pydicom_file("rtdose.dcm"), max_frames=14))


def test_the_limit_of_bytes_is_one_frames(write: Write) -> None:
    """An image of many frames is as large in memory as one of them."""
    twelve = grey(PixelData=bytes(range(6)) * 12, NumberOfFrames=12)
    assert len(list(read_frames(write(twelve), max_frames=12, max_bytes=24))) == 12
    with pytest.raises(PixelsUnreadable, match="more than"):
        next(read_frames(write(twelve), max_frames=12, max_bytes=23))


def test_a_frame_that_cannot_be_decoded_is_told_when_its_turn_comes(tmp_path: Path) -> None:
    """Those before it were given out; whoever reads them all learns that the image is not whole."""
    dataset = dcmread(pydicom_file("rtdose_rle.dcm"))
    frames = list(generate_frames(dataset.PixelData, number_of_frames=15))
    dataset.PixelData = encapsulate([*frames[:14], frames[14][:64] + b"\x80" * 40])
    dataset["PixelData"].is_undefined_length = True
    path = tmp_path / "spoilt.dcm"
    dataset.save_as(path)
    decoding = read_frames(path, max_frames=15)
    assert [next(decoding).values.shape for _ in range(14)] == [(1, 10, 10)] * 14
    with pytest.raises(PixelsUnreadable):
        next(decoding)
