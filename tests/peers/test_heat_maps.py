"""What the validators say of heat maps: of images in every character set, and of odd ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from node.dicom.part10 import preamble_and_meta
from node.domain.heat_map import SECONDARY_CAPTURE
from tests.support.validators import dciodvfy
from tests.unit.dicom.studies import IMPLICIT_VR_LITTLE_ENDIAN, NAMES, Study, study_of
from tests.unit.dicom.test_heat_map import built, hot_at, parsed

pytestmark = pytest.mark.peers


def _heat_map(study: Study, folder: Path) -> Path:
    encoded = built(study, hot_at(2, 5))
    path = folder / "heat-map.dcm"
    uid = parsed(encoded).SOPInstanceUID
    path.write_bytes(preamble_and_meta(SECONDARY_CAPTURE, uid, IMPLICIT_VR_LITTLE_ENDIAN) + encoded)
    return path


@pytest.mark.parametrize("character_set", NAMES)
def test_a_heat_map_is_a_valid_secondary_capture(tmp_path: Path, character_set: str) -> None:
    """Without one error, whoever's image it is."""
    assert dciodvfy(_heat_map(study_of(tmp_path, "positive", character_set), tmp_path), "SCImage") == []


def _of_no_body_part(dataset: Dataset) -> None:
    for keyword in ("BodyPartExamined", "PatientOrientation", "ImageLaterality", "AnatomicRegionSequence"):
        dataset.pop(keyword, None)


def _of_a_chest_alone(dataset: Dataset) -> None:
    dataset.pop("ImageLaterality", None)


def _of_a_left_hand(dataset: Dataset) -> None:
    dataset.pop("ImageLaterality", None)
    dataset.BodyPartExamined, dataset.Laterality = "HAND", "L"


def _of_a_limb(dataset: Dataset) -> None:
    dataset.BodyPartExamined, dataset.Laterality = "HAND", "L"


def _broken(dataset: Dataset) -> None:
    dataset.BodyPartExamined, dataset.PatientOrientation, dataset.Laterality = "chest!", ["L", "F", "x"], "LEFT"


def _lossy(dataset: Dataset) -> None:
    dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "12.5"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"


def _of_one_row(dataset: Dataset) -> None:
    dataset.Rows, dataset.Columns = 1, 40 * 30


ODD = [_of_no_body_part, _of_a_chest_alone, _of_a_left_hand, _of_a_limb, _broken, _lossy, _of_one_row]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("change", ODD)
def test_a_heat_map_of_an_odd_image_is_valid(tmp_path: Path, change: Callable[[Dataset], None]) -> None:
    """What is broken in the source is left out, and what is required is there."""
    study = study_of(tmp_path, "positive")
    dataset = dcmread(study.sources[0])
    change(dataset)
    dataset.save_as(study.sources[0])

    assert dciodvfy(_heat_map(study, tmp_path), "SCImage") == []
