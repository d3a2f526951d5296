"""What a training keeps is whole, is its own, and is gone on with after a kill, to the last bit."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from models.training.checkpoints import Kept, Shelf, opened, replace_file
from tests.support.models.recipes import write_recipe

ROOT = Path(__file__).resolve().parents[4]

TRAINED = """
[classifier]
network = "textbook"
augmentation = "aug2"
size = 32
epochs = 3
batch = 16
rate = 3e-3
averaging = 0.9

[plain_autoencoder]
size = 32
epochs = 2
batch = 16
rate = 1e-3
latent = 8
"""

TRAINING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from models.data.dataset import open_data
from models.training.training_progress import Seconds
from models.training.whole_training import train

recipe, data, out = map(Path, sys.argv[1:])
train(
    recipe, open_data(data), out, 7, lambda *step: print(*step, flush=True),
    say=lambda sentence: print(sentence, flush=True), clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    meter=lambda: Seconds(0.0, 0.0),
)
"""
"""A whole training in a process of its own: every step is a line."""


def training(recipe: Path, data: Path, out: Path, until: str = "") -> list[str]:
    """Train; where a line is given, kill the process with SIGKILL once it has printed that. Return its lines."""
    command = [sys.executable, "-c", TRAINING, str(recipe), str(data), str(out)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if until and lines[-1] == until:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == (-signal.SIGKILL if until else 0), lines
    return lines


def test_a_training_that_was_killed_ends_with_the_bundle_of_one_that_was_not(
    drawn_dataset: Path, tmp_path: Path
) -> None:
    """Every file is the same to the last byte; dropout, moments, averages and the order of images went on."""
    recipe = write_recipe(tmp_path / "killed.toml", TRAINED)
    whole, out = tmp_path / "whole", tmp_path / "out"
    training(recipe, drawn_dataset, whole)

    training(recipe, drawn_dataset, out, until="classifier 14 18")
    assert not out.exists()
    assert (tmp_path / ".out-training").is_dir()
    lines = training(recipe, drawn_dataset, out)
    assert "an earlier run of this training was cut off: it goes on from there" in lines
    assert next(line for line in lines if line.startswith("classifier")) == "classifier 12 18"

    contents = {path.name: path.read_bytes() for path in out.iterdir()}
    assert contents == {path.name: path.read_bytes() for path in whole.iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.toml", "out", "whole"]


def cut_off(folder: Path, digest: str, said: list[str], kept: Kept) -> Kept | None:
    """Train in a folder, keep something of a classifier, and be cut off; return what was found there before."""
    found = None
    with suppress(KeyboardInterrupt), opened(folder, digest, said.append) as work:
        found = work.shelf("classifier").load()
        work.shelf("classifier").save(kept)
        raise KeyboardInterrupt
    return found


def test_what_another_training_left_is_cleared_away_and_that_is_said(tmp_path: Path) -> None:
    """Another recipe, data set, seed or version has another digest; its weights would be a lie."""
    said: list[str] = []
    kept = Kept({"a": np.arange(3)}, {"log": []})
    assert cut_off(tmp_path / "work", "one", said, kept) is None
    assert said == []
    found = cut_off(tmp_path / "work", "one", said, kept)
    assert found is not None
    assert found.arrays["a"].tolist() == [0, 1, 2]
    assert "goes on" in said[0]
    with opened(tmp_path / "work", "two", said.append) as work:
        assert work.shelf("classifier").load() is None
    assert "starts clean" in said[1]
    assert not (tmp_path / "work").exists()


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is told so, and the first goes on."""
    with opened(tmp_path / "work", "one", print) as work:
        with pytest.raises(BlockingIOError, match="another training"), opened(tmp_path / "work", "one", print):
            pass
        work.shelf("classifier").save(Kept({}, {"log": []}))
        assert work.shelf("classifier").load() is not None


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_what_the_disk_gives_back_damaged_counts_as_not_kept(tmp_path: Path, damage: bytes) -> None:
    """That network starts anew."""
    shelf = Shelf(tmp_path / "classifier.npz")
    assert shelf.load() is None
    shelf.path.write_bytes(damage)
    assert shelf.load() is None


def test_types_and_facts_come_back_as_they_were_kept(tmp_path: Path) -> None:
    """A step counter is no float, and a loss keeps all its digits."""
    shelf = Shelf(tmp_path / "classifier.npz")
    shelf.save(Kept({"0000": np.float32([[0.1]]), "0001": np.array(7), "0002": np.uint32([1, 2])}, {"log": [0.1]}))
    kept = shelf.load()
    assert kept is not None
    assert [array.dtype for array in kept.arrays.values()] == [np.float32, np.int64, np.uint32]
    assert kept.facts == {"log": [0.1]}


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """Here its new name is taken by a folder."""
    path = tmp_path / "kept"
    replace_file(path, b"old")
    (tmp_path / "kept.new").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
