"""Pixels as plain values: right, or refused with a reason."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ImplicitVRLittleEndian

from node.dicom.instance.part10 import preamble_and_meta, read_part10
from node.dicom.pixels.modality_values import PixelsUnreadable, read_pixels
from node.dicom.samples.testfiles import test_file as pydicom_file
from node.dicom.samples.wrap import Subject, wrap_as_dx
from tests.unit.dicom.pixels.pictures import Write, grey, table


def test_values_are_rescaled(write: Write) -> None:
    """Slope and intercept of the Modality LUT are applied, in float32."""
    read = read_pixels(write(grey(RescaleSlope="2.5", RescaleIntercept="-10")))
    np.testing.assert_array_equal(read.values, [[[-10, -7.5, -5], [-2.5, 0, 615]]])
    assert (read.values.dtype, read.bits_stored, read.inverted, read.window) == (np.float32, 8, False, None)


def test_a_modality_lut_is_applied(write: Write) -> None:
    """Where there is a table instead of a slope."""
    read = read_pixels(write(grey(ModalityLUTSequence=[table([5, 0, 16], [10, 20, 30, 40, 50])])))
    np.testing.assert_array_equal(read.values[0], [[10, 20, 30], [40, 50, 50]])


def test_a_modality_lut_may_be_longer_than_the_pixels_reach(write: Write) -> None:
    """Of 4096 entries from -100 on, an image of 8 bits uses a few."""
    entries = list(range(0, 8192, 2))
    read = read_pixels(write(grey(ModalityLUTSequence=[table([4096, -100, 16], entries)])))
    np.testing.assert_array_equal(read.values[0], [[200, 202, 204], [206, 208, 700]])


def test_a_modality_lut_that_is_shorter_than_it_says_is_refused(write: Write) -> None:
    """Without it the values mean nothing."""
    with pytest.raises(PixelsUnreadable, match="do not fit"):
        read_pixels(write(grey(ModalityLUTSequence=[table([300, 0, 16], [1, 2])])))


def test_monochrome1_is_marked_and_its_values_are_left(write: Write) -> None:
    """Polarity is said, not applied."""
    read = read_pixels(write(grey(PhotometricInterpretation="MONOCHROME1")))
    assert read.inverted
    assert read.values[0, 1, 2] == 250


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_polarity_is_that_of_photometric_interpretation_and_presentation_lut_shape(
    write: Write,
    photometric: str,
    shape: str,
    inverted: bool,  # noqa: FBT001
) -> None:
    """INVERSE turns MONOCHROME2 over, and says of MONOCHROME1 what it says itself."""
    image = grey(PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert read_pixels(write(image)).inverted is inverted


def test_a_colour_image_is_never_inverted(write: Write) -> None:
    """A Presentation LUT is for grey."""
    rgb = grey(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=bytes(18))
    rgb.PresentationLUTShape = "INVERSE"
    assert not read_pixels(write(rgb)).inverted


def _padded_radiograph(folder: Path, *, signed: bool, inverted: bool, vr: str, padding: int) -> Path:
    """Write a wrapped radiograph whose first column is padding."""
    pixels = np.arange(500, 512).reshape(3, 4).astype("<i2" if signed else "<u2")
    pixels[:, 0] = np.int64(padding).astype(pixels.dtype)
    subject = Subject("P-1", "Doe^Jane", "1.2.1", "1.2.2", "1.2.3")
    path = folder / "padded.dcm"
    path.write_bytes(wrap_as_dx(pixels.view(np.uint16), subject, inverted=inverted))
    dataset = dcmread(path)
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, int(signed)
    dataset.add_new(0x00280120, vr, padding)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("signed", "vr", "padding"),
    [(False, "US", 65535), (False, "US", 0), (True, "SS", -2000), (True, "US", 63536)],
)
@pytest.mark.parametrize(("inverted", "background"), [(False, 501), (True, 511)])
def test_padding_becomes_the_background(
    tmp_path: Path,
    signed: bool,  # noqa: FBT001
    vr: str,
    padding: int,
    inverted: bool,  # noqa: FBT001
    background: int,
) -> None:
    """The lowest value of the picture, or the highest where high values are dark; -2000 written as US counts too."""
    path = _padded_radiograph(tmp_path, signed=signed, inverted=inverted, vr=vr, padding=padding)
    read = read_pixels(path)
    expected = np.arange(500, 512).reshape(1, 3, 4)
    expected[:, :, 0] = background
    np.testing.assert_array_equal(read.values, expected)


def test_padding_is_found_in_implicit_vr(tmp_path: Path) -> None:
    """Where no VR says whether the value has a sign."""
    path = _padded_radiograph(tmp_path, signed=True, inverted=False, vr="SS", padding=-2000)
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.save_as(path, implicit_vr=True)
    assert read_pixels(path).values.min() == 501


@pytest.mark.parametrize(("value", "limit"), [(0, 2), (2, 0)])
def test_padding_may_be_a_range(write: Write, value: int, limit: int) -> None:
    """Both ends belong to it, whichever is named first."""
    read = read_pixels(write(grey(PixelPaddingValue=value, PixelPaddingRangeLimit=limit)))
    np.testing.assert_array_equal(read.values, [[[3, 3, 3], [3, 4, 250]]])


def test_padding_is_dark_whatever_the_slope(write: Write) -> None:
    """A negative slope makes the lowest stored value the brightest."""
    read = read_pixels(write(grey(PixelPaddingValue=0, RescaleSlope="-1", RescaleIntercept="300")))
    np.testing.assert_array_equal(read.values, [[[50, 299, 298], [297, 296, 50]]])


def test_a_padding_value_that_no_pixel_has_changes_nothing(write: Write) -> None:
    """Many images declare one that they do not use."""
    read = read_pixels(write(grey(PixelPaddingValue=77)))
    np.testing.assert_array_equal(read.values, [[[0, 1, 2], [3, 4, 250]]])


def test_functional_groups_rescale_and_window_each_frame(write: Write) -> None:
    """As enhanced multi-frame objects have them."""
    frames = []
    for slope in (1, 3):
        transformation, voi, frame = Dataset(), Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, 1
        voi.WindowCenter, voi.WindowWidth = slope * 10, 20
        frame.PixelValueTransformationSequence, frame.FrameVOILUTSequence = [transformation], [voi]
        frames.append(frame)
    read = read_pixels(
        write(grey(NumberOfFrames=2, PixelData=bytes(range(12)), PerFrameFunctionalGroupsSequence=frames))
    )
    np.testing.assert_array_equal(read.values, np.arange(12).reshape(2, 2, 3) * [[[1]], [[3]]] + 1)
    assert read.window == (10.0, 20.0)


def test_bits_above_those_stored_are_no_part_of_a_value(write: Write) -> None:
    """An old overlay in the high bits is cleared; the sign of a signed value is kept."""
    noisy = np.array([0xF001, 0x1002, 0x0FFF, 0, 0, 0], "<u2").tobytes()
    sixteen = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    read = read_pixels(write(grey(**sixteen, PixelData=noisy)))
    np.testing.assert_array_equal(read.values[0, 0], [1, 2, 4095])
    signed = read_pixels(write(grey(**sixteen, PixelRepresentation=1, PixelData=noisy)))
    np.testing.assert_array_equal(signed.values[0, 0], [1, 2, -1])


def test_colour_becomes_luminance(write: Write) -> None:
    """Green is brighter than blue."""
    colours = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255] * 2)
    rgb = grey(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=colours)
    read = read_pixels(write(rgb))
    np.testing.assert_allclose(read.values[0, 0], [76.245, 149.685, 29.07], rtol=1e-5)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_luma_and_chroma_become_luminance(write: Write, photometric: str) -> None:
    """Grey pixels have their luma as luminance, whether the chroma is stored for each pixel or for two."""
    luma = [10, 20, 30, 40, 50, 60, 70, 80]
    triples = [sample for value in luma for sample in (value, 128, 128)]
    pairs = [sample for one, two in zip(luma[::2], luma[1::2], strict=True) for sample in (one, two, 128, 128)]
    image = grey(SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=0, Rows=2, Columns=4)
    image.PixelData = bytes(triples if photometric == "YBR_FULL" else pairs)
    np.testing.assert_allclose(read_pixels(write(image)).values[0].ravel(), luma, atol=1)


def test_planes_and_pixels_of_colour_are_the_same_picture(write: Write) -> None:
    """Planar Configuration says how they are stored, and not what they are."""
    colours = np.random.default_rng(1).integers(0, 256, (2, 3, 3), np.uint8)
    rgb = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    by_pixel = read_pixels(write(grey(**rgb, PlanarConfiguration=0, PixelData=colours.tobytes())))
    planes = colours.transpose(2, 0, 1).tobytes()
    by_plane = read_pixels(write(grey(**rgb, PlanarConfiguration=1, PixelData=planes)))
    np.testing.assert_array_equal(by_plane.values, by_pixel.values)


@pytest.mark.parametrize("photometric", ["HSV", "ARGB", "CMYK", "MONOCHROME2", ""])
def test_three_samples_of_an_unknown_colour_space_are_refused(write: Write, photometric: str) -> None:
    """Hue is no red, and alpha no colour at all."""
    image = grey(SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=0, PixelData=bytes(18))
    with pytest.raises(PixelsUnreadable):
        read_pixels(write(image))


def test_a_palette_becomes_luminance() -> None:
    """The colours of the table count, not its indices."""
    read = read_pixels(pydicom_file("examples_palette.dcm"))
    assert read.values.shape == (1, 350, 800)
    assert read.values.max() > 255  # the table has 16 bits


def test_padded_floats_become_the_background(write: Write) -> None:
    """They have a padding value of their own, which may be no number at all."""
    image = grey(BitsAllocated=32)
    del image.PixelData
    image.FloatPixelData = np.array([np.nan, 2.5, 3.5, -7, 4.5, 5.5], "<f4").tobytes()
    image.FloatPixelPaddingValue, image.FloatPixelPaddingRangeLimit = -7.0, -8.0
    with pytest.raises(PixelsUnreadable, match="finite"):
        read_pixels(write(image))
    image.FloatPixelPaddingValue = image.FloatPixelPaddingRangeLimit = np.nan
    np.testing.assert_array_equal(read_pixels(write(image)).values[0], [[-7, 2.5, 3.5], [-7, 4.5, 5.5]])


@pytest.mark.filterwarnings("ignore:The pixel data is")
def test_compressed_files_of_pydicom_equal_their_uncompressed_twins() -> None:
    """RLE, JPEG-LS and JPEG 2000 lossless, big endian and implicit, all of the same image."""
    original = read_pixels(pydicom_file("MR_small.dcm")).values
    twins = ("RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded")
    for twin in twins:
        np.testing.assert_array_equal(read_pixels(pydicom_file(f"MR_small_{twin}.dcm")).values, original, twin)


def test_a_stored_file_is_read_whatever_its_meta_information_says_besides(tmp_path: Path) -> None:
    """A stray transfer syntax inside the dataset does not lead astray."""
    part10 = read_part10(pydicom_file("MR_small.dcm"))
    stray = b"\x02\0\x10\0UI\x12\x001.2.840.10008.1.2\0"
    path = tmp_path / "stray.dcm"
    meta = preamble_and_meta(part10.sop_class_uid, part10.sop_instance_uid, part10.transfer_syntax_uid)
    path.write_bytes(meta + stray + part10.dataset)
    assert read_pixels(path).values.shape == (1, 64, 64)
