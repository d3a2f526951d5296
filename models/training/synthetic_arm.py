"""What painted images do to a classifier that also learns from them: the same short training with and without.

It knows two sets of images, a generator's folder and the classifier's training; it keeps no classifier. Judged on
validation images as other equipment would have made them, never on a test split.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import Images, LabelledImages
from models.evaluation.metrics import auc
from models.images.preprocess import network_input
from models.inference.generator import Generator
from models.inference.network import in_batches
from models.training.checkpoints import Shelf
from models.training.draws import once
from models.training.objectives import Shown, fitted_classifier
from models.training.recipe import ClassifierRecipe
from models.training.stages import elsewhere, hard_copies
from models.training.training_progress import Tell

SHORT = ClassifierRecipe(
    network="compact_resnet",
    augmentation="aug2",
    size=64,
    epochs=6,
    batch=32,
    rate=2e-3,
    weight_decay=1e-3,
    averaging=0.98,
    label_smoothing=0.05,
)
"""The starter's classifier, smaller and for a third of its epochs: enough to compare, not to serve."""

Labelled = tuple[Images, NDArray[np.int64]]
"""Network input with its labels."""

NOISE = 0.005
"""Gain in AUC up to which two trainings differ by chance; measured between seeds of one recipe."""


@dataclass(frozen=True, slots=True)
class Arm:
    """The areas under the ROC curve on hard validation images, by seed."""

    without: tuple[float, ...]
    added: tuple[float, ...]

    @property
    def gain(self) -> float:
        """What adding painted images gained, on average."""
        return float(np.mean(np.subtract(self.added, self.without)))

    @property
    def helped(self) -> bool:
        """Whether it gained more than chance does, and with every seed."""
        return self.gain > NOISE and all(np.greater(self.added, self.without))


def compare(
    generator: Generator,
    train: LabelledImages,
    held_out: LabelledImages,
    count: int,
    seeds: tuple[int, ...],
    tell: Tell,
    plan: ClassifierRecipe = SHORT,
) -> Arm:
    """Return what a classifier learns without and with painted images.

    Both arms take about as many steps, the one with more images in fewer epochs: the lengths of two trainings are not
    what is compared.

    Parameters
    ----------
    generator
        Paints; its two labels stand for 0 and 1.
    train, held_out
        What is learned from, and what is judged on after other equipment's changes.
    count
        Painted images to add of each label.
    seeds
        One training with each, in each arm.
    tell
        Called with stage, done and total.
    plan
        The classifier's training.
    """
    painted = [generator.images(label, count, seed=0) for label in generator.labels]
    extra = np.stack([network_input(image, None, False, plan.size) for some in painted for image in some])
    plain = train.views(plan.size), train.labels
    mixed = (
        np.concatenate([plain[0], extra]),
        np.concatenate([plain[1], np.repeat(np.arange(len(painted)), count)]),
    )
    shorter = replace(plan, epochs=max(round(plan.epochs * len(plain[0]) / len(mixed[0])), 1))
    hard = hard_copies(held_out.views(plan.size), 0, elsewhere), held_out.labels
    found: dict[str, list[float]] = {"without": [], "added": []}
    for place, seed in enumerate(seeds):
        tell("augmentation", 2 * place, 2 * len(seeds))
        found["without"].append(_worth(plain, hard, plan, seed))
        tell("augmentation", 2 * place + 1, 2 * len(seeds))
        found["added"].append(_worth(mixed, hard, shorter, seed))
    tell("augmentation", 2 * len(seeds), 2 * len(seeds))
    return Arm(tuple(found["without"]), tuple(found["added"]))


def _worth(images: Labelled, hard: Labelled, plan: ClassifierRecipe, seed: int) -> float:
    """Return the area that a classifier fitted on some images reaches on the hard copies of others."""
    with tempfile.TemporaryDirectory() as folder:
        shelf, targets = Shelf(Path(folder) / "arm.npz"), images[1].astype(np.float32)[:, np.newaxis]
        shown = Shown(images[0], targets, once(len(targets)))
        model, _ = fitted_classifier(shown, plan, seed, shelf, lambda _done, _total: None)
    logits = in_batches(lambda some: model(some, training=False), hard[0])[:, 0]
    return auc(np.tile(hard[1], len(hard[0]) // len(hard[1])), np.asarray(logits, np.float64))
