"""Pixels as plain values: right, or refused with a reason."""

import csv
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import ImplicitVRLittleEndian

from node.dicom.part10 import preamble_and_meta, read_part10
from node.dicom.pixels import PixelsUnreadable, _dataset_of, read_pixels, stored_values
from node.dicom.testfiles import test_file as pydicom_file
from node.dicom.wrap import Subject, wrap_as_dx
from tests.unit.dicom.raw import DEFLATED, EXPLICIT

_CLASS = "1.2.840.10008.5.1.4.1.1.7"


def _image(**changed: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = _CLASS, "1.2.3"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = 2, 3
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = bytes([0, 1, 2, 3, 4, 250])
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return dataset


def _encoded(dataset: Dataset) -> bytes:
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, implicit_vr=False, little_endian=True)
    return encoded.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Dataset], Path]:
    """Return a function that writes a dataset as a file."""

    def write(dataset: Dataset) -> Path:
        path = tmp_path / "image.dcm"
        path.write_bytes(preamble_and_meta(_CLASS, "1.2.3", EXPLICIT) + _encoded(dataset))
        return path

    return write


Write = Callable[[Dataset], Path]


def test_values_are_rescaled(write: Write) -> None:
    """Slope and intercept of the Modality LUT are applied, in float32."""
    read = read_pixels(write(_image(RescaleSlope="2.5", RescaleIntercept="-10")))
    np.testing.assert_array_equal(read.values, [[[-10, -7.5, -5], [-2.5, 0, 615]]])
    assert (read.values.dtype, read.bits_stored, read.inverted, read.window) == (np.float32, 8, False, None)


def test_a_modality_lut_is_applied(write: Write) -> None:
    """Where there is a table instead of a slope."""
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [5, 0, 16], "US"
    table.add_new("LUTData", "US", [10, 20, 30, 40, 50])
    read = read_pixels(write(_image(ModalityLUTSequence=[table])))
    np.testing.assert_array_equal(read.values[0], [[10, 20, 30], [40, 50, 50]])


def test_monochrome1_is_marked_and_its_values_are_left(write: Write) -> None:
    """Polarity is said, not applied."""
    read = read_pixels(write(_image(PhotometricInterpretation="MONOCHROME1")))
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
    image = _image(PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert read_pixels(write(image)).inverted is inverted


def test_a_colour_image_is_never_inverted(write: Write) -> None:
    """A Presentation LUT is for grey."""
    rgb = _image(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=bytes(18))
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
    read = read_pixels(write(_image(PixelPaddingValue=value, PixelPaddingRangeLimit=limit)))
    np.testing.assert_array_equal(read.values, [[[3, 3, 3], [3, 4, 250]]])


def test_padding_is_dark_whatever_the_slope(write: Write) -> None:
    """A negative slope makes the lowest stored value the brightest."""
    read = read_pixels(write(_image(PixelPaddingValue=0, RescaleSlope="-1", RescaleIntercept="300")))
    np.testing.assert_array_equal(read.values, [[[50, 299, 298], [297, 296, 50]]])


def test_a_padding_value_that_no_pixel_has_changes_nothing(write: Write) -> None:
    """Many images declare one that they do not use."""
    read = read_pixels(write(_image(PixelPaddingValue=77)))
    np.testing.assert_array_equal(read.values, [[[0, 1, 2], [3, 4, 250]]])


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
    assert read_pixels(write(_image(WindowCenter=center, WindowWidth=width))).window == window


def test_an_unreadable_window_costs_only_itself(tmp_path: Path) -> None:
    """The pixels are still read."""
    encoded = _encoded(_image(WindowCenter="40", WindowWidth="400")).replace(b"400 ", b"4x0 ")
    path = tmp_path / "image.dcm"
    path.write_bytes(preamble_and_meta(_CLASS, "1.2.3", EXPLICIT) + encoded)
    assert read_pixels(path).window is None


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
        write(_image(NumberOfFrames=2, PixelData=bytes(range(12)), PerFrameFunctionalGroupsSequence=frames))
    )
    np.testing.assert_array_equal(read.values, np.arange(12).reshape(2, 2, 3) * [[[1]], [[3]]] + 1)
    assert read.window == (10.0, 20.0)


def test_bits_above_those_stored_are_no_part_of_a_value(write: Write) -> None:
    """An old overlay in the high bits is cleared; the sign of a signed value is kept."""
    noisy = np.array([0xF001, 0x1002, 0x0FFF, 0, 0, 0], "<u2").tobytes()
    sixteen = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    read = read_pixels(write(_image(**sixteen, PixelData=noisy)))
    np.testing.assert_array_equal(read.values[0, 0], [1, 2, 4095])
    signed = read_pixels(write(_image(**sixteen, PixelRepresentation=1, PixelData=noisy)))
    np.testing.assert_array_equal(signed.values[0, 0], [1, 2, -1])


