"""Heat maps as others see them: validators, of images in every character set and odd ones, and a PACS."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from node.dicom.instance.part10 import preamble_and_meta
from node.domain.chosen_heat_maps import SECONDARY_CAPTURE
from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer, serving
from tests.support.objects.heat_maps import built, hot_at, parsed
from tests.support.objects.images import chest_radiographs, write_as_dx
from tests.support.objects.studies import IMPLICIT_VR_LITTLE_ENDIAN, NAMES, Study, study_of
from tests.support.programs.orthanc import orthanc
from tests.support.programs.validators import dciodvfy
from tests.support.waiting import wait_until

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


@pytest.mark.data
@pytest.mark.timeout(300)
def test_heat_maps_reach_a_pacs_and_are_never_read_when_they_come_back(tmp_path: Path) -> None:
    """Of the first flagged radiograph, from the image to the PACS through the running node, and back."""
    images = write_as_dx(chest_radiographs(2), tmp_path / "images")
    with contextlib.ExitStack() as stack:
        pacs = stack.enter_context(orthanc(tmp_path / "orthanc"))
        peer = Peer("pacs", pacs.ae_title, pacs.port, may_send=True, gets_reports=True, beside=("heatmap",))
        node = stack.enter_context(serving(NodeFolder(tmp_path / "node", [peer], quiet_period_s=1.0)))
        pacs.knows("NODE", AE_TITLE, node.port)
        sent = pacs.sends("NODE", [pacs.keeps(image) for image in images])
        assert sent["FailedInstancesCount"] == 0
        wait_until(lambda: pacs.find(Modality="OT"), 120, "a heat map at the PACS")
        node.home.wait_settled(90)
        came = pacs.find(Modality="OT")
        assert pacs.sends("NODE", came)["FailedInstancesCount"] == 0
        node.home.wait_settled(90)
        flagged = [study for study in node.home.listing("studies") if study["outcomes"]["starter"] == "positive"]
        (study,) = node.home.listing("studies", flagged[0]["study_instance_uid"])

        assert [row["kind"] for row in study["objects"]].count("own") == len(came)
        assert [job["kind"] for job in study["jobs"]].count("read") == 1
        assert len(study["analyses"]) == 1
        for number, identifier in enumerate(came):
            path = tmp_path / f"{number}.dcm"
            path.write_bytes(pacs.get_bytes(f"/instances/{identifier}/file"))
            assert dciodvfy(path, "SCImage") == []
