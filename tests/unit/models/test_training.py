"""Training leaves a whole bundle or nothing, and the bundle is measured as it stands on disk."""

import csv
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.bundle.folder import open_bundle
from models.bundle.place import appearing_at_once
from models.data.dataset import DataError, open_data
from models.evaluation.measures import evaluate
from models.training import stages
from models.training.checkpoints import Work
from models.training.recipe import RecipeError, read_recipe
from models.training.run import make_room, train


def silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def test_a_tiny_training_learns_what_is_drawn(tiny_bundle: Path, drawn_dataset: Path) -> None:
    """Patches on a lung are found on images that were held out."""
    measures = evaluate(tiny_bundle, open_data(drawn_dataset)).measures
    assert measures["n"] == 48
    assert measures["auc"] > 0.9
    assert measures["admitted"] > 0.8
    json.dumps(measures)


def test_the_manifest_records_what_evaluation_repeats(tiny_bundle: Path, drawn_dataset: Path) -> None:
    """The figures in the manifest come from the stored weights and the stored threshold."""
    recorded = open_bundle(tiny_bundle).manifest.measures["test"]
    measures = evaluate(tiny_bundle, open_data(drawn_dataset), "test").measures
    for key in ("auc", "sensitivity", "specificity", "threshold", "anomaly_auc", "admitted", "baseline_auc"):
        assert measures[key] == pytest.approx(recorded[key], abs=1e-6), key


def test_progress_is_told_stage_by_stage(tiny_bundle: Path, told: list[tuple[str, int, int]]) -> None:
    """Each stage reaches its end, in the order in which things happen."""
    names = list(dict.fromkeys(stage for stage, _, _ in told))
    assert names[:5] == ["images", "whole training", "classifier", "baseline", "autoencoder"]
    assert names[5:8] == ["one_class", "features", "admission"]
    assert ("classifier", 24, 24) in told
    assert all(0 <= done <= total for _, done, total in told)
    whole = [done for stage, done, _ in told if stage == "whole training"]
    assert whole == sorted(whole)
    assert whole[-1] == 1000


def test_the_log_has_a_line_for_each_epoch(tiny_bundle: Path) -> None:
    """Losses of all networks travel with the bundle."""
    with (tiny_bundle / "training-log.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == ["classifier"] * 4 + ["baseline", "autoencoder", "one_class"]
    assert {row["seed"] for row in rows} == {"7"}
    assert float(rows[3]["loss"]) < float(rows[0]["loss"])


def test_the_curves_are_a_small_picture(tiny_bundle: Path) -> None:
    """For whoever opens the folder; vouched for like everything in it."""
    content = (tiny_bundle / "training-curves.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 150_000
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).std() > 5
    assert "training-curves.png" in open_bundle(tiny_bundle).manifest.files


def test_the_bundle_says_whose_data_it_was_trained_on(tiny_bundle: Path) -> None:
    """The attribution is a file of its own and vouched for."""
    assert "Drawn by the tests." in (tiny_bundle / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert "ATTRIBUTION.txt" in open_bundle(tiny_bundle).manifest.files


def test_the_same_seed_gives_the_same_weights_and_of_several_seeds_the_best_are_kept(
    tiny_bundle: Path, tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    """A classifier can be repeated from recipe, data and seed, to the last bit; the choice is made on hard images."""
    data, plan = open_data(drawn_dataset), read_recipe(tiny_recipe)
    images = {split: data.images(split) for split in data.splits}
    twice = replace(plan, recipe=replace(plan.recipe, seeds=2))
    again = stages.classifier(twice, images, 7, Work(tmp_path, print), silent)
    first = open_bundle(tiny_bundle)
    assert [trial["seed"] for trial in again.tried] == [7, 8]
    alone = first.manifest.measures["seeds"][0]
    assert {**alone, "member": True} == pytest.approx({**again.tried[0], "member": True})
    assert {row["seed"] for row in again.log} == {7, 8}
    best = max(again.tried, key=lambda trial: trial["hard_val"])["seed"]
    only = stages.classifier(plan, images, best, Work(tmp_path, print), silent)
    assert [row["member"] for row in again.tried] == [row["seed"] == best for row in again.tried]
    assert set(again.arrays) == {"classifier"}
    for name, array in only.arrays["classifier"].items():
        np.testing.assert_array_equal(again.arrays["classifier"][name], array, err_msg=name)
    both = replace(plan, recipe=replace(plan.recipe, seeds=2, members=2))
    together = stages.classifier(both, images, best - 1, Work(tmp_path, print), silent)
    assert set(together.arrays) == {"classifier", "classifier-2"}
    assert all(row["member"] for row in together.tried)
    assert len(together.network) > 1.8 * len(only.network)


def test_a_classifier_that_learned_nothing_is_refused(tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    """Labels that are nobody's leave nothing better than chance, and nothing is written."""
    data, plan = open_data(drawn_dataset), read_recipe(tiny_recipe)
    images = {split: data.images(split) for split in data.splits}
    images["val"] = replace(images["val"], labels=1 - images["val"].labels)
    with pytest.raises(RecipeError, match="learned nothing"):
        stages.classifier(plan, images, 7, Work(tmp_path, print), silent)


def test_weights_that_leave_all_bounds_are_the_recipes_fault(
    tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    """Nothing is written, and the way out is named."""
    data, plan = open_data(drawn_dataset), read_recipe(tiny_recipe)
    images = {split: data.images(split) for split in data.splits}
    wild = replace(plan, classifier=replace(plan.classifier, network="textbook", rate=1e30, epochs=1))
    with pytest.raises(RecipeError, match="lower the rate"):
        stages.classifier(wild, images, 7, Work(tmp_path, print), silent)


def test_a_bundle_that_exists_is_not_overwritten(tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    """The refusal comes before the work."""
    out = tmp_path / "there"
    out.mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        train(tiny_recipe, open_data(drawn_dataset), out, 1, silent)


def test_a_place_that_cannot_be_written_is_refused_before_the_images_are_read(
    tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    """Its parent is a file."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    steps: list[str] = []
    data, out = open_data(drawn_dataset), tmp_path / "file" / "one"
    with pytest.raises(OSError, match="file"):
        train(tiny_recipe, data, out, 1, lambda stage, *_: steps.append(stage))
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
    tiny_recipe: Path, drawn_dataset: Path, small_dataset: Path, tmp_path: Path
) -> None:
    """A recipe that is none, too few patients, a missing zip: nothing is left behind."""
    out = tmp_path / "place" / "out"
    with pytest.raises(RecipeError):
        train("no such recipe", open_data(small_dataset), out, 1, silent)
    with pytest.raises(DataError, match="of 2 patients or groups where 20 are needed"):
        train(tiny_recipe, open_data(small_dataset), out, 1, silent)
    (small_dataset / "test.zip").unlink()
    with pytest.raises(DataError, match=r"test\.zip"):
        train(tiny_recipe, open_data(small_dataset), out, 1, silent)
    assert not list(out.parent.iterdir())
