"""Pixels wrapped as a chest radiograph."""

from pathlib import Path

import numpy as np
import pytest

from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import part10_of
from node.dicom.pixels.modality_values import read_pixels
from node.dicom.samples.wrap import Subject, wrap_as_dx

_SUBJECT = Subject("P-1", "Doe^Jane", "1.2.1", "1.2.2", "1.2.3", patient_age="003Y")


@pytest.mark.parametrize(("dtype", "shape"), [(np.uint8, (5, 3)), (np.uint16, (7, 4)), (np.dtype(">u2"), (2, 3))])
@pytest.mark.parametrize("inverted", [True, False])
def test_pixels_come_back_as_they_went_in(tmp_path: Path, dtype: type, shape: tuple[int, int], inverted: bool) -> None:  # noqa: FBT001
    """Bit for bit, with their window and polarity."""
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype) * 5
    path = tmp_path / "image.dcm"
    path.write_bytes(wrap_as_dx(pixels, _SUBJECT, window=(30.0, 12.5), inverted=inverted))
    read = read_pixels(path)
    np.testing.assert_array_equal(read.values, pixels[np.newaxis].astype(np.float32))
    assert (read.window, read.inverted) == ((30.0, 12.5), inverted)


def test_the_header_is_what_a_chest_rule_reads() -> None:
    """Modality, body part, intent and age."""
    part10 = part10_of(wrap_as_dx(np.zeros((4, 6), np.uint8), _SUBJECT))
    header = inspect(part10.dataset, part10.transfer_syntax_uid)
    assert (header.modality, header.body_part_examined, header.patient_age) == ("DX", "CHEST", "003Y")
    assert (header.presentation_intent, header.rows, header.columns) == ("FOR PRESENTATION", 4, 6)
    assert (part10.sop_instance_uid, header.sop_instance_uid, header.has_pixels) == ("1.2.3", "1.2.3", True)


@pytest.mark.parametrize(
    ("name", "character_set"),
    [("王^小东", ""), ("王^小东", "GB18030"), ("Müller^Jörg", "ISO_IR 100"), ("Doe^Jane", "")],
)
def test_names_are_written_in_their_character_set(name: str, character_set: str) -> None:
    """And read back by the header."""
    subject = Subject("P-1", name, "1.2.1", "1.2.2", "1.2.3", character_set=character_set)
    part10 = part10_of(wrap_as_dx(np.zeros((2, 2), np.uint8), subject))
    assert inspect(part10.dataset, part10.transfer_syntax_uid).patient_name == name


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 3), np.uint8), np.zeros((0, 2), np.uint8)]
)
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    """A grey image of at least a pixel is asked for."""
    with pytest.raises(ValueError, match="uint8 or uint16"):
        wrap_as_dx(pixels, _SUBJECT)


def test_the_same_arguments_give_the_same_bytes() -> None:
    """Nothing is drawn at random."""
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert wrap_as_dx(pixels, _SUBJECT) == wrap_as_dx(pixels, _SUBJECT)
