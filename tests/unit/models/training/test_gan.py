"""The conditional DCGAN: networks that take turns, a training that can be killed, a folder that cannot be changed."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle.folder import BundleError
from models.data.labelled import DataError, InMemory, LabelledImages
from models.inference.generator import NETWORK, Generator, load_generator
from models.inference.runtimes import load_network
from models.networks.dcgan import generator
from models.training.adversaries import Adversaries, exported_generator
from models.training.gan import train_gan
from models.training.gan_recipe import GanSchedule, read_gan_recipe
from models.training.recipe import RecipeError
from models.training.synthetic_arm import SHORT, compare

TINY = {
    "labels": ("normal", "pneumonia"),
    "size": 16,
    "latent": 4,
    "generator_width": 4,
    "discriminator_width": 4,
    "widest": 16,
    "epochs": 2,
    "batch": 8,
    "rate": 5e-4,
    "averaging": 0.9,
    "penalty": 0.5,
    "penalty_every": 2,
    "checkpoint_every": 1,
    "spread": 1.0,
}
SCHEDULE = GanSchedule(**TINY)


class KilledError(Exception):
    """Stands for the end of the process."""


def test_each_network_stands_still_while_the_other_learns() -> None:
    """The discriminator's step teaches the generator nothing, and the generator's step not the discriminator."""
    pair, images, labels, latent = Adversaries(SCHEDULE, 1), *_batch()
    start = _weights(pair)
    pair._judge(images, labels, latent[0], np.zeros((2, 2), np.int32))
    judged = _weights(pair)
    pair._paint(labels, latent[1], np.zeros(2, np.int32), np.float32(0.9))
    painted = _weights(pair)
    assert [np.array_equal(start[name], judged[name]) for name in start] == [True, True, False]
    assert [np.array_equal(judged[name], painted[name]) for name in start] == [False, False, True]


def test_the_penalty_flattens_the_discriminator_at_real_images() -> None:
    """After some steps of the penalty alone, an image moved a little changes its logit less."""
    pair, images, labels, _ = Adversaries(SCHEDULE, 1), *_batch()

    def slope() -> float:
        logits = [pair.discriminator({"image": some, "label": labels}) for some in (images, images + 0.05)]
        return float(np.abs(logits[1] - logits[0]).mean())

    before = slope()
    for step in range(60):
        pair._flatten(images, labels, np.array([0, step], np.int32))
    assert slope() < 0.8 * before


def test_a_killed_training_ends_where_an_undisturbed_one_does(finished: Path, tmp_path: Path) -> None:
    """Killed after an epoch and started again, it leaves the same generator to the last bit, and no checkpoint."""

    def killed(_stage: str, done: int, _total: int) -> None:
        if done == 1:
            raise KilledError

    with pytest.raises(KilledError):
        train_gan(_recipe(tmp_path), _data(), tmp_path / "again", 5, killed)
    assert not (tmp_path / "again").exists()
    assert (tmp_path / ".again-training" / "gan.npz").exists()
    told: list[str] = []
    again = _trained(tmp_path / "again", tmp_path, told.append)
    assert told == ["an earlier run of this training was cut off: it goes on from there"]
    assert (again / NETWORK).read_bytes() == (finished / NETWORK).read_bytes()
    assert (again / "training-log.csv").read_bytes() == (finished / "training-log.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "recipe.toml"]


def test_training_refuses_images_of_one_label(tmp_path: Path) -> None:
    """A conditional network needs all of its labels; nothing is left behind."""
    images = {split: _images(split, labels=(1,)) for split in ("train", "val")}
    with pytest.raises(DataError, match="one label"):
        train_gan(_recipe(tmp_path), InMemory(images), tmp_path / "out", 5, _quiet)
    assert not (tmp_path / "out").exists()


def test_the_same_seed_paints_the_same_and_fewer_are_the_first_ones(folder: Path) -> None:
    """Images are reproducible one by one; another seed or label gives others."""
    painter = load_generator(folder)
    images = painter.images("pneumonia", 4, 11)
    assert images.shape == (4, 16, 16)
    assert images.dtype == np.float32
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    np.testing.assert_array_equal(images[:2], load_generator(folder).images("pneumonia", 2, 11))
    assert np.abs(images - painter.images("pneumonia", 4, 12)).max() > 0
    assert np.abs(images - painter.images("normal", 4, 11)).max() > 0
    assert painter.images("normal", 0, 0).shape == (0, 16, 16)


@pytest.mark.parametrize(
    ("label", "count", "seed", "message"),
    [
        ("fracture", 1, 0, "no label 'fracture', only normal, pneumonia"),
        ("normal", -1, 0, "-1"),
        ("normal", 1, -2, "-2"),
    ],
)
def test_what_cannot_be_painted_is_refused(folder: Path, label: str, count: int, seed: int, message: str) -> None:
    """The message names the value, and the labels that are known."""
    with pytest.raises(ValueError, match=message):
        load_generator(folder).images(label, count, seed)


@pytest.mark.parametrize("name", [NETWORK, "ATTRIBUTION.txt", "training-log.csv"])
def test_a_changed_byte_is_refused_by_name(folder: Path, name: str) -> None:
    """No file of the folder can be changed unnoticed."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} has changed"):
        load_generator(folder)


