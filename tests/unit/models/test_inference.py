"""A reader says what the bundle knows, and nothing about what it does not know."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.folder import BundleError, open_bundle
from models.bundle.manifest import AnomalyNormals
from models.inference.reader import Reader, assembled, load, placed


@pytest.fixture(scope="session")
def reader(tiny_bundle: Path) -> Reader:
    """Return a reader of the tiny bundle."""
    return load(tiny_bundle)


@pytest.fixture
def chests(draw_chest: Callable[..., np.ndarray]) -> dict[bool, np.ndarray]:
    """Return a chest that is ill and one that is not."""
    return {ill: draw_chest(np.random.default_rng(11), ill=ill) for ill in (True, False)}


def test_an_admitted_image_gets_a_probability_and_a_place_among_normals(
    reader: Reader, chests: dict[bool, np.ndarray]
) -> None:
    """All numbers are in their ranges, and the ill chest is the more probable one."""
    ill, well = (reader.read(chests[kind].astype(np.float32)) for kind in (True, False))
    for prediction in (ill, well):
        assert prediction.admitted
        assert 0 < prediction.admission_score <= prediction.admission_limit
        assert set(prediction.probabilities) == {"pneumonia"}
        assert 0 <= prediction.anomaly_percentile <= 100
        assert np.isfinite(prediction.anomaly_z)
    assert ill.probabilities["pneumonia"] > well.probabilities["pneumonia"]


def test_the_same_image_in_other_clothes_gets_the_same_answer(reader: Reader, chests: dict[bool, np.ndarray]) -> None:
    """Twelve bits, a window or inverted storage change nothing."""
    plain = chests[True].astype(np.float32)
    expected = reader.read(plain)
    clothes = [(plain * 16, (2048.0, 4096.0), False), (plain * 16 - 1024, None, False), (255 - plain, None, True)]
    for values, window, inverted in clothes:
        prediction = reader.read(values, window, inverted=inverted)
        assert prediction.probabilities["pneumonia"] == pytest.approx(expected.probabilities["pneumonia"], abs=1e-4)
        assert prediction.admission_score == pytest.approx(expected.admission_score, abs=1e-4)


@pytest.mark.parametrize("stranger", ["noise", "constant", "stripes"])
def test_a_stranger_gets_no_probability(reader: Reader, stranger: str) -> None:
    """What is not admitted is not judged."""
    values = {
        "noise": np.random.default_rng(0).normal(0, 300, (300, 200)),
        "constant": np.full((128, 128), -1000.0),
        "stripes": np.tile(np.sin(np.arange(256) / 4), (256, 1)),
    }[stranger]
    prediction = reader.read(values)
    assert not prediction.admitted
    assert prediction.admission_score > prediction.admission_limit
    assert prediction.probabilities == {}


def test_one_image_and_many_get_equal_answers(reader: Reader) -> None:
    """Evaluation in batches speaks for serving one by one."""
    size = reader.manifest.preprocessing.classifier
    images = np.random.default_rng(0).random((70, size, size, 1)).astype(np.float32)
    together = reader.probabilities(images)
    alone = np.concatenate([reader.probabilities(images[number : number + 1]) for number in (0, 33, 69)])
    np.testing.assert_allclose(together[[0, 33, 69]], alone, atol=1e-5)


def test_an_image_that_is_none_is_an_error(reader: Reader) -> None:
    """A stack of frames is handed in frame by frame."""
    with pytest.raises(ValueError, match="rows and columns"):
        reader.read(np.zeros((2, 64, 64), np.float32))


@pytest.mark.parametrize(
    ("score", "percentile"), [(-5.0, 0.0), (0.0, 0.0), (25.0, 25.0), (100.0, 100.0), (900.0, 100.0)]
)
def test_a_score_is_placed_among_the_normals(score: float, percentile: float) -> None:
    """Below all of them, between, above all of them."""
    normals = AnomalyNormals(8, 50.0, 10.0, tuple(float(number) for number in range(101)))
    assert placed(score, normals) == (pytest.approx((score - 50) / 10), pytest.approx(percentile))


def test_weights_of_another_architecture_are_refused_by_variable(tiny_bundle: Path) -> None:
    """A renamed, a missing and a reshaped variable each stop the loading."""
    bundle = open_bundle(tiny_bundle)
    weights = bundle.arrays["classifier"]
    for odd in (
        {**weights, "extra/kernel": np.zeros(1, np.float32)},
        {name: array for name, array in weights.items() if name != "head/kernel"},
        {**weights, "head/kernel": np.zeros((64, 1), np.float32)},
    ):
        with pytest.raises(BundleError, match=r"extra/kernel|head/kernel"):
            assembled(replace(bundle, arrays={**bundle.arrays, "classifier": odd}))


def test_admission_weights_of_other_features_are_refused(tiny_bundle: Path) -> None:
    """They are refused when the bundle is loaded, not when the first image comes."""
    bundle = open_bundle(tiny_bundle)
    known = bundle.arrays["admission"]
    for odd in ({**known, "mean": known["mean"][:-1]}, {**known, "components": known["components"].T}, {}):
        with pytest.raises(BundleError, match="admission weights"):
            assembled(replace(bundle, arrays={**bundle.arrays, "admission": odd}))


def test_reading_needs_no_scikit_learn(tiny_bundle: Path) -> None:
    """Serving works where what only training and evaluation need cannot be imported."""
    code = (
        "import sys, numpy\nsys.modules['sklearn'] = None\nfrom models.inference.reader import load\n"
        f"load({str(tiny_bundle)!r}).read(numpy.eye(64))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
