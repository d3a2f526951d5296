"""Synthetic radiographs, a data set of them, and one bundle trained on it."""

import csv
import hashlib
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import STARTER
from tests.support.models.recipes import write_recipe

TINY = """
[classifier]
network = "compact_resnet"
augmentation = "aug2"
size = 32
epochs = 4
batch = 16
rate = 3e-3
averaging = 0.5
label_smoothing = 0.05

[baseline]
network = "textbook"
size = 32
epochs = 1
batch = 16
rate = 1e-3

[anomaly.restoring]
size = 32
epochs = 1
batch = 16
rate = 2e-3
averaging = 0.5
width = 8

[anomaly.one_class]
size = 32
epochs = 1
batch = 16
rate = 2e-3
averaging = 0.5
width = 8

[anomaly.features]
size = 64
components = 16

[admission]
size = 64
components = 32
held_out_percentile = 99.5
"""

IMAGES_BY_SPLIT = {"train": 96, "val": 48, "test": 48}


def drawn_chest(random: np.random.Generator, *, ill: bool, size: int = 96) -> NDArray[np.uint8]:
    """Return two dark lungs on a bright body, one with a bright patch where `ill`; shape (size, size), uint8."""
    canvas = np.full((size, size), 190, np.float32)
    for side in (0.3, 0.7):
        middle = (int((side + random.uniform(-0.02, 0.02)) * size), int(0.5 * size))
        cv2.ellipse(canvas, middle, (int(0.15 * size), int(0.32 * size)), 0, 0, 360, 60, -1)
        if ill and side == 0.3:
            cv2.circle(canvas, (middle[0], int(random.uniform(0.4, 0.65) * size)), size // 8, 170, -1)
    canvas = cv2.GaussianBlur(canvas, (0, 0), 2.0) + random.normal(0, 4, canvas.shape)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def write_dataset(folder: Path, splits: dict[str, int], seed: int = 0) -> Path:
    """Write zips and manifest.csv of drawn chests, half of them ill, two to a group."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, count in splits.items():
        with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive:
            for number in range(count):
                ill = number % 4 >= 2
                content = cv2.imencode(".png", drawn_chest(random, ill=ill))[1].tobytes()
                name, group = f"{split}-{number}.png", f"{split}-{number // 2}"
                archive.writestr(name, content)
                digest = hashlib.sha256(content).hexdigest()
                rows.append([name, int(ill), "opacity" if ill else "normal", group, split, digest])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["file", "label", "subtype", "group", "split", "sha256"], *rows])
    return folder


@pytest.fixture
def small_dataset(tmp_path: Path) -> Path:
    """Return a data set of a few drawn chests, for the test to spoil."""
    return write_dataset(tmp_path / "data", {"train": 8, "val": 4, "test": 4})


@pytest.fixture(scope="session")
def drawn_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of drawn chests, enough to learn from; read only."""
    return write_dataset(tmp_path_factory.mktemp("drawn") / "data", IMAGES_BY_SPLIT)


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recipe of 32 pixels and few epochs."""
    return write_recipe(tmp_path_factory.mktemp("recipe") / "tiny.toml", TINY)


@pytest.fixture(scope="session")
def told() -> list[tuple[str, int, int]]:
    """Return what the tiny training told of its progress."""
    return []


@pytest.fixture(scope="session")
def tiny_bundle(
    tmp_path_factory: pytest.TempPathFactory,
    drawn_dataset: Path,
    tiny_recipe: Path,
    told: list[tuple[str, int, int]],
) -> Path:
    """Return a bundle trained on the drawn chests; read only."""
    from models.data.dataset import open_data  # noqa: PLC0415 only tests that need a bundle pay for it
    from models.training.whole_training import train  # noqa: PLC0415 the same

    return train(
        tiny_recipe,
        open_data(drawn_dataset),
        tmp_path_factory.mktemp("bundles") / "tiny",
        7,
        lambda *step: told.append(step),
        clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


@pytest.fixture
def bundle_copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny bundle, for the test to spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@pytest.fixture(scope="session")
def draw_chest() -> Callable[..., NDArray[np.uint8]]:
    """Return the function that draws a chest: `draw_chest(random, ill=...)`."""
    return drawn_chest


@pytest.fixture
def shipped() -> Path:
    """Return the bundle that ships; read only."""
    return STARTER


@pytest.fixture
def shipped_copy(tmp_path: Path) -> Path:
    """Return a copy of the bundle that ships, for the test to spoil."""
    return Path(shutil.copytree(STARTER, tmp_path / "copy"))
