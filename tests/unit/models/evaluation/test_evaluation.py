"""Evaluation of bundles: subgroups, the deletion test, the shortcut, the log, and all of it on a trained bundle."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle.folder import open_bundle
from models.data.labelled import DataError, InMemory, LabelledImages
from models.evaluation import deletion
from models.evaluation.log import log_use, use_of
from models.evaluation.shortcut import blur, sharpness
from models.evaluation.subgroups import by_subgroup
from tests.support.models.evaluations import read_log

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SQUARE = ((8.0, 8.0), (16.0, 8.0), (16.0, 16.0), (8.0, 16.0), (8.0, 8.0))


def brightness_of_a_corner(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Score images by what stands where `SQUARE` is, and by nothing else."""
    return images[:, 8:16, 8:16, 0].mean((1, 2)).astype(np.float64)


@pytest.fixture
def spots() -> NDArray[np.float32]:
    """Return 12 noisy images with a bright spot inside of `SQUARE`."""
    images = np.random.default_rng(0).uniform(0.0, 0.3, (12, 32, 32, 1)).astype(np.float32)
    images[:, 9:15, 9:15] += 0.6
    return images


@pytest.mark.parametrize("remove", [deletion.painted_over, deletion.from_other_side])
def test_a_map_that_points_at_the_reason_costs_more_than_a_random_one(
    spots: NDArray[np.float32], remove: deletion.Remove
) -> None:
    """Without the spot the score falls in every image; without another place it hardly does."""
    groups = [str(number) for number in range(12)]
    measured = deletion.deletion_test(brightness_of_a_corner, spots, [SQUARE] * 12, groups, remove)
    assert measured is not None
    assert measured["n"] == 12
    assert measured["region"] > 0.25 > measured["random"]
    assert measured["above_random"] == 1.0
    assert measured["over_random_interval"][0] > 0


def test_a_map_that_is_decoration_costs_no_more_than_a_random_one(spots: NDArray[np.float32]) -> None:
    """A square in the opposite corner is not the reason."""
    wrong = tuple((column + 14, row + 14) for column, row in SQUARE)
    groups = [str(number) for number in range(12)]
    measured = deletion.deletion_test(brightness_of_a_corner, spots, [wrong] * 12, groups)
    assert measured is not None
    assert measured["over_random"] < 0


def test_images_without_a_region_are_left_out(spots: NDArray[np.float32]) -> None:
    """And where none has one, there is nothing to say."""
    some = deletion.deletion_test(brightness_of_a_corner, spots[:2], [(), SQUARE], ["a", "b"])
    assert some is not None
    assert some["n"] == 1
    assert deletion.deletion_test(brightness_of_a_corner, spots[:1], [()], ["a"]) is None


def test_a_moved_region_keeps_its_size_and_stays_in_the_image() -> None:
    """Wherever it lands."""
    random, mask = np.random.default_rng(0), deletion.filled(SQUARE, 32)
    moved = [deletion.elsewhere(mask, random) for _ in range(50)]
    assert {int(one.sum()) for one in moved} == {int(mask.sum())}
    assert len({one.tobytes() for one in moved}) > 30


def test_a_subgroup_of_one_kind_is_compared_with_all_others_of_the_other_kind() -> None:
    """Two kinds of ill against the same healthy, and the small one marked."""
    labels = np.repeat([0, 1, 1], [40, 40, 5])
    scores = np.concatenate([np.linspace(0, 0.5, 40), np.linspace(0.6, 1, 40), np.full(5, 0.25)])
    kinds = {"subtype": ("none",) * 40 + ("clear",) * 40 + ("faint",) * 5, "name": tuple(map(str, range(85)))}
    rows = by_subgroup(labels, scores, 0.55, kinds, [str(number) for number in range(85)])
    clear, faint, none = sorted(rows, key=lambda row: str(row["value"]))
    assert (clear["auc"], clear["sensitivity"], clear["specificity"], clear["small"]) == (1.0, 1.0, None, False)
    assert (faint["sensitivity"], faint["small"], faint["against"]) == (0.0, True, "all others")
    assert faint["auc"] == pytest.approx(0.5)
    assert (none["specificity"], none["sensitivity"]) == (1.0, None)
    assert len(rows) == 3, "a column with a value of its own for each image tells no subgroups apart"


def test_sharpness_alone_tells_images_apart_that_were_made_differently(
    draw_chest: Callable[..., NDArray[np.uint8]],
) -> None:
    """The blurred half is found without looking at what it shows."""
    random = np.random.default_rng(0)
    chests = [draw_chest(random, ill=False) for _ in range(12)]
    pixels = tuple(cv2.GaussianBlur(chest, (0, 0), 1.5) if number % 2 else chest for number, chest in enumerate(chests))
    names, labels = tuple(map(str, range(12))), np.arange(12) % 2
    found = sharpness(LabelledImages(pixels, labels, names, names))
    assert (found["sharpness_auc"] > 0.95, found["sharpness_direction"]) == (True, "blurred")
    turned = sharpness(LabelledImages(pixels, 1 - labels, names, names))
    assert (turned["sharpness_auc"], turned["sharpness_direction"]) == (found["sharpness_auc"], "sharp")
    low, high = turned["sharpness_auc_interval"]
    assert low <= turned["sharpness_auc"] <= high


