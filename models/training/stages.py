"""The stages of a training, one function each: images in, arrays and what was fixed on held-out images out.

It knows which split each thing is fitted on and which it is fixed on: networks on train, the operating point and
the limits on val as other equipment would have made it, because the next hospital's images will differ in just that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from models.bundle.folder import Arrays
from models.data.dataset import LabelledImages
from models.evaluation import metrics
from models.images.augment import equipment, nudged
from models.images.preprocess import Image
from models.inference.admission import described, fit_feature_autoencoder
from models.inference.reader import Images, in_batches, sigmoid
from models.networks.weights import arrays_of
from models.training import objectives as networks
from models.training.export import exported_classifier
from models.training.fitting import Log
from models.training.recipe import AdmissionRecipe, Schedule
from models.training.threads import limit_threads

HARD_COPIES = 3
"""Copies of the validation images, each as other equipment would have made it, beside the images as they are."""

Tell = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is to do."""

Change = Callable[[Image, np.random.Generator], Image]
"""A random change of one image of shape (size, size)."""

Splits = dict[str, LabelledImages]


@dataclass(frozen=True, slots=True)
class Classifier:
    """The fitted classifier and its operating point."""

    arrays: Arrays
    network: bytes  #: as LiteRT runs it
    threshold: float
    log: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the textbook CNN reached; its weights are not kept."""

    auc: dict[str, float]  #: by split
    log: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Admission:
    """The fitted feature autoencoder and the score up to which it admits."""

    arrays: Arrays
    limit: float


def prepare(threads: int) -> None:
    """Keep to the machine's share that the recipe asks for."""
    limit_threads(threads)
    cv2.setNumThreads(1)


def classifier(schedule: Schedule, images: Splits, seed: int, tell: Tell) -> Classifier:
    """Fit the classifier; its threshold is the best balanced one on hard validation images."""
    inputs = images["train"].views(schedule.size)
    model, log = networks.fitted_classifier(
        inputs, images["train"].labels.astype(np.float32), schedule, seed, partial(tell, "classifier")
    )
    hard = hard_copies(images["val"].views(schedule.size), seed, elsewhere)
    probabilities = sigmoid(in_batches(partial(model, training=False), hard))[:, 0]
    labels = np.tile(images["val"].labels.astype(np.float32), len(hard) // len(images["val"]))
    threshold = metrics.balanced_threshold(labels, probabilities)
    return Classifier(arrays_of(model), exported_classifier(model), threshold, named("classifier", log))


def baseline(schedule: Schedule, images: Splits, seed: int, tell: Tell) -> Baseline:
    """Fit the textbook CNN, only to know what the compact ResNet is worth beside it."""
    inputs = {split: some.views(schedule.size) for split, some in images.items()}
    model, log = networks.fitted_baseline(
        inputs["train"], images["train"].labels.astype(np.float32), schedule, seed, partial(tell, "baseline")
    )
    logits = {split: in_batches(partial(model, training=False), inputs[split])[:, 0] for split in ("val", "test")}
    areas = {split: metrics.auc(images[split].labels.astype(np.float32), values) for split, values in logits.items()}
    return Baseline(areas, named("baseline", log))


def admission(plan: AdmissionRecipe, images: Splits, seed: int, tell: Tell) -> Admission:
    """Fit on chests as they are and as other hospitals would have made them; fix the limit on held-out ones.

    The limit looks at other equipment only: held-out chests that are also squeezed and sheared would raise it until
    it lets other body parts in.
    """
    tell("admission", 0, 2)
    random = np.random.default_rng((seed, 1))
    train, held_out = (images[split].views(plan.size) for split in ("train", "val"))
    varied = np.stack([elsewhere(image[..., 0], random)[..., np.newaxis] for image in train])
    fitted = fit_feature_autoencoder(described(np.concatenate([train, varied])), plan.components)
    tell("admission", 1, 2)
    scores = fitted.score(described(hard_copies(held_out, seed, equipment)))
    tell("admission", 2, 2)
    return Admission(fitted.arrays(), float(np.percentile(scores, plan.held_out_percentile)))


def hard_copies(images: Images, seed: int, change: Change) -> Images:
    """Return the images as they are, then changed copies, shape (images * (1 + HARD_COPIES), size, size, 1)."""
    random = np.random.default_rng((seed, 2))
    copies = [change(image[..., 0], random)[..., np.newaxis] for _ in range(HARD_COPIES) for image in images]
    return np.asarray(np.concatenate([images, np.stack(copies)]), np.float32)


def elsewhere(image: Image, random: np.random.Generator) -> Image:
    """Return the image as another hospital would have made it: another position, other equipment."""
    return equipment(nudged(image, random), random)


def named(network: str, log: Log) -> tuple[dict[str, Any], ...]:
    """Return the rows of a network's log under its name."""
    return tuple({"network": network, "epoch": number, **row} for number, row in enumerate(log, start=1))
