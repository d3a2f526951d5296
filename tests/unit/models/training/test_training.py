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
from models.evaluation.metrics import at_threshold
from models.images.altered import KINDS
from models.inference.reader import load
from models.training import stages
from models.training.checkpoints import Work
from models.training.recipe import Recipe, RecipeError, read_recipe
from models.training.training_progress import Seconds, Spent
from models.training.whole_training import make_room, train


def silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _quickly(plan: Recipe) -> Recipe:
    """Return the recipe with the network that takes the least time, for what is true of every network."""
    return replace(plan, classifier=replace(plan.classifier, network="textbook"))


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
    assert names[:4] == ["images", "whole training", "classifier", "autoencoder"]
    assert names[4:8] == ["one_class", "features", "admission", "baseline"]
    assert ("classifier", 24, 24) in told
    assert all(0 <= done <= total for _, done, total in told)
    whole = [done for stage, done, _ in told if stage == "whole training"]
    assert whole == sorted(whole)
    assert whole[-1] == 1000


def test_the_log_has_a_line_for_each_epoch(tiny_bundle: Path) -> None:
    """Losses of all networks travel with the bundle."""
    with (tiny_bundle / "training-log.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == ["classifier"] * 4 + ["autoencoder", "one_class", "baseline"]
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


def test_the_same_seed_gives_the_same_weights(
    tiny_bundle: Path, tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    """A classifier can be repeated from recipe, data and seed, to the last bit."""
    data, plan = open_data(drawn_dataset), read_recipe(tiny_recipe)
    images = {split: data.images(split) for split in data.splits}
    again, first = stages.classifier(plan, images, 7, Work(tmp_path, print), silent), open_bundle(tiny_bundle)
    assert first.manifest.measures["seeds"] == [pytest.approx(again.tried[0])]
    for name, array in first.arrays["classifier"].items():
        np.testing.assert_array_equal(again.arrays["classifier"][name], array, err_msg=name)


def test_of_several_seeds_the_first_ones_ship(tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    """What seeds reach chooses nothing; those that do not ship only say how far seeds lie apart."""
    data, plan = open_data(drawn_dataset), _quickly(read_recipe(tiny_recipe))
    images = {split: data.images(split) for split in data.splits}
    twice, work = replace(plan, recipe=replace(plan.recipe, seeds=2)), Work(tmp_path, print)
    alone, further = (stage(twice, images, 7, work, silent) for stage in (stages.classifier, stages.spread))
    assert [(trial["seed"], trial["member"]) for trial in alone.tried + further.tried] == [(7, True), (8, False)]
    assert [{row["seed"] for row in one.log} for one in (alone, further)] == [{7}, {8}]
    assert set(alone.arrays) == {"classifier"}
    both = replace(plan, recipe=replace(plan.recipe, seeds=2, members=2))
    together = stages.classifier(both, images, 6, work, silent)
    assert set(together.arrays) == {"classifier", "classifier-2"}
    assert [trial["member"] for trial in together.tried] == [True, True]
    assert stages.spread(both, images, 6, work, silent).tried == ()
    assert len(together.network) > 1.8 * len(alone.network)


def test_the_operating_point_is_where_the_worst_kind_of_altered_copies_fares_best(
    tiny_bundle: Path, drawn_dataset: Path
) -> None:
    """No other threshold does better by all kinds of copies of the validation images."""
    reader, images = load(tiny_bundle), open_data(drawn_dataset).images("val")
    random = np.random.default_rng((7, 4))
    copies = [stages.altered_copies(images.views(32), kind, random) for kind in KINDS]
    said = [reader.probabilities(some)[:, 0] for some in copies]

    def worst(threshold: float) -> float:
        return min(at_threshold(images.labels, one, threshold)["balanced_accuracy"] for one in said)

    reached = worst(reader.manifest.classes[0].threshold)
    assert reached > 0.5
    assert reached >= max(worst(threshold) for threshold in np.linspace(0.0, 1.0, 301))


def test_the_bundle_says_what_its_training_took_by_stage(tiny_bundle: Path) -> None:
    """Apart: what ships, and what is only compared with it."""
    spent = json.loads((tiny_bundle / "training.json").read_text(encoding="utf-8"))
    assert spent["threads"] == 1
    assert set(spent["ships"]) == {"classifier", "autoencoder", "one_class", "features", "admission"}
    assert set(spent["compared"]) == {"baseline"}
    assert all(one["wall"] > 0 and one["cpu"] > 0 for kind in ("ships", "compared") for one in spent[kind].values())
    assert "training.json" in open_bundle(tiny_bundle).manifest.files


def test_the_time_of_a_stage_goes_on_where_a_killed_run_left_it(tmp_path: Path) -> None:
    """What is told of next has taken the time; it is kept every few seconds."""
    moments = iter([0.0, 1.0, 7.0, 9.0])
    spent = Spent(tmp_path / "spent.json", lambda: Seconds(next(moments), 0.0), silent)
    for stage in ("one", "two", "two"):
        spent(stage, 1, 2)
    assert spent.stages == {"one": Seconds(1.0, 0.0), "two": Seconds(8.0, 0.0)}
    moments = iter([100.0, 103.0])
    after = Spent(tmp_path / "spent.json", lambda: Seconds(next(moments), 0.0), silent)
    after("two", 2, 2)
    assert after.stages == {"one": Seconds(1.0, 0.0), "two": Seconds(6.0 + 3.0, 0.0)}


def test_a_classifier_that_learned_nothing_is_refused(tiny_recipe: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    """Labels that are nobody's leave nothing better than chance, and nothing is written."""
    data, plan = open_data(drawn_dataset), _quickly(read_recipe(tiny_recipe))
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
