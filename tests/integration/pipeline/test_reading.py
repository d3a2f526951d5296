"""One image read by the shipped model, as the child process does it."""

from pathlib import Path

import numpy as np
import pytest

from node.dicom.wrap import wrap_as_dx
from node.domain.errors import Permanent
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.catalogue import bundle_path
from node.pipeline.reading import OUTSIDE_LIMITS, read_file
from tests.support.house import SUBJECT
from tests.support.images import chest_radiographs, sample_file

STARTER = bundle_path("starter")
UID = SOPInstanceUID("1.2.3.1.1")


def _written(folder: Path, pixels: np.ndarray) -> Path:
    path = folder / "image.dcm"
    path.write_bytes(wrap_as_dx(pixels, SUBJECT))
    return path


@pytest.mark.data
def test_a_chest_radiograph_gets_a_probability_and_an_anomaly_score(tmp_path: Path) -> None:
    """For the class that the bundle names, with the stored operating point."""
    (chest,) = chest_radiographs(1)
    reading = read_file(_written(tmp_path, chest.pixels), UID, STARTER)
    assert reading.admission.admitted
    (finding,) = reading.findings
    assert finding.finding.value == "233604007"
    assert 0 <= finding.probability <= 1
    assert 0 < finding.threshold < 1
    assert reading.anomaly is not None
    assert 0 <= reading.anomaly.percentile <= 100


def test_noise_posing_as_a_chest_is_refused_with_a_coded_reason(tmp_path: Path) -> None:
    """And gets no probability."""
    noise = np.random.default_rng(1).integers(0, 4096, (200, 200)).astype(np.uint16)
    reading = read_file(_written(tmp_path, noise), UID, STARTER)
    assert not reading.admission.admitted
    assert reading.admission.reason == OUTSIDE_LIMITS
    assert reading.admission.score > reading.admission.limit
    assert reading.findings == ()
    assert reading.anomaly is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("MR_truncated.dcm", "cannot be decoded"), ("rtdose.dcm", "15 frames"), ("badVR.dcm", "")],
)
def test_what_cannot_be_decoded_or_has_many_frames_is_not_read(name: str, sentence: str) -> None:
    """The reason stands in the report."""
    reading = read_file(sample_file(name), UID, STARTER)
    assert not reading.admission.admitted
    assert sentence in reading.admission.sentence


def test_a_bundle_that_is_not_there_is_permanent(tmp_path: Path) -> None:
    """Trying again would not help."""
    path = _written(tmp_path, np.zeros((8, 8), np.uint8))
    with pytest.raises(Permanent, match="nothing"):
        read_file(path, UID, tmp_path / "nothing")