def test_a_changed_manifest_is_refused(folder: Path) -> None:
    """Its own digest covers the values that no file vouches for."""
    path = folder / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"seed": 5', '"seed": 6'), encoding="utf-8")
    with pytest.raises(BundleError, match=r"manifest\.json has changed"):
        load_generator(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("spread", 2.0, "manifest.spread is 2.0"),
        ("labels", [], "manifest.labels"),
        ("format", 9, "manifest.format is 9"),
        ("files", {}, "a digest of generator.tflite"),
        ("surprise", 1, "does not know surprise"),
    ],
)
def test_a_manifest_with_other_values_is_refused(folder: Path, key: str, value: object, message: str) -> None:
    """The message names key and value."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {key: value}), encoding="utf-8")
    with pytest.raises(BundleError, match=message):
        load_generator(folder)


def test_a_folder_without_a_manifest_is_no_generator(tmp_path: Path) -> None:
    """The message names the file that is missing."""
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        load_generator(tmp_path)


def test_a_network_that_is_not_what_the_manifest_says_is_refused(folder: Path) -> None:
    """A flatbuffer of other shapes, or none at all, is named before anything is painted."""
    manifest = load_generator(folder).manifest
    with pytest.raises(BundleError, match=r"generator\.tflite"):
        Generator(manifest, b"no flatbuffer")
    with pytest.raises(BundleError, match=r"generator\.tflite"):
        Generator(manifest, exported_generator(generator(32, 4, 2, 4, 16)))


def test_the_exported_generator_paints_what_the_trained_one_does() -> None:
    """Weights of 16 bits move no grey value by a hundredth."""
    network = Adversaries(SCHEDULE, 3).averaged
    style = np.random.default_rng(0).standard_normal((1, 6), np.float32)
    np.testing.assert_allclose(
        load_network(NETWORK, exported_generator(network))(style)["image"], network(style), atol=0.01
    )


def test_painting_never_imports_tensorflow(folder: Path) -> None:
    """The demo and the command need LiteRT only."""
    program = (
        "import sys; from models.inference.generator import load_generator; "
        f"load_generator({str(folder)!r}).images('normal', 1, 0); "
        "print([name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_recipe_that_ships_can_be_read() -> None:
    """By its name; its labels are those of the chest set."""
    assert read_gan_recipe("gan").gan.labels == ("normal", "pneumonia")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size = 16", "size = 100", "recipe.gan.size is 100"),
        ("batch = 8", "batch = 7", "recipe.gan.batch is 7"),
        ("spread = 1.0", "spread = 0", "recipe.gan.spread"),
        ('name = "tiny"', 'name = ""', "recipe.recipe.name is '', where some text"),
        ('version = "1"', 'version = " "', "recipe.recipe.version is ' '"),
        ("latent = 4", "colour = 4", "does not know colour"),
    ],
)
def test_a_recipe_with_a_wrong_value_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """File, key and value are named."""
    path = _recipe(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        read_gan_recipe(path)


def test_both_arms_of_the_augmentation_are_measured_with_every_seed(folder: Path) -> None:
    """Each seed trains once without and once with painted images, and each gives an area under the curve."""
    plan = replace(SHORT, network="textbook", augmentation="none", size=32, epochs=1, batch=20)
    arm = compare(load_generator(folder), _images("train"), _images("val"), 10, (1,), _quiet, plan)
    assert len(arm.without) == len(arm.added) == 1
    assert all(0.0 <= area <= 1.0 for area in (*arm.without, *arm.added))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny generator, trained once."""
    place = tmp_path_factory.mktemp("gan")
    return _trained(place / "generator", place)


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny generator's folder, to do anything with."""
    copy = tmp_path / "generator"
    copy.mkdir()
    for path in finished.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def _trained(out: Path, place: Path, say: Callable[[str], None] = print) -> Path:
    return train_gan(_recipe(place), _data(), out, 5, _quiet, say=say, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))


def _recipe(place: Path) -> Path:
    path = place / "recipe.toml"
    values = "\n".join(f"{key} = {json.dumps(value)}" for key, value in TINY.items())
    head = '[recipe]\nname = "tiny"\nversion = "1"\nthreads = 1\n'
    source = '[data]\nname = "made up"\nlicence = "none"\nattribution = "nobody"\n'
    path.write_text(f"{head}\n[gan]\n{values}\n\n{source}", encoding="utf-8")
    return path


def _data() -> InMemory:
    return InMemory({split: _images(split) for split in ("train", "val")})


def _images(split: str, labels: tuple[int, ...] = (0, 1)) -> LabelledImages:
    """Return noise with a bright left or right half by label."""
    random, each = np.random.default_rng(len(split)), {"train": 20, "val": 5}[split]
    truth = np.repeat(labels, each)
    pixels = [(random.random((16, 16)) + (np.arange(16) // 8 == label)) for label in truth]
    names = tuple(f"{split}{number}" for number in range(len(truth)))
    return LabelledImages(tuple(pixels), truth, names, names)


def _batch() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (8, 16, 16, 1)).astype(np.float32)
    return images, np.eye(2, dtype=np.float32)[np.arange(8) % 2], random.standard_normal((2, 8, 4), np.float32)


def _weights(pair: Adversaries) -> dict[str, NDArray[np.float32]]:
    """Return what each network has learned, as one vector."""
    networks = {"generator": pair.generator, "averaged": pair.averaged, "discriminator": pair.discriminator}
    return {
        name: np.concatenate([weight.numpy().ravel() for weight in network.trainable_variables])
        for name, network in networks.items()
    }


def _quiet(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""
