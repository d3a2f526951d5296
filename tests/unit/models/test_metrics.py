"""Measures, on cases that can be worked out by hand."""

import numpy as np
import pytest

from models.evaluation import metrics

LABELS = np.array([0, 0, 0, 1, 1, 1], np.float32)
SCORES = np.array([0.1, 0.2, 0.7, 0.6, 0.8, 0.9])


def test_sensitivity_and_specificity_stand_at_the_threshold() -> None:
    """A probability that equals the threshold counts as present."""
    measured = metrics.at_threshold(LABELS, SCORES, 0.7)
    assert measured["sensitivity"] == pytest.approx(2 / 3)
    assert measured["specificity"] == pytest.approx(2 / 3)
    assert measured["accuracy"] == pytest.approx(4 / 6)
    assert measured["threshold"] == 0.7


def test_auc_counts_the_pairs_in_order() -> None:
    """Eight of nine pairs are."""
    assert metrics.auc(LABELS, SCORES) == pytest.approx(8 / 9)


def test_the_interval_holds_the_auc_and_narrows_with_the_number_of_groups() -> None:
    """Images of one patient are drawn together: they count as less evidence than as many patients."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100).astype(np.float32)
    scores = labels + random.normal(0, 1, 200)
    single = metrics.auc_interval(labels, scores, [str(number) for number in range(200)], draws=200)
    paired = metrics.auc_interval(
        np.repeat(labels, 4), np.repeat(scores, 4), [str(number // 4) for number in range(800)], draws=200
    )
    assert single[0] < metrics.auc(labels, scores) < single[1]
    assert paired[1] - paired[0] == pytest.approx(single[1] - single[0], rel=0.3)


def test_the_balanced_threshold_separates_what_can_be_separated() -> None:
    """It lies between the two kinds where they do not overlap."""
    labels, scores = np.array([0, 0, 1, 1], np.float32), np.array([0.1, 0.3, 0.6, 0.9])
    assert 0.3 < metrics.balanced_threshold(labels, scores) < 0.6


def test_the_balanced_threshold_is_the_best_of_all() -> None:
    """No other threshold reaches a higher balanced accuracy."""
    random = np.random.default_rng(1)
    labels = (random.random(200) < 0.3).astype(np.float32)
    scores = random.random(200) * 0.5 + labels * 0.3
    best = metrics.at_threshold(labels, scores, metrics.balanced_threshold(labels, scores))
    others = [metrics.at_threshold(labels, scores, threshold) for threshold in np.linspace(0, 1, 301)]
    assert best["balanced_accuracy"] >= max(other["balanced_accuracy"] for other in others)


def test_calibration_error_is_the_mean_distance_of_probability_and_frequency() -> None:
    """Four images at 0.85 of which half are positive: 0.35 off."""
    labels, scores = np.array([0, 1, 0, 1], np.float32), np.full(4, 0.85)
    assert metrics.expected_calibration_error(labels, scores) == pytest.approx(0.35)
    assert metrics.expected_calibration_error(np.ones(2, np.float32), np.ones(2)) == 0


def test_the_weighted_auc_is_that_of_the_repeated_images() -> None:
    """Ties count half, as in the plain AUC; images that are not drawn do not count."""
    random = np.random.default_rng(2)
    labels = (random.random(60) < 0.4).astype(np.float32)
    scores = np.round(random.random(60), 1)
    times = random.integers(0, 3, 60)
    repeated = metrics.auc(np.repeat(labels, times), np.repeat(scores, times))
    assert metrics.weighted_auc(labels, scores, times) == pytest.approx(repeated)
