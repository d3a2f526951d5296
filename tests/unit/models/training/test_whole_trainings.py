"""Trainings as a site does them, from a folder to a bundle: on from the champion's weights, and with painted images."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models import STARTER
from models.bundle.folder import open_bundle, read_manifest
from models.data.examples import PIXELS, Example, KeptFolder, packed, write_examples
from models.data.joint import SOURCE
from models.data.labelled import InMemory, LabelledImages
from models.inference.generator import Generator, load_generator
from models.training.painted import KEPT, with_painted
from models.training.synthetic_arm import SHORT
from node.pipeline.learning.training_in_child import Task, _trained
from tests.support.learning.site import chest
from tests.support.models.generators import write_generator
from tests.support.models.recipes import write_recipe

NOW = datetime(2026, 1, 2, tzinfo=UTC)
_TRAINED = """
[classifier]
network = "compact_resnet"
augmentation = "none"
size = 128
epochs = 1
batch = 32
rate = 1e-6
averaging = 0.5
"""
_PATIENTS = {"train": 40, "val": 10}


def _kept(folder: Path) -> Path:
    """Write what a site keeps: an image of each patient, such as the starter knows, every other one ill."""
    (folder / PIXELS).mkdir(parents=True)
    painter, examples = load_generator(), []
    shown = [255.0 * painter.images(label, sum(_PATIENTS.values()) // 2, seed=5) for label in painter.labels]
    splits = [split for split, count in _PATIENTS.items() for _ in range(count)]
    for number, split in enumerate(splits):
        content = packed(shown[number % 2][number // 2].astype(np.uint8), None, False)
        (folder / PIXELS / f"n{number}.npz").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        examples.append(Example(f"n{number}", number % 2, f"g{number}", split, digest, {"source": "site"}))
    write_examples(folder, examples)
    return folder


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Return a training that goes on from the starter, with painted images; what these do was found before."""
    recipe = write_recipe(tmp_path / "on.toml", _TRAINED)
    data, run = _kept(tmp_path / "data"), tmp_path / "run"
    run.mkdir()
    first = KeptFolder(data).images("train").image_digests()[:1]
    found = {"key": {"train": first, "images": _PATIENTS["train"], "seed": 3}, "gain": 0.02, "helped": True}
    (run / KEPT).write_text(json.dumps(found), encoding="utf-8")
    return Task(
        run=run, data=data, out=tmp_path / "bundle", recipe=str(recipe), champion=STARTER,
        start="champion", replayed=(), locked=(), seed=3, version="9", synthetic=True, now=NOW,
    )  # fmt: skip


def test_a_training_goes_on_from_the_champion_and_learns_from_painted_images(task: Task) -> None:
    """At a rate that moves nothing the new weights are the champion's; twenty painted images were learned from."""
    trained = _trained(task)

    assert "10 painted images of each label changed the AUC on hard validation images by +0.0200: learned from" in (
        trained.said
    )
    before, after = (open_bundle(one).arrays["classifier"] for one in (task.champion, task.out))
    assert before.keys() == after.keys()
    assert all(np.allclose(values, after[name], atol=2e-2) for name, values in before.items())
    manifest = read_manifest(task.out)
    assert manifest.data is not None
    assert (manifest.version, manifest.data.images["train"]) == ("9", _PATIENTS["train"] + 20)


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """Return a generator that paints grey clouds."""
    return load_generator(write_generator(tmp_path_factory.mktemp("painter") / "clouds"))


def _drawn(count: int = 16) -> InMemory:
    def images(first: int) -> LabelledImages:
        names = tuple(f"n{number}" for number in range(first, first + count))
        pixels = tuple(chest(number, ill=bool(number % 2)) for number in range(first, first + count))
        columns = {SOURCE: ("site",) * count, "view": ("AP",) * count}
        return LabelledImages(pixels, np.arange(count) % 2, names, names, attributes=columns)

    return InMemory({"train": images(0), "val": images(100)})


def test_painted_images_are_tried_once_and_what_was_found_is_remembered(painter: Generator, tmp_path: Path) -> None:
    """Clouds help nobody: they are left out, also by the process after a kill, which trains no arm again."""
    plan = replace(SHORT, network="textbook", augmentation="none", size=32, epochs=1, batch=16)
    data = _drawn()
    tried = with_painted(painter, data, "pneumonia", 1, tmp_path, plan)
    kept = json.loads((tmp_path / KEPT).read_bytes())
    assert tried.said.endswith("learned from" if kept["helped"] else "left out")
    assert len(tried.data.images("train")) == 16 + (8 if kept["helped"] else 0)

    again = with_painted(painter, data, "pneumonia", 1, tmp_path, replace(plan, network="nothing that can be built"))
    assert again.said == tried.said


def test_painted_images_join_the_sites_with_the_label_they_were_painted_for(painter: Generator, tmp_path: Path) -> None:
    """Each a group of its own, and none on the side that chooses."""
    data = _drawn()
    first = data.images("train").image_digests()[:1]
    found = {"key": {"train": first, "images": 16, "seed": 1}, "gain": 0.01, "helped": True}
    (tmp_path / KEPT).write_text(json.dumps(found), encoding="utf-8")
    together = with_painted(painter, data, "pneumonia", 1, tmp_path).data
    train = together.images("train")
    assert train.labels[16:].tolist() == [0] * 4 + [1] * 4
    assert len(set(train.groups[16:])) == 8
    assert set(train.attributes[SOURCE]) == {"site"}
    assert len(together.images("val")) == 16


def test_a_generator_of_other_labels_is_not_tried(painter: Generator, tmp_path: Path) -> None:
    """The data stay as they are, and the reason is said."""
    data = _drawn()
    tried = with_painted(painter, data, "mass", 1, tmp_path)
    assert tried.data is data
    assert tried.said == "painted images not tried: the generator paints normal, pneumonia"
