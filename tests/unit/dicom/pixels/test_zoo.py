"""125 real files: every one is decoded as its list says, or refused with a reason."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian

from node.dicom.instance.part10 import NotPart10, dataset_of
from node.dicom.pixels.modality_values import PixelsUnreadable, read_pixels
from node.dicom.pixels.stored_values import opened, stored_values

_MOST = 1 << 30
_FILES = 125
_BIG_ENDIAN = re.compile(r">[iu]\d")
_REFUSED = {
    "liver_deflate.dcm": "no decoder",  # of a transfer syntax that pydicom does not know yet
    "liver_rle.dcm": "no decoder",  # single bits under RLE
    "JPEG2000-embedded-sequence-delimiter.dcm": "compressed frame has the size",
    "MR_truncated.dcm": "truncated",
    "badVR.dcm": "do not fit",
}
_DECODED_NEVERTHELESS = {"OT-PAL-8-face.dcm", "JPEG-lossy.dcm"}  # their correctness is shown below

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def files(public_data: Path) -> Path:
    """Return the folder of the files."""
    return public_data / "dicom_zoo" / "files"


@pytest.fixture(scope="module")
def rows(public_data: Path) -> list[dict[str, str]]:
    """Return the list."""
    with (public_data / "dicom_zoo" / "zoo.csv").open(encoding="utf-8") as listing:
        return list(csv.DictReader(listing))


def _stored(path: Path) -> np.ndarray:
    values, _ = stored_values(opened(path.read_bytes(), _MOST), _MOST)
    return values


def _native(kind: re.Match[str]) -> str:
    return str(np.dtype(kind[0]).newbyteorder("="))


def _described(values: np.ndarray) -> str:
    """Return shape, type and sum as the list gives them: of floats, the whole part; in this machine's byte order."""
    total = int(values.sum(dtype=np.float64 if values.dtype.kind == "f" else np.int64))
    kind = values.dtype.newbyteorder("=")
    return f"{tuple(values.shape)}/{kind}/sum={total}"


def test_every_decodable_file_gives_the_listed_shape_type_and_sum(rows: list[dict[str, str]], files: Path) -> None:
    """Of its stored values; and its pixels are read."""
    decodable = [row for row in rows if row["decode"] and not row["decode"].startswith("FAIL")]
    wrong = {}
    for row in decodable:
        path, expected = files / row["file"], _BIG_ENDIAN.sub(_native, row["decode"])
        found = _described(_stored(path))
        if found != expected:
            wrong[row["file"]] = (found, expected)
        _check_reading(path)
    # A lossy JPEG of 12 bits: the inverse transform in float64, exactly rounded, sums up to 3766786, GDCM differs from
    # it by one in 1683 of the 262144 pixels, and the decoder that wrote the list is 3641 away from it.
    assert wrong == {
        "JPGExtended.dcm": ("(1024, 256)/uint16/sum=3767007", "(1024, 256)/uint16/sum=3770427"),
    }


def _check_reading(path: Path) -> None:
    read, dataset = read_pixels(path), opened(path.read_bytes(), _MOST)
    frames = int(dataset.get("NumberOfFrames") or 1)
    assert read.values.shape == (frames, dataset.Rows, dataset.Columns), path.name
    assert read.values.dtype == np.float32
    assert np.isfinite(read.values).all()


def test_every_other_file_is_refused_with_a_reason_or_decoded_rightly(rows: list[dict[str, str]], files: Path) -> None:
    """The seven that the list calls undecodable, and the objects without pixels; no file is left out."""
    assert len(rows) == _FILES
    reasons = {}
    for row in rows:
        if not row["decode"] or row["decode"].startswith("FAIL"):
            try:
                read_pixels(files / row["file"])
            except PixelsUnreadable as reason:
                reasons[row["file"]] = str(reason)
            else:
                assert row["file"] in _DECODED_NEVERTHELESS
    undecodable = {row["file"] for row in rows if row["decode"].startswith("FAIL")}
    assert undecodable == _REFUSED.keys() | _DECODED_NEVERTHELESS
    for name, reason in reasons.items():
        assert _REFUSED.get(name, reason) in reason
        assert name in _REFUSED or re.search("no pixel data|cannot be parsed|0 rows", reason)


def test_a_palette_image_without_meta_information_is_what_it_says(files: Path) -> None:
    """Its indices are the plain bytes of its pixel data."""
    path = files / "OT-PAL-8-face.dcm"
    assert dataset_of(path.read_bytes())[0] == ImplicitVRLittleEndian
    dataset = dcmread(path, force=True)
    np.testing.assert_array_equal(_stored(path).ravel(), np.frombuffer(dataset.PixelData, np.uint8))


def test_a_jpeg_with_an_odd_scan_header_gives_the_picture_of_its_twin(files: Path) -> None:
    """The same frame with the scan parameters of the Standard decodes into the same values."""
    np.testing.assert_array_equal(_stored(files / "JPEG-lossy.dcm"), _stored(files / "JPGExtended.dcm"))


def test_a_file_that_nothing_names_is_refused_when_its_bytes_do_not_tell(files: Path) -> None:
    """A stray byte before the dataset."""
    with pytest.raises(NotPart10, match="do not tell"):
        dataset_of((files / "no_meta.dcm").read_bytes())
