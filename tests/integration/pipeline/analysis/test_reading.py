"""One image read by the shipped model, as the child process does it."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.folder import open_bundle, write_bundle
from node.dicom.samples.wrap import wrap_as_dx
from node.domain.errors import Permanent
from node.domain.finding import Admission, Cause, Reading
from node.domain.identifiers import SOPInstanceUID
from node.pipeline.analysis.read_in_child import BY_RULE_ALONE, OUTSIDE_LIMITS, StoredImage, read_images
from node.pipeline.registry.catalogue import bundle_path
from tests.support.houses.house import SUBJECT
from tests.support.nodes.process import CHECKOUT
from tests.support.objects.images import chest_radiographs, sample_file

STARTER = bundle_path("starter")
UID = SOPInstanceUID("1.2.3.1.1")


def _read(path: Path, bundle: Path = STARTER) -> Reading:
    (reading,) = read_images([StoredImage(path, UID)], bundle)
    return reading


def _written(folder: Path, pixels: np.ndarray) -> Path:
    path = folder / "image.dcm"
    path.write_bytes(wrap_as_dx(pixels, SUBJECT))
    return path


@pytest.mark.data
def test_a_chest_radiograph_gets_a_probability_and_an_anomaly_score(tmp_path: Path) -> None:
    """For the class that the bundle names, with the stored operating point."""
    (chest,) = chest_radiographs(1)
    reading = _read(_written(tmp_path, chest.pixels))
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
    reading = _read(_written(tmp_path, noise))
    assert not reading.admission.admitted
    assert reading.admission.reason == OUTSIDE_LIMITS
    assert reading.admission.score is not None
    assert reading.admission.limit is not None
    assert reading.admission.score > reading.admission.limit
    assert reading.findings == ()
    assert reading.anomaly is None


@pytest.mark.filterwarnings("ignore:Invalid value for VR IS")  # of the sample itself
@pytest.mark.parametrize(
    ("name", "sentence", "cause"),
    [
        ("MR_truncated.dcm", "cannot be decoded", Cause.UNDECODABLE),
        ("rtdose.dcm", "15 frames", Cause.TOO_MANY_FRAMES),
        ("badVR.dcm", "", Cause.UNDECODABLE),
    ],
)
def test_what_cannot_be_decoded_or_has_many_frames_is_not_read(name: str, sentence: str, cause: Cause) -> None:
    """The sentence is for operators; the report says the cause in the language of its reader."""
    reading = _read(sample_file(name))
    assert not reading.admission.admitted
    assert sentence in reading.admission.sentence
    assert reading.admission.cause is cause


@pytest.mark.parametrize("shape", [(1, 96), (96, 15), (400, 30)], ids=["a line", "a strip", "thirteen times as long"])
def test_an_image_that_shows_too_little_is_refused_before_any_network_sees_it(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    """A line that is stretched to a square can look like anything."""
    pixels = np.tile(np.linspace(0, 255, shape[1]).astype(np.uint8), (shape[0], 1))
    reading = _read(_written(tmp_path, pixels))
    assert not reading.admission.admitted
    assert (reading.admission.reason, reading.admission.cause) == (OUTSIDE_LIMITS, Cause.OUTSIDE_LIMITS)
    assert f"{shape[0]} x {shape[1]} pixels" in reading.admission.sentence


def test_a_model_without_an_admission_score_reads_by_the_rule_alone(tmp_path: Path) -> None:
    """And says so; it places nothing among normals that it does not know."""
    bundle = Path(shutil.copytree(STARTER, tmp_path / "bare"))
    write_bundle(bundle, replace(open_bundle(bundle).manifest, admission=None, anomaly=None))
    noise = np.random.default_rng(1).integers(0, 4096, (200, 200)).astype(np.uint16)
    reading = _read(_written(tmp_path, noise), bundle)
    assert reading.admission == Admission(admitted=True, sentence=BY_RULE_ALONE)
    assert len(reading.findings) == 1
    assert reading.anomaly is None


def _without_training_libraries(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process, and in its children, where TensorFlow, Keras and scikit-learn cannot be imported."""
    for name in ("tensorflow", "keras", "sklearn"):
        (folder / "blocked" / name).mkdir(parents=True)
        (folder / "blocked" / name / "__init__.py").write_text(
            f"raise ImportError('{name} was imported')", encoding="utf-8"
        )
    # the checkout comes first, as it does for `python -m node`
    paths = os.pathsep.join([str(folder / "blocked"), str(CHECKOUT)])
    environment = os.environ | {"PYTHONPATH": paths}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_the_node_and_its_reading_child_start_where_tensorflow_cannot_be_imported(tmp_path: Path) -> None:
    """As `serve` starts them: its modules in the parent, the bundle warmed and a file read in the child."""
    file = _written(tmp_path, np.random.default_rng(1).integers(0, 4096, (200, 200)).astype(np.uint16))
    done = _without_training_libraries(
        tmp_path,
        "import sys\nfrom pathlib import Path\nimport node.app, node.cli.main\n"
        "from node.pipeline.registry.catalogue import identity_of, opened\n"
        "from node.pipeline.analysis.read_in_child import StoredImage, read_images, warm\n"
        "from node.runtime.child import Child\n"
        f"identity_of('starter', opened('starter'))\nchild, bundle = Child(60.0), Path({str(STARTER)!r})\n"
        f"child.call(warm, bundle)\n"
        f"(reading,) = child.call(read_images, [StoredImage(Path({str(file)!r}), '1')], bundle)\n"
        "child.stop()\nassert not reading.admission.admitted and reading.admission.reason, reading\n"
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\n",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.data
def test_a_chest_radiograph_is_read_where_tensorflow_cannot_be_imported(tmp_path: Path) -> None:
    """Every part of the shipped bundle answers."""
    (chest,) = chest_radiographs(1)
    done = _without_training_libraries(
        tmp_path,
        "from pathlib import Path\nfrom node.pipeline.analysis.read_in_child import StoredImage, read_images\n"
        f"image = StoredImage(Path({str(_written(tmp_path, chest.pixels))!r}), '1')\n"
        f"(reading,) = read_images([image], Path({str(STARTER)!r}))\n"
        "assert reading.admission.admitted and reading.findings and reading.anomaly, reading\n",
    )
    assert done.returncode == 0, done.stderr


def test_a_bundle_that_is_not_there_is_permanent(tmp_path: Path) -> None:
    """Trying again would not help."""
    path = _written(tmp_path, np.zeros((8, 8), np.uint8))
    with pytest.raises(Permanent, match="nothing"):
        _read(path, tmp_path / "nothing")