def test_the_unit_of_the_pixels_is_no_sharpness(draw_chest: Callable[..., NDArray[np.uint8]]) -> None:
    """A chest that comes in sixteen times the unit is as sharp as it was."""
    random = np.random.default_rng(0)
    chest, names = draw_chest(random, ill=False), ("eight", "twelve")
    scores = blur(LabelledImages((chest, chest.astype(np.uint16) * 16), np.arange(2), names, names))
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)


def test_every_use_leaves_a_line(tmp_path: Path, tiny_bundle: Path) -> None:
    """With time, bundle, data, figures and reason; a line break in a reason makes no second line."""
    manifest, path = open_bundle(tiny_bundle).manifest, tmp_path / "evaluations.csv"
    measures = {"n": 48, "auc": 0.98765, "accuracy": 0.9, "threshold": 0.4, "sensitivity": None, "ece": 0.05}
    for reason in ("a first look,\nwith a comma", "a second"):
        log_use(path, use_of(manifest, measures, ("drawn", "d" * 64), "test", NOW, reason))
    first, second = read_log(path)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    assert (first.time, first.n, first.auc, first.reason) == (
        "2026-01-02T03:04:05+00:00",
        "48",
        "0.9877",
        "a first look, with a comma",
    )
    assert (first.manifest_digest, first.sensitivity, second.reason) == (manifest.manifest_digest, "", "a second")


def test_a_trained_bundle_is_measured_in_every_respect(tiny_bundle: Path, drawn_dataset: Path) -> None:
    """Figures, intervals, calibration, subgroups, maps, shortcut; all of it JSON, and the same each time."""
    from models.data.dataset import open_data  # noqa: PLC0415 only tests that need a bundle pay for it
    from models.evaluation.measures import evaluate  # noqa: PLC0415 the same

    first, again = (evaluate(tiny_bundle, open_data(drawn_dataset), "test") for _ in range(2))
    measured = first.measures
    assert json.dumps(measured, allow_nan=False) == json.dumps(again.measures, allow_nan=False)
    assert measured["n"] == 48
    low, high = measured["auc_interval"] or (measured["auc"], 1.0)
    assert low <= measured["auc"] <= high
    assert {row["value"] for row in measured["subgroups"]} == {"normal", "opacity"}
    assert set(measured["maps"]) <= {"pneumonia", "anomaly"}
    assert measured["data_digest"] == open_data(drawn_dataset).digest(["test"])
    assert measured["strangers"] is None
    assert 0.0 <= measured["anomaly_normals_above_95"] <= 1.0
    assert measured["sharpness_direction"] in {"blurred", "sharp"}
    assert {"roc", "precision_recall", "reliability", "histogram", "anomaly"} <= set(first.curves)


def test_labels_that_the_bundle_does_not_know_are_refused(
    tiny_bundle: Path, draw_chest: Callable[..., NDArray[np.uint8]]
) -> None:
    """By the name of the image."""
    from models.evaluation.measures import evaluate  # noqa: PLC0415 only tests that need a bundle pay for it

    random, names = np.random.default_rng(0), ("first", "second", "third")
    pixels = tuple(draw_chest(random, ill=bool(number)) for number in range(3))
    data = InMemory({"test": LabelledImages(pixels, np.array([0, 1, 2]), names, names)})
    with pytest.raises(DataError, match="third"):
        evaluate(tiny_bundle, data, "test")


def test_a_bundle_that_leaves_normal_out_knows_a_label_for_it(tiny_bundle: Path) -> None:
    """The one after the last class; a bundle that leaves nothing out has none."""
    one = open_bundle(tiny_bundle).manifest
    assert one.label_names == ("no pneumonia", "pneumonia")
    two = replace(one, classes=one.classes * 2)
    assert two.label_names == ("pneumonia", "pneumonia")
    chosen = replace(two, classifier=replace(two.classifier, places=(1, 2)))
    assert chosen.label_names == ("pneumonia", "pneumonia", "none of them")


def test_grad_cam_is_the_closed_form_where_there_is_one() -> None:
    """Under a linear head on averaged features both say the same, but for the bias and what speaks against."""
    import keras  # noqa: PLC0415 only this test pays for it

    from models.evaluation.grad_cam import grad_cam  # noqa: PLC0415 the same
    from models.networks.compact_resnet import compact_resnet  # noqa: PLC0415 the same

    keras.utils.set_random_seed(0)
    model = compact_resnet(32, 2)
    images = np.random.default_rng(0).random((3, 32, 32, 1)).astype(np.float32)
    features = np.asarray(keras.Model(model.input, model.get_layer("pool").input)(images, training=False))
    kernel = np.asarray(model.get_layer("head").kernel)
    expected = np.maximum(features @ kernel, 0) / features[0, ..., 0].size
    assert grad_cam(model, images) == pytest.approx(expected, abs=1e-6)


def test_a_bundle_without_weights_for_retraining_has_no_grad_cam(tiny_bundle: Path) -> None:
    """An imported network cannot be built again."""
    from models.evaluation.grad_cam import bundle_maps  # noqa: PLC0415 only tests that need a bundle pay for it

    manifest = open_bundle(tiny_bundle).manifest
    assert bundle_maps(tiny_bundle, replace(manifest, files={})) is None
    maps = bundle_maps(tiny_bundle, manifest)
    assert maps is not None
    assert maps(np.zeros((2, 32, 32, 1), np.float32)).shape == (2, 2, 2, 1)
