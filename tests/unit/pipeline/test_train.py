"""A trained bundle takes a place at once, and takes no place that something else has."""

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.checkpoints import opened
from models.training.gan import train_gan
from models.training.whole_training import train as train_bundle
from node.domain.errors import OperatorError
from node.pipeline.registry.train import _trainer, beside, prepare, put_in_place, train


def bundle(folder: Path, mark: str) -> Path:
    """Make a folder that passes for a bundle, told from others by a mark."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"weights_digest": mark}), encoding="utf-8")
    (folder / "classifier.npz").write_bytes(mark.encode())
    return folder


def mark_of(folder: Path) -> str:
    """Return the mark of a bundle that is whole."""
    mark = json.loads((folder / "manifest.json").read_bytes())["weights_digest"]
    assert (folder / "classifier.npz").read_bytes() == mark.encode()
    return str(mark)


@pytest.mark.parametrize("seed", [-1, 2**31, 99_999_999_999])
def test_a_seed_that_is_none_is_refused_before_anything_is_read(tmp_path: Path, seed: int) -> None:
    """By the range that there is; nothing is made."""
    with pytest.raises(OperatorError, match=f"from 0 to 2147483647, not {seed}") as refusal:
        train("starter", tmp_path / "no-data", tmp_path / "one", seed, lambda *_: None, replace=False, say=print)
    assert refusal.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_new_bundle_takes_a_free_place(tmp_path: Path) -> None:
    """Nothing else is left beside it."""
    put_in_place(bundle(tmp_path / ".one-new", "new"), tmp_path / "one", replace=False)
    assert mark_of(tmp_path / "one") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_new_bundle_replaces_an_old_one_where_it_may(tmp_path: Path) -> None:
    """The old one is gone once the new one stands."""
    out = bundle(tmp_path / "one", "old")
    (out / "notes").mkdir()
    put_in_place(bundle(tmp_path / ".one-new", "new"), out, replace=True)
    assert mark_of(out) == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert not (out / "notes").exists()


def test_the_old_bundle_stands_again_where_the_new_one_cannot_be_put(tmp_path: Path) -> None:
    """Here the new one has vanished between training and replacing."""
    out = bundle(tmp_path / "one", "old")
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / ".one-new", out, replace=True)
    assert mark_of(out) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_came_while_it_trained_is_not_overwritten(tmp_path: Path) -> None:
    """The place was free before and is not now; both stay."""
    new, out = bundle(tmp_path / ".one-new", "new"), bundle(tmp_path / "one", "another")
    with pytest.raises(OperatorError, match="--replace"):
        put_in_place(new, out, replace=False)
    assert (mark_of(out), mark_of(new)) == ("another", "new")


@pytest.mark.parametrize("content", [None, "{}", "[]", "no JSON", '{"name": "an extension", "version": "1"}'])
def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path: Path, content: str | None) -> None:
    """A slip in --out costs nobody a home folder; the refusal comes before the training."""
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work", encoding="utf-8")
    if content is not None:
        (out / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(OperatorError, match=r"manifest\.json and is not replaced") as caught:
        train("starter", tmp_path / "no-data", out, 1, lambda *_: None, replace=True, say=print)
    assert caught.value.exit_code == 2
    assert (out / "chapter.txt").read_text(encoding="utf-8") == "years of work"


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    """Not even one that is called like a bundle."""
    out = tmp_path / "one"
    out.write_text("a file", encoding="utf-8")
    with pytest.raises(OperatorError) as caught:
        prepare(out, replace=True)
    assert caught.value.exit_code == 2
    assert out.read_text(encoding="utf-8") == "a file"


def test_a_bundle_that_exists_is_kept_without_the_word_to_replace_it(tmp_path: Path) -> None:
    """The message names the flag."""
    out = bundle(tmp_path / "one", "old")
    with pytest.raises(OperatorError, match="--replace") as caught:
        train("starter", tmp_path / "no-data", out, 1, lambda *_: None, replace=False, say=print)
    assert caught.value.exit_code == 2
    assert mark_of(out) == "old"


def test_a_place_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    """Its parent is a file; whoever trains learns of it in a second and not in a quarter of an hour."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OperatorError, match="no bundle can be written to") as caught:
        train(
            "starter",
            tmp_path / "no-data",
            tmp_path / "file" / "models" / "one",
            1,
            lambda *_: None,
            replace=False,
            say=print,
        )
    assert caught.value.exit_code == 2


