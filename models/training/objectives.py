"""Which examples each network is fitted on, and with which loss.

It joins images, augmentation and architectures; `models.training.fitting` turns the crank.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.data.labelled import Images
from models.images.augment import aug2, aug3, equipment, move, noise
from models.images.opacities import with_opacities
from models.images.preprocess import Image, resize, stretch
from models.images.shift import shift
from models.networks.classifiers import classifier
from models.networks.one_class import one_class
from models.networks.plain_autoencoder import plain_autoencoder
from models.networks.restoring_autoencoder import restoring_autoencoder
from models.networks.weights import assign
from models.training.checkpoints import Shelf
from models.training.draws import Draws
from models.training.fitting import Batches, Log, Tell, fit
from models.training.recipe import ClassifierRecipe, PlainRecipe, RestoringRecipe

Floats = NDArray[np.float32]

UNTOUCHED = 0.3
"""Share of the examples of normals without pathology: a network has to know when to leave an image alone."""

AUGMENTATIONS: dict[str, Callable[[Image, Images, np.random.Generator], Image]] = {
    "aug3": lambda image, others, random: aug3(image, others[random.integers(len(others)), ..., 0], random),
    "aug2": lambda image, _others, random: aug2(image, random),
    "shift": lambda image, _others, random: shift(image, random),
    "none": lambda image, _others, _random: image,
}
"""By the names of `models.training.recipe.AUGMENTATIONS`: one image of shape (size, size), and all of them, to a
changed copy of the first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a classifier is fitted on."""

    images: Images  #: (images, size, size, 1), float32 in [0, 1]
    targets: Floats  #: as `targets_of` makes them
    draws: Draws  #: how often each is shown, and what it weighs


def fitted_classifier(
    shown: Shown,
    plan: ClassifierRecipe,
    seed: int,
    shelf: Shelf,
    tell: Tell,
    begins: Mapping[str, NDArray[Any]] | None = None,
) -> tuple[keras.Model, Log]:
    """Return a classifier fitted on augmented images with smoothed labels, all classes weighing the same.

    With `begins`, weights by the variable's name, it goes on from these.

    Raises
    ------
    BundleError
        Where those weights are another network's.
    """
    keras.utils.set_random_seed(seed)
    images, targets = shown.images, shown.targets
    model = classifier(plan.network, plan.size, targets.shape[1])
    if begins is not None:
        assign(model, dict(begins))
    change, channels = AUGMENTATIONS[plan.augmentation], model.input_shape[-1]

    def example(number: int, random: np.random.Generator) -> tuple[Floats, Floats]:
        changed = change(images[number, ..., 0], images, random)[..., np.newaxis]
        return np.repeat(changed, channels, axis=-1), targets[number]

    batches = Batches(len(images), example, plan.batch, seed, shown.draws)
    loss = balanced_loss(targets[shown.draws.numbers], plan.label_smoothing)
    return model, fit(model, batches, loss, plan, shelf, tell)


def fitted_autoencoder(
    normals: Images, plan: RestoringRecipe, seed: int, shelf: Shelf, tell: Tell
) -> tuple[keras.Model, Log]:
    """Return the restoring autoencoder fitted on normal images of shape (images, size, size, 1) and clouds on them."""

    def example(number: int, random: np.random.Generator) -> tuple[Floats, dict[str, Floats]]:
        clean, seen, mask = _painted(normals[number, ..., 0], random, "clouds")
        targets = {"restored": resize(clean, plan.size // 2), "mask": resize(mask, plan.size // 2)}
        return seen[..., np.newaxis], {name: target[..., np.newaxis] for name, target in targets.items()}

    keras.utils.set_random_seed(seed)
    model = restoring_autoencoder(plan.size, plan.width)
    loss = {"restored": keras.losses.MeanAbsoluteError(), "mask": keras.losses.BinaryCrossentropy(from_logits=True)}
    return model, fit(model, Batches(len(normals), example, plan.batch, seed), loss, plan, shelf, tell)


def fitted_one_class(
    normals: Images, plan: RestoringRecipe, seed: int, shelf: Shelf, tell: Tell
) -> tuple[keras.Model, Log]:
    """Return the one-class network fitted on normal images of shape (images, size, size, 1) and veils on them."""

    def example(number: int, random: np.random.Generator) -> tuple[Floats, dict[str, Floats]]:
        _, seen, mask = _painted(normals[number, ..., 0], random, "veils")
        return seen[..., np.newaxis], {"mask": resize(mask, plan.size // 2)[..., np.newaxis]}

    keras.utils.set_random_seed(seed)
    model, loss = one_class(plan.size, plan.width), {"mask": keras.losses.BinaryCrossentropy(from_logits=True)}
    return model, fit(model, Batches(len(normals), example, plan.batch, seed), loss, plan, shelf, tell)


def fitted_plain_autoencoder(
    normals: Images, plan: PlainRecipe, seed: int, shelf: Shelf, tell: Tell
) -> tuple[keras.Model, Log]:
    """Return the plain autoencoder fitted on normal images of shape (images, size, size, 1), as they are."""

    def example(number: int, _random: np.random.Generator) -> tuple[Floats, Floats]:
        return normals[number], normals[number]

    keras.utils.set_random_seed(seed)
    model, loss = plain_autoencoder(plan.size, plan.latent), keras.losses.MeanSquaredError()
    return model, fit(model, Batches(len(normals), example, plan.batch, seed), loss, plan, shelf, tell)


def targets_of(labels: NDArray[np.int64], classes: int) -> Floats:
    """Return what a classifier's outputs are compared with.

    Output shape
        (images, 1), presence of a single class, or (images, classes), one-hot.
    """
    if classes == 1:
        return labels.astype(np.float32)[:, np.newaxis]
    return np.eye(classes, dtype=np.float32)[labels]


def balanced_loss(targets: Floats, smoothing: float) -> object:
    """Return a cross-entropy on smoothed targets in which all classes weigh the same, absence being one.

    Parameters
    ----------
    targets
        Those of all training images, shape (images, outputs), as `targets_of` makes them.
    smoothing
        The share of each target that is spread over all classes.
    """
    single = targets.shape[1] == 1
    shares = np.concatenate([targets, 1.0 - targets], axis=1).mean(0) if single else targets.mean(0)
    weights = keras.ops.convert_to_tensor((1.0 / (len(shares) * shares)).astype(np.float32))

    def loss(truth: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        smooth = truth * (1.0 - smoothing) + smoothing / len(shares)
        kinds = keras.ops.concatenate([truth, 1.0 - truth], axis=-1) if single else truth
        entropy = keras.losses.binary_crossentropy if single else keras.losses.categorical_crossentropy
        return entropy(smooth, logits, from_logits=True) * keras.ops.sum(kinds * weights, axis=-1)

    return loss


def _painted(normal: Image, random: np.random.Generator, family: str) -> tuple[Image, Image, Image]:
    """Return a normal image as other equipment made it, the same with pathology and noise, and the pathology's mask."""
    clean = equipment(equipment(move(normal, random), random), random)
    painted, mask = (
        (clean, np.zeros_like(clean)) if random.random() < UNTOUCHED else with_opacities(clean, random, family)
    )
    return clean, stretch(noise(painted, random)), mask
