"""Training leaves a whole bundle or nothing, and the bundle is measured as it stands on disk."""

import csv
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from models.bundle.folder import open_bundle
from models.data.dataset import DataError, read_images, read_rows
from models.evaluation.measures import evaluate
from models.training import stages
from models.training.recipe import RecipeError, read_recipe
from models.training.run import appearing_at_once, make_room, train


def silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def test_a_tiny_training_learns_what_is_drawn(tiny_bundle: Path, drawn_dataset: Path) -> None:
    """Patches on a lung are found on images that were held out."""
    measures = evaluate(tiny_bundle, drawn_dataset)
    assert measures["n"] == 48
    assert measures["auc"] > 0.9
    assert measures["auc_interval"][0] <= measures["auc"] <= measures["auc_interval"][1]
    assert measures["admitted"] > 0.8
    assert measures["strangers"] is None
    json.dumps(measures)


def test_the_manifest_records_what_evaluation_repeats(tiny_bundle: Path, drawn_dataset: Path) -> None:
    """The figures in the manifest come from the stored weights and the stored threshold."""
    recorded = open_bundle(tiny_bundle).manifest.measures["test"]
    measures = evaluate(tiny_bundle, drawn_dataset, "test")
    for key in ("auc", "sensitivity", "specificity", "threshold", "anomaly_auc", "admitted", "baseline_auc"):
        assert measures[key] == pytest.approx(recorded[key], abs=1e-6), key


def test_progress_is_told_stage_by_stage(tiny_bundle: Path, told: list[tuple[str, int, int]]) -> None:
    """Each stage reaches its end, in the order in which things happen."""
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["images", "classifier", "baseline", "autoencoder", "admission", "evaluate"]
    assert ("classifier", 4, 4) in told
    assert all(0 <= done <= total for _, done, total in told)


def test_the_log_has_a_line_for_each_epoch(tiny_bundle: Path) -> None:
    """Losses of all networks travel with the bundle."""
    with (tiny_bundle / "training-log.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == ["classifier"] * 4 + ["baseline", "autoencoder"]
    assert float(rows[3]["loss"]) < float(rows[0]["loss"])


def test_the_bundle_says_whose_data_it_was_trained_on(tiny_bundle: Path) -> None:
    """The attribution is a file of its own and vouched for."""
    assert "Drawn by the tests." in (tiny_bundle / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert "ATTRIBUTION.txt" in open_bundle(tiny_bundle).manifest.files


def test_the_same_seed_gives_the_same_weights(tiny_bundle: Path, tiny_recipe: Path, drawn_dataset: Path) -> None:
    """A classifier can be repeated from recipe, data and seed, to the last bit; so can its operating point."""
    rows = read_rows(drawn_dataset)
    images = {split: read_images(drawn_dataset, split, rows) for split in ("train", "val")}
    again = stages.classifier(read_recipe(tiny_recipe).classifier, images, 7, silent)
    first = open_bundle(tiny_bundle)
    assert again.threshold == first.manifest.classes[0].threshold
    for name, array in first.arrays["classifier"].items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)


def test_a_bundle_that_exists_is_not_overwritten(tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    """The refusal comes before the work."""
    out = tmp_path / "there"
    out.mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        train(tiny_recipe, drawn_dataset, out, 1, silent)


def test_a_place_that_cannot_be_written_is_refused_before_the_images_are_read(
    tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    """Its parent is a file."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    steps: list[str] = []
    with pytest.raises(OSError, match="file"):
        train(tiny_recipe, drawn_dataset, tmp_path / "file" / "one", 1, lambda stage, *_: steps.append(stage))
    assert steps == []


def test_the_remains_of_a_killed_training_are_swept(tmp_path: Path) -> None:
    """Only folders of the very form that a training makes."""
    for name in (".one-abcdefgh/one", ".one-abcdefgi", ".one-short/one", ".one-abcdefgj/letters", ".two-abcdefgh/two"):
        (tmp_path / name).mkdir(parents=True)
    make_room(tmp_path / "one")
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [".one-abcdefgj", ".one-short", ".two-abcdefgh"]


def test_a_stop_while_writing_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a bundle nor a temporary folder; a success leaves the whole."""
    out = tmp_path / "bundles" / "one"
    with suppress(KeyboardInterrupt), appearing_at_once(out) as folder:
        (folder / "manifest.json").write_text("{}", encoding="utf-8")
        raise KeyboardInterrupt
    assert list(out.parent.iterdir()) == []
    with appearing_at_once(out) as folder:
        (folder / "manifest.json").write_text("{}", encoding="utf-8")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["manifest.json"]


def test_spoiled_data_and_unknown_recipes_are_refused_before_training(
    tiny_recipe: Path, small_dataset: Path, tmp_path: Path
) -> None:
    """A group across splits, a missing zip, a recipe that is none."""
    with pytest.raises(RecipeError):
        train("no such recipe", small_dataset, tmp_path / "out", 1, silent)
    (small_dataset / "test.zip").unlink()
    with pytest.raises(DataError, match=r"test\.zip"):
        train(tiny_recipe, small_dataset, tmp_path / "out", 1, silent)
    path = small_dataset / "manifest.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("val-0,val", "train-0,val", 1), encoding="utf-8")
    with pytest.raises(DataError, match="more than one split"):
        train(tiny_recipe, small_dataset, tmp_path / "out", 1, silent)
    assert not (tmp_path / "out").exists()
