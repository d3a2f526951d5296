"""Measures, on cases that can be worked out by hand or that scikit-learn has worked out."""

import numpy as np
import pytest
from sklearn import metrics as reference

from models.evaluation import metrics
from models.evaluation.bootstrap import drawn, interval, mean_interval

LABELS = np.array([0, 0, 0, 1, 1, 1], np.int64)
SCORES = np.array([0.1, 0.2, 0.7, 0.6, 0.8, 0.9])
ALONE = [str(number) for number in range(6)]


def test_sensitivity_and_specificity_stand_at_the_threshold() -> None:
    """A probability that equals the threshold counts as present."""
    measured = metrics.at_threshold(LABELS, SCORES, 0.7)
    assert measured["sensitivity"] == pytest.approx(2 / 3)
    assert measured["specificity"] == pytest.approx(2 / 3)
    assert measured["accuracy"] == pytest.approx(4 / 6)
    assert measured["threshold"] == 0.7


def test_the_rates_are_those_of_scikit_learn() -> None:
    """Precision, recall, F1, accuracy and balanced accuracy, of many random scores."""
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 300), random.random(300)
    found, measured = scores >= 0.4, metrics.at_threshold(labels, scores, 0.4)
    assert measured["precision"] == pytest.approx(reference.precision_score(labels, found))
    assert measured["recall"] == pytest.approx(reference.recall_score(labels, found))
    assert measured["f1"] == pytest.approx(reference.f1_score(labels, found))
    assert measured["accuracy"] == pytest.approx(reference.accuracy_score(labels, found))
    assert measured["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, found))


def test_a_rate_that_nothing_is_there_for_is_no_number() -> None:
    """Where nothing is called there is no precision, and JSON gets None."""
    assert metrics.at_threshold(LABELS, SCORES, 1.0)["precision"] is None


def test_auc_counts_the_pairs_in_order() -> None:
    """Eight of nine pairs are."""
    assert metrics.auc(LABELS, SCORES) == pytest.approx(8 / 9)


def test_the_weighted_auc_is_that_of_the_repeated_images() -> None:
    """Ties count half, as in the plain AUC; images that are not drawn do not count."""
    random = np.random.default_rng(2)
    labels = (random.random(60) < 0.4).astype(np.int64)
    scores = np.round(random.random(60), 1)
    times = random.integers(0, 3, (5, 60))
    repeated = [metrics.auc(np.repeat(labels, some), np.repeat(scores, some)) for some in times]
    assert metrics.weighted_auc(labels, scores, times.astype(np.float64)) == pytest.approx(repeated)


def test_the_interval_holds_the_auc_and_narrows_with_the_number_of_groups() -> None:
    """Images of one patient are drawn together: they count as less evidence than as many patients."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    scores = labels + random.normal(0, 1, 200)
    single = metrics.auc_interval(labels, scores, [str(number) for number in range(200)], draws=200)
    paired = metrics.auc_interval(
        np.repeat(labels, 4), np.repeat(scores, 4), [str(number // 4) for number in range(800)], draws=200
    )
    assert single[0] < metrics.auc(labels, scores) < single[1]
    assert paired[1] - paired[0] == pytest.approx(single[1] - single[0], rel=0.3)


def test_a_bootstrap_draws_all_images_of_a_group_together() -> None:
    """In every draw the images of one group count equally often, and as many groups are drawn as there are."""
    weights = np.concatenate(list(drawn(["a", "a", "b", "c", "c", "c"], 20)))
    assert weights.shape == (20, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3:] == weights[:, 3:4]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()


def test_a_value_that_no_draw_has_gets_no_interval() -> None:
    """What cannot be measured is left out instead of being called not a number."""
    assert interval(lambda weights: {"never": np.full(len(weights), np.nan)}, ALONE, draws=10) == {}


def test_the_interval_of_a_mean_is_the_one_of_its_standard_error() -> None:
    """Of 400 independent numbers, within a tenth."""
    values = np.random.default_rng(0).normal(1.0, 2.0, 400)
    low, high = mean_interval(values, [str(number) for number in range(400)])
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_balanced_threshold_separates_what_can_be_separated() -> None:
    """It lies between the two kinds where they do not overlap."""
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.9])
    assert 0.3 < metrics.balanced_threshold(labels, scores) < 0.6


def test_the_balanced_threshold_is_the_best_of_all() -> None:
    """No other threshold reaches a higher balanced accuracy."""
    random = np.random.default_rng(1)
    labels = (random.random(200) < 0.3).astype(np.int64)
    scores = random.random(200) * 0.5 + labels * 0.3
    best = metrics.at_threshold(labels, scores, metrics.balanced_threshold(labels, scores))
    others = [metrics.at_threshold(labels, scores, threshold) for threshold in np.linspace(0, 1, 301)]
    assert best["balanced_accuracy"] >= max(other["balanced_accuracy"] for other in others)


def test_of_several_kinds_the_worst_one_places_the_balanced_threshold() -> None:
    """What separates one kind at any place separates the other at few."""
    labels = np.array([0, 0, 1, 1])
    wide, low, high = (np.array(some) for some in ([0.1, 0.1, 0.9, 0.9], [0.1, 0.2, 0.4, 0.9], [0.1, 0.3, 0.8, 0.9]))
    assert 0.3 < metrics.balanced_threshold(labels, wide, low, high) < 0.4
    assert metrics.balanced_threshold(labels, wide) == pytest.approx(0.5)


def test_calibration_error_is_the_mean_distance_of_probability_and_frequency() -> None:
    """Four images at 0.85 of which half are positive: 0.35 off."""
    labels, scores = np.array([0, 1, 0, 1]), np.full(4, 0.85)
    assert metrics.expected_calibration_error(labels, scores) == pytest.approx(0.35)
    assert metrics.expected_calibration_error(np.ones(2, np.int64), np.ones(2)) == 0


def test_presence_gives_every_measure_with_an_interval_around_it() -> None:
    """And the counts of the confusion matrix, rows as they are, columns as they were called."""
    measured = metrics.presence(LABELS, SCORES, 0.65, ALONE)
    assert measured["confusion"] == [[2, 1], [1, 2]]
    assert measured["brier"] == pytest.approx(reference.brier_score_loss(LABELS, SCORES))
    assert "ece" not in measured["intervals"], "it is biased upward in every draw"
    for name, (low, high) in measured["intervals"].items():
        assert low <= measured[name] <= high, name
    assert {"auc", "accuracy", "precision", "recall", "f1", "sensitivity", "specificity", "brier"} <= set(
        measured["intervals"]
    )


def test_of_several_classes_accuracy_macro_auc_and_confusion_are_those_of_scikit_learn() -> None:
    """Of 200 random images of four classes."""
    random = np.random.default_rng(3)
    labels, probabilities = random.integers(0, 4, 200), random.dirichlet(np.ones(4), 200)
    measured = metrics.choice(labels, probabilities, [0.5] * 4, [str(number) for number in range(200)])
    called = probabilities.argmax(1)
    assert measured["accuracy"] == pytest.approx(reference.accuracy_score(labels, called))
    assert measured["macro_auc"] == pytest.approx(reference.roc_auc_score(labels, probabilities, multi_class="ovr"))
    assert measured["macro_f1"] == pytest.approx(reference.f1_score(labels, called, average="macro"))
    assert measured["confusion"] == reference.confusion_matrix(labels, called).tolist()
    assert measured["intervals"]["accuracy"][0] < measured["accuracy"] < measured["intervals"]["accuracy"][1]


def test_a_class_without_an_image_is_left_out_of_the_averages() -> None:
    """It keeps its empty row in the confusion matrix."""
    labels, probabilities = np.array([0, 1, 0, 1]), np.array([[0.9, 0.1, 0], [0.1, 0.9, 0]] * 2)
    measured = metrics.choice(labels, probabilities, [0.5] * 3, ["a", "b", "c", "d"])
    assert measured["macro_auc"] == measured["macro_recall"] == 1.0
    assert measured["confusion"] == [[2, 0, 0], [0, 2, 0], [0, 0, 0]]


def test_to_be_right_every_time_is_no_certainty() -> None:
    """Five of five patients found: the sensitivity could be 0.48 all the same."""
    labels, scores = np.repeat([0, 1], 5), np.repeat([0.1, 0.9], 5)
    low, high = metrics.presence(labels, scores, 0.5, [str(number) for number in range(10)])["intervals"]["sensitivity"]
    assert (round(low, 2), high) == (0.48, 1.0)


def test_draws_that_agree_on_a_share_between_are_no_certainty_either() -> None:
    """One of two images found in every patient, of one patient alone: no interval instead of one from 0."""
    labels, scores = np.array([1, 1, 0, 0]), np.array([0.9, 0.1, 0.2, 0.3])
    measured = metrics.presence(labels, scores, 0.5, ["a"] * 4)
    assert measured["sensitivity"] == 0.5
    assert "sensitivity" not in measured["intervals"]
    assert all(low < high for low, high in measured["intervals"].values())


def test_several_classes_are_measured_as_they_are_served_too() -> None:
    """The likeliest class is right three times of four, but one image calls none and another one calls two."""
    labels = np.array([0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.3, 0.4], [0.6, 0.7], [0.1, 0.8]])
    measured = metrics.choice(labels, probabilities, [0.5, 0.5], ["a", "b", "c", "d"])
    assert measured["accuracy"] == 0.75
    assert measured["accuracy_at_thresholds"] == 0.25
    assert measured["none_called"] == 0.25


def test_a_label_for_none_of_the_classes_is_right_where_none_is_called() -> None:
    """It is no class of which the likeliest could be right, and counts against each class in the AUC."""
    labels, probabilities = np.array([0, 1, 2, 2]), np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.2], [0.7, 0.2]])
    measured = metrics.choice(labels, probabilities, [0.5, 0.5], ["a", "b", "c", "d"])
    assert (measured["accuracy"], measured["accuracy_at_thresholds"], measured["none_called"]) == (1.0, 0.75, 0.25)
    assert measured["confusion"] == [[1, 0], [0, 1]]
    assert measured["macro_auc"] == 1.0
