"""Calibration: what a refit mends, and how small its error can be at all."""

import numpy as np
import pytest

from models.evaluation import calibration
from models.evaluation.metrics import expected_calibration_error


def overconfident(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits three times too sure and shifted by one, shape (count, 1), and the labels they are wrong about."""
    random = np.random.default_rng(seed)
    honest = random.normal(0, 2, count)
    labels = (random.random(count) < 1 / (1 + np.exp(-honest))).astype(np.int64)
    return (3 * honest + 1)[:, None], labels


def test_a_fit_finds_the_slope_and_the_shift_that_were_put_in() -> None:
    """Three times too sure, one too high: a third, and minus a third."""
    logits, labels = overconfident(20_000)
    fitted = calibration.fit(logits, labels)
    assert fitted.slope == pytest.approx(1 / 3, abs=0.02)
    assert fitted.intercept == pytest.approx(-1 / 3, abs=0.05)


def test_labels_that_can_be_separated_do_not_make_the_slope_endless() -> None:
    """A hundred images without an overlap: surer, within reason."""
    logits = np.concatenate([np.linspace(-4, -1, 50), np.linspace(1, 4, 50)])
    fitted = calibration.fit(logits, np.repeat([0, 1], 50))
    assert 0 < fitted.slope < 20


def test_labels_of_one_kind_are_refused() -> None:
    """Nothing can be fitted to them."""
    with pytest.raises(ValueError, match="all 5 labels are the same"):
        calibration.fit(np.arange(5.0), np.ones(5, np.int64))


def test_of_several_classes_one_slope_is_fitted() -> None:
    """Logits four times too sure are brought back to a quarter."""
    random = np.random.default_rng(0)
    honest = random.normal(0, 1.5, (5000, 5))
    shares = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    labels = (shares.cumsum(1) > random.random((5000, 1))).argmax(1)
    fitted = calibration.fit(4 * honest, labels)
    assert fitted.slope == pytest.approx(0.25, abs=0.02)
    assert fitted.intercept == 0


def test_refitting_on_a_hundred_groups_brings_the_error_near_the_noise() -> None:
    """From far off to little above what a perfect model would show on as many images."""
    logits, labels = overconfident(400)
    groups = [str(number) for number in range(400)]
    before = expected_calibration_error(labels, 1 / (1 + np.exp(-logits[:, 0])))
    after = calibration.refitted(logits, labels, groups)
    assert after is not None
    assert after["ece"] < before / 2
    assert after["noise_floor"] < after["ece"] < after["noise_floor"] + 0.03
    assert after["scored"] == 300


def test_too_few_groups_are_not_refitted_on() -> None:
    """A hundred to fit on, and next to nothing to score."""
    logits, labels = overconfident(110)
    assert calibration.refitted(logits, labels, [str(number) for number in range(110)]) is None


def test_even_right_probabilities_show_an_error_on_few_images() -> None:
    """It shrinks as images come in, and is next to zero where everything is certain."""
    random = np.random.default_rng(0)
    few, many = (calibration.noise_floor(random.random(count)) for count in (100, 10_000))
    assert 0.05 < few < 0.2
    assert many < few / 5
    assert calibration.noise_floor(np.array([0.0, 1.0])) == 0