def test_the_root_of_all_folders_is_no_place(tmp_path: Path) -> None:
    """It has no folder beside it."""
    with pytest.raises(OperatorError, match="no place"):
        prepare(Path("/"), replace=True)


def test_a_training_that_fails_leaves_the_old_bundle_where_it_was(tmp_path: Path) -> None:
    """The data are missing; the bundle that was to be replaced is not."""
    out = bundle(tmp_path / "one", "old")
    with pytest.raises(OperatorError, match="cannot be trained on"):
        train("starter", tmp_path / "no-data", out, 1, lambda *_: None, replace=True, say=print)
    assert mark_of(out) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_run_killed_between_the_renames_gives_the_old_bundle_back(tmp_path: Path) -> None:
    """At that moment it is the only one that anybody relied upon."""
    out = tmp_path / "one"
    bundle(beside(out, "old"), "old")
    bundle(beside(out, "new"), "new")
    prepare(out, replace=True)
    assert mark_of(out) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_killed_runs_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    """Temporary folders of this bundle go; those of its neighbours and a user's own folders stay."""
    out = bundle(tmp_path / "one", "old")
    for name in (".one-new", ".one-old", ".one-abcdefgh/one", "..one-new-abcdefgh/.one-new"):
        bundle(tmp_path / name, "left over")
    for name in (".one-two-abcdefgh/one-two", ".one-mine", ".one-document/letters", "two"):
        (tmp_path / name).mkdir(parents=True)
    prepare(out, replace=True)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [".one-document", ".one-mine", ".one-two-abcdefgh", "one", "two"]
    shutil.rmtree(out)
    prepare(out, replace=False)
    assert not out.exists()


def test_a_training_at_work_is_not_disturbed(tmp_path: Path) -> None:
    """Neither is its half-written bundle swept, nor does a second one begin."""
    half = bundle(tmp_path / ".one-new", "half")
    with opened(beside(tmp_path / "one", "training"), "digest", print):
        with pytest.raises(OperatorError, match="another training is at work"):
            prepare(tmp_path / "one", replace=True)
        assert mark_of(half) == "half"
    prepare(tmp_path / "one", replace=True)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_with_a_gan_trains_a_generator(tmp_path: Path) -> None:
    """The same verb, recipes, place and refusals."""
    assert getattr(_trainer("gan"), "func", None) is train_gan
    assert _trainer("starter") is train_bundle
    with pytest.raises(OperatorError, match="the recipe no-such cannot be used") as caught:
        train("no-such", _few_images(tmp_path), tmp_path / "one", 1, lambda *_: None, replace=False, say=print)
    assert caught.value.exit_code == 2
    with pytest.raises(OperatorError, match=r"cannot be trained on: .* of 1 patient or group "):
        train("gan", _few_images(tmp_path), tmp_path / "one", 1, lambda *_: None, replace=False, say=print)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def _few_images(folder: Path) -> Path:
    """Write a data set of one patient of each kind a split."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    lines = ["file,label,group,split"]
    for split in ("train", "val", "test"):
        with zipfile.ZipFile(data / f"{split}.zip", "w") as archive:
            for label in (0, 1):
                pixels = np.random.default_rng(len(lines)).integers(0, 256, (32, 32)).astype(np.uint8)
                archive.writestr(f"{label}.png", cv2.imencode(".png", pixels)[1].tobytes())
                lines.append(f"{label}.png,{label},{split}{label},{split}")
    (data / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return data
