"""Studies of nobody: marked as such, valid, and the same for the same seed."""

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from models.images.preprocess import network_input
from models.inference.generator import load_generator
from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import read_part10
from node.dicom.pixels.modality_values import read_pixels
from node.dicom.samples.synthetic_study import Origin, synthetic_study
from node.domain.errors import OperatorError
from node.domain.rule import Rule, turned_away
from node.pipeline.registry.synthesise import MAXIMUM_COUNT, synthesise
from tests.support.models.generators import SIZE, write_generator

ORIGIN = Origin("clouds", "1", "ab" * 32, "20260102", "made up (no licence)", "pneumonia", 7, 1)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small generator."""
    return write_generator(tmp_path_factory.mktemp("generator") / "clouds")


def _quiet(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _study(**changed: object) -> Dataset:
    image = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    known = {name: getattr(ORIGIN, name) for name in ORIGIN.__slots__} | changed
    return dcmread(BytesIO(synthetic_study(image, Origin(**known))))  # type: ignore[arg-type]


def test_a_study_says_wherever_one_may_look_that_it_is_synthetic() -> None:
    """In the element that exists for it, the name, the Patient ID, the descriptions and the comments."""
    study = _study()
    assert study.SyntheticData == "YES"
    assert study.PatientName == "SYNTHETIC^NO PATIENT"
    assert study.PatientID.startswith("SYNTHETIC-")
    for keyword in ("StudyDescription", "SeriesDescription", "ImageComments", "DerivationDescription"):
        assert study[keyword].value.startswith("SYNTHETIC"), keyword
    assert "no patient" in study.ImageComments
    assert "label pneumonia, seed 7, number 1".casefold() in study.ImageComments.casefold()
    assert ORIGIN.digest in study.ImageComments


def test_every_study_is_of_another_nobody() -> None:
    """No two share a patient, a study or an object; and the same origin gives the same bytes."""
    seen = [_study(number=number, seed=seed, label=label) for number in (1, 2) for seed in (7, 8) for label in "ab"]
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert len({str(study[keyword].value) for study in seen}) == len(seen), keyword
    assert _study().to_json() == _study().to_json()


def test_the_rule_of_the_starter_covers_it(generator: Path, tmp_path: Path) -> None:
    """A frontal chest radiograph of a child, by its header."""
    (path,) = synthesise("normal", 1, tmp_path / "out", 1, _quiet, generator)
    part10 = read_part10(path)
    header = inspect(part10.dataset, part10.transfer_syntax_uid)
    assert header.synthetic
    assert turned_away(Rule(age_years=(1, 5)), header, "ANY") is None


def test_its_pixels_are_the_painted_image(generator: Path, tmp_path: Path) -> None:
    """As a network sees them: rounding takes nothing away."""
    (path,) = synthesise("pneumonia", 1, tmp_path / "out", 3, _quiet, generator)
    painted = load_generator(generator).images("pneumonia", 1, 3)[0]
    read = read_pixels(path)
    seen = network_input(read.values[0], read.window, read.inverted, SIZE)
    np.testing.assert_allclose(seen, network_input(painted, None, False, SIZE), atol=1e-3)


def test_the_same_seed_writes_the_same_studies_and_fewer_are_the_first_ones(generator: Path, tmp_path: Path) -> None:
    """Byte for byte."""
    three = synthesise("normal", 3, tmp_path / "three", 5, _quiet, generator)
    two = synthesise("normal", 2, tmp_path / "two", 5, _quiet, generator)
    other = synthesise("normal", 1, tmp_path / "other", 6, _quiet, generator)
    assert [path.name for path in three] == ["normal-5-0001.dcm", "normal-5-0002.dcm", "normal-5-0003.dcm"]
    assert [path.read_bytes() for path in two] == [path.read_bytes() for path in three[:2]]
    assert other[0].read_bytes() != three[0].read_bytes()


def test_progress_is_told_study_by_study(generator: Path, tmp_path: Path) -> None:
    """For a bar."""
    told: list[tuple[str, int, int]] = []
    synthesise("normal", 2, tmp_path / "out", 5, lambda *progress: told.append(progress), generator)
    assert told == [("painting normal", 1, 2), ("painting normal", 2, 2)]


def test_an_unknown_label_is_refused_with_those_that_there_are(generator: Path, tmp_path: Path) -> None:
    """And no folder is made."""
    with pytest.raises(OperatorError, match="paints normal, pneumonia") as refusal:
        synthesise("fracture", 1, tmp_path / "out", 1, _quiet, generator)
    assert refusal.value.exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("count", "seed"), [(0, 1), (-1, 1), (MAXIMUM_COUNT + 1, 1), (1, -1), (1, 99_999_999_999)])
def test_numbers_that_make_no_sense_are_refused(generator: Path, tmp_path: Path, count: int, seed: int) -> None:
    """Before anything is painted."""
    with pytest.raises(OperatorError, match=f"not {count} and {seed}") as refusal:
        synthesise("normal", count, tmp_path / "out", seed, _quiet, generator)
    assert refusal.value.exit_code == 2


def test_a_folder_that_holds_something_is_not_written_to(generator: Path, tmp_path: Path) -> None:
    """Nor a file that stands in its place."""
    (tmp_path / "kept").write_text("kept", encoding="utf-8")
    for out in (tmp_path, tmp_path / "kept"):
        with pytest.raises(OperatorError, match="not an empty folder"):
            synthesise("normal", 1, out, 1, _quiet, generator)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_generator_that_was_changed_is_refused(generator: Path, tmp_path: Path) -> None:
    """By the name of the file."""
    shutil.copytree(generator, tmp_path / "changed")
    with (tmp_path / "changed" / "generator.tflite").open("ab") as network:
        network.write(b"\0")
    with pytest.raises(OperatorError, match=r"generator\.tflite has changed"):
        synthesise("normal", 1, tmp_path / "out", 1, _quiet, tmp_path / "changed")


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2, 1)), np.zeros((0, 4)), np.full((2, 2), 1.5), np.full((2, 2), np.nan)]
)
def test_what_is_no_painted_image_is_refused(image: np.ndarray) -> None:
    """Values beyond the range would wrap round."""
    with pytest.raises(ValueError, match="synthetic image"):
        synthetic_study(image.astype(np.float32), ORIGIN)
