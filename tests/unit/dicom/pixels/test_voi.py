"""Windows, curves and tables: what a sender wants to be seen."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.uid import ExplicitVRBigEndian

from node.dicom.instance.part10 import preamble_and_meta
from node.dicom.pixels.modality_values import read_pixels
from tests.unit.dicom.pixels.pictures import CLASS, Write, encoded, grey, table
from tests.unit.dicom.raw import EXPLICIT

STORED = [[0, 1, 2], [3, 4, 250]]


@pytest.mark.parametrize(
    ("center", "width", "window"),
    [
        ("40", "400", (40.0, 400.0)),
        (["40", "50"], ["400", "100"], (40.0, 400.0)),
        ("40", "0", None),
        ("40", None, None),
        ("nan", "400", None),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_the_first_window_that_can_be_used_is_taken(write: Write, center: Any, width: Any, window: object) -> None:
    """A window that makes no sense is none."""
    assert read_pixels(write(grey(WindowCenter=center, WindowWidth=width))).window == window


def test_an_unreadable_window_costs_only_itself(tmp_path: Path) -> None:
    """The pixels are still read."""
    spoilt = encoded(grey(WindowCenter="40", WindowWidth="400")).replace(b"400 ", b"4x0 ")
    path = tmp_path / "image.dcm"
    path.write_bytes(preamble_and_meta(CLASS, "1.2.3", EXPLICIT) + spoilt)
    assert read_pixels(path).window is None


def test_an_exact_window_becomes_the_linear_one_with_the_same_ends(write: Write) -> None:
    """LINEAR ends at center - 0.5 -+ (width - 1) / 2, LINEAR_EXACT at center -+ width / 2."""
    read = read_pixels(write(grey(WindowCenter="100", WindowWidth="50", VOILUTFunction="LINEAR_EXACT")))
    assert read.window is not None
    center, width = read.window
    assert (center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2) == (75.0, 125.0)
    np.testing.assert_array_equal(read.values[0], STORED)


def test_a_sigmoid_is_applied_and_no_window_remains(write: Write) -> None:
    """It is a half at the center, and 1 / (1 + exp(-2)) half a width above."""
    read = read_pixels(write(grey(WindowCenter="2", WindowWidth="4", VOILUTFunction="SIGMOID")))
    assert read.window is None
    np.testing.assert_allclose(read.values[0, 0], 1 / (1 + np.exp([2.0, 1.0, 0.0])), rtol=1e-6)
    assert read.values[0, 1, 2] == 1


def test_a_voi_lut_is_honoured_where_there_is_no_window(write: Write) -> None:
    """Values past its ends take its ends."""
    read = read_pixels(write(grey(VOILUTSequence=[table([3, 2, 12], [10, 70, 100])])))
    np.testing.assert_array_equal(read.values[0], [[10, 10, 10], [70, 100, 100]])
    assert read.window is None


def test_a_window_counts_before_a_voi_lut(write: Write) -> None:
    """The Standard lets the reader choose; a window leaves the values as they are."""
    image = grey(VOILUTSequence=[table([3, 2, 12], [10, 70, 100])], WindowCenter="3", WindowWidth="6")
    read = read_pixels(write(image))
    np.testing.assert_array_equal(read.values[0], STORED)
    assert read.window == (3.0, 6.0)


def test_the_first_of_several_tables_is_taken(write: Write) -> None:
    """They are alternatives."""
    tables = [table([2, 3, 16], [5, 6]), table([2, 3, 16], [50, 60])]
    assert read_pixels(write(grey(VOILUTSequence=tables))).values[0].tolist() == [[5, 5, 5], [5, 6, 6]]


@pytest.mark.parametrize(
    ("data", "vr"), [([0x0201, 0x0403, 0x0005], "US"), (b"\1\2\3\4\5\0", "OW"), (list(range(1, 6)), "US")]
)
def test_entries_of_eight_bits_may_be_packed(write: Write, data: Any, vr: str) -> None:
    """Two in a word, as numbers or as bytes; or one in a word."""
    read = read_pixels(write(grey(VOILUTSequence=[table([5, 0, 8], data, vr)])))
    assert read.values[0].tolist() == [[1, 2, 3], [4, 5, 5]]


def test_bytes_of_a_table_are_read_in_the_order_of_the_dataset(tmp_path: Path) -> None:
    """Big endian, where the dataset is."""
    path = tmp_path / "big.dcm"
    big = io.BytesIO()
    image = grey(VOILUTSequence=[table([2, 3, 16], b"\1\2\3\4", "OW")])
    dcmwrite(big, image, implicit_vr=False, little_endian=False)
    path.write_bytes(preamble_and_meta(CLASS, "1.2.3", ExplicitVRBigEndian) + big.getvalue())
    assert read_pixels(path).values[0].tolist() == [[258, 258, 258], [258, 772, 772]]


def test_a_table_may_begin_below_zero(write: Write) -> None:
    """Its first entry stands for -1000, written as such or as the US that has the same bits."""
    for first in (-1000, 64536):
        entries = list(range(2000))
        image = grey(RescaleSlope="1", RescaleIntercept="-1000", VOILUTSequence=[table([2000, first, 16], entries)])
        assert read_pixels(write(image)).values[0].tolist() == STORED


def test_a_table_of_the_whole_range_says_zero_entries(write: Write) -> None:
    """65536 does not fit into its descriptor."""
    entries = np.arange(65536, dtype="<u2")[::-1].tobytes()
    read = read_pixels(write(grey(VOILUTSequence=[table([0, 0, 16], entries, "OW")])))
    np.testing.assert_array_equal(read.values[0], 65535 - np.array(STORED))


@pytest.mark.parametrize("spoilt", [table([9, 0, 16], [1, 2]), table([2, 0, 16], []), Dataset()])
def test_an_unreadable_table_costs_only_itself(write: Write, spoilt: Dataset) -> None:
    """It is a wish, as a window is."""
    read = read_pixels(write(grey(VOILUTSequence=[spoilt])))
    np.testing.assert_array_equal(read.values[0], STORED)


def test_padding_is_dark_after_the_curve(write: Write) -> None:
    """A falling table makes the lowest stored value the brightest."""
    falling = table([6, 0, 16], [100, 80, 60, 40, 20, 10])
    read = read_pixels(write(grey(PixelPaddingValue=0, VOILUTSequence=[falling])))
    np.testing.assert_array_equal(read.values[0], [[10, 80, 60], [40, 20, 10]])


def test_functional_groups_have_their_own_table_and_function(write: Write) -> None:
    """As enhanced multi-frame objects have them."""
    groups, macro = Dataset(), Dataset()
    groups.FrameVOILUTSequence = [macro]
    macro.VOILUTSequence = [table([3, 2, 12], [10, 70, 100])]
    read = read_pixels(write(grey(SharedFunctionalGroupsSequence=[groups])))
    np.testing.assert_array_equal(read.values[0], [[10, 10, 10], [70, 100, 100]])
    macro.WindowCenter, macro.WindowWidth, macro.VOILUTFunction = "2", "4", "SIGMOID"
    assert read_pixels(write(grey(SharedFunctionalGroupsSequence=[groups]))).values[0, 0, 2] == 0.5


def test_a_colour_image_has_no_window(write: Write) -> None:
    """The VOI LUT module is for grey (PS3.3 C.11.2.1.2)."""
    rgb = grey(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=bytes(range(18)))
    rgb.WindowCenter, rgb.WindowWidth = "3", "4"
    assert read_pixels(write(rgb)).window is None


@pytest.mark.parametrize("sequence", ["ModalityLUTSequence", "VOILUTSequence"])
def test_a_negative_first_value_that_was_written_as_us_is_told_by_the_pixels_sign(write: Write, sequence: str) -> None:
    """-3 as 65533, over pixels with a sign of which none is negative."""
    entries = list(range(7))
    image = grey(PixelRepresentation=1, PixelData=bytes([0, 1, 2, 3, 4, 5]))
    setattr(image, sequence, [table([7, 65533, 8], entries)])
    assert read_pixels(write(image)).values[0].tolist() == [[3, 4, 5], [6, 6, 6]]
