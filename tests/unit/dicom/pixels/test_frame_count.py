"""The frames that a header declares are the ones that are decoded: its size is computed from them."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames

from node.dicom.pixels.modality_values import PixelsUnreadable, TooManyFrames, read_pixels
from node.dicom.samples.testfiles import test_file as pydicom_file
from tests.unit.dicom.pixels.pictures import Write, grey


def _repeated(name: str, folder: Path, *, frames: int, declared: int | None) -> Path:
    """Write a file of pydicom with its one compressed frame several times, each in the Basic Offset Table."""
    dataset = dcmread(pydicom_file(name))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([frame] * frames)
    dataset["PixelData"].is_undefined_length = True
    dataset.NumberOfFrames = declared
    if declared is None:
        del dataset.NumberOfFrames
    path = folder / "repeated.dcm"
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("declared", [None, 1, 3])
@pytest.mark.parametrize(
    "name",
    ["MR_small_jp2klossless.dcm", "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_dcmtk.dcm"],
)
def test_more_compressed_frames_than_declared_are_refused(name: str, declared: int | None, tmp_path: Path) -> None:
    """Whether the header says how many there are, or says nothing, which means one."""
    path = _repeated(name, tmp_path, frames=4, declared=declared)
    with pytest.raises(PixelsUnreadable, match=f"more compressed frames than the {declared or 1} that"):
        read_pixels(path)


def test_as_many_compressed_frames_as_declared_are_read(tmp_path: Path) -> None:
    """All of them."""
    read = read_pixels(_repeated("MR_small_RLE.dcm", tmp_path, frames=4, declared=4))
    assert read.values.shape == (4, 64, 64)


@pytest.mark.filterwarnings("ignore:The pixel data is")
def test_plain_pixels_after_the_declared_frames_are_left_alone(write: Write) -> None:
    """They may be nothing but padding; the frame that is declared is the first."""
    read = read_pixels(write(grey(PixelData=bytes(range(6)) * 5)), max_bytes=24)
    np.testing.assert_array_equal(read.values, [[[0, 1, 2], [3, 4, 5]]])


def test_more_frames_than_the_caller_takes_are_refused_before_one_is_decoded(tmp_path: Path) -> None:
    """The second of them could not be decoded."""
    path = _repeated("MR_small_jp2klossless.dcm", tmp_path, frames=1, declared=2)
    with pytest.raises(TooManyFrames, match="it has 2 frames, more than 1"):
        read_pixels(path, max_frames=1)