def test_colour_becomes_luminance(write: Write) -> None:
    """Green is brighter than blue."""
    colours = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255] * 2)
    rgb = _image(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=colours)
    read = read_pixels(write(rgb))
    np.testing.assert_allclose(read.values[0, 0], [76.245, 149.685, 29.07], rtol=1e-5)


def test_a_palette_becomes_luminance() -> None:
    """The colours of the table count, not its indices."""
    read = read_pixels(pydicom_file("examples_palette.dcm"))
    assert read.values.shape == (1, 350, 800)
    assert read.values.max() > 255  # the table has 16 bits


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
        read_pixels(write(_image(**changed)))


def test_the_cap_on_the_size_is_the_callers(write: Write) -> None:
    """Six pixels are 24 bytes of float32."""
    path = write(_image())
    assert read_pixels(path, max_bytes=24).values.size == 6
    with pytest.raises(PixelsUnreadable, match="more than 23"):
        read_pixels(path, max_bytes=23)


def test_a_deflate_bomb_is_refused(tmp_path: Path) -> None:
    """It is never inflated past the cap."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path = tmp_path / "bomb.dcm"
    bomb = deflater.compress(bytes(8 << 20)) + deflater.flush()
    path.write_bytes(preamble_and_meta(_CLASS, "1.2.3", DEFLATED) + bomb)
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
        read_pixels(write(_image(PatientName="Doe^Jane", BitsStored=99)))
    assert "Doe" not in str(refusal.value)


_MORE_THAN_WE_DECODE = {"JPGExtended.dcm"}  # 12-bit JPEG: only decoders under another licence than ours read it


@pytest.mark.data
@pytest.mark.filterwarnings("ignore")
def test_every_file_of_the_zoo_is_decoded_rightly_or_refused(public_data: Path) -> None:
    """Shape and sum are those that the zoo's list gives; what it calls undecodable is refused or has none."""
    folder = public_data / "dicom_zoo"
    refused = set()
    with (folder / "zoo.csv").open(encoding="utf-8") as listing:
        for row in csv.DictReader(listing):
            path = folder / "files" / row["file"]
            try:
                read = read_pixels(path)
            except PixelsUnreadable:
                refused.add((row["file"], bool(row["decode"]) and not row["decode"].startswith("FAIL")))
                continue
            _check_against(row["decode"], _dataset_of(path.read_bytes(), 1 << 30), read.values)
    without_prefix = {"JLSL_RGB_ILV0.dcm", "JLSL_RGB_ILV1.dcm", "JLSL_RGB_ILV2.dcm", "JLSN_RGB_ILV0.dcm"}
    assert {name for name, decodable in refused if decodable} == _MORE_THAN_WE_DECODE | without_prefix


def _check_against(expected: str, dataset: Dataset, values: np.ndarray) -> None:
    stored, _ = stored_values(dataset)
    shape, _, total = expected.split("/")
    assert str(tuple(stored.shape)) == shape
    assert int(stored.sum(dtype=np.float64 if stored.dtype.kind == "f" else np.int64)) == int(total[4:])
    frames = int(dataset.get("NumberOfFrames") or 1)
    assert values.shape == (frames, dataset.Rows, dataset.Columns)
    assert np.isfinite(values).all()


@pytest.mark.filterwarnings("ignore:The pixel data is")
def test_compressed_files_of_pydicom_equal_their_uncompressed_twins() -> None:
    """RLE, JPEG-LS and JPEG 2000 lossless, big endian and implicit, all of the same image."""
    original = read_pixels(pydicom_file("MR_small.dcm")).values
    twins = ("RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded")
    for twin in twins:
        np.testing.assert_array_equal(read_pixels(pydicom_file(f"MR_small_{twin}.dcm")).values, original, twin)


def test_a_truncated_file_is_refused() -> None:
    """Its pixel data ends early."""
    with pytest.raises(PixelsUnreadable):
        read_pixels(pydicom_file("MR_truncated.dcm"))


def test_a_stored_file_is_read_whatever_its_meta_information_says_besides(tmp_path: Path) -> None:
    """A stray transfer syntax inside the dataset does not lead astray."""
    part10 = read_part10(pydicom_file("MR_small.dcm"))
    stray = b"\x02\0\x10\0UI\x12\x001.2.840.10008.1.2\0"
    path = tmp_path / "stray.dcm"
    meta = preamble_and_meta(part10.sop_class_uid, part10.sop_instance_uid, part10.transfer_syntax_uid)
    path.write_bytes(meta + stray + part10.dataset)
    assert read_pixels(path).values.shape == (1, 64, 64)
