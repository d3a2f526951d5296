"""Which examples each network is fitted on, and with which loss.

It joins images, augmentation and architectures; `models.training.fitting` turns the crank.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from models.images.augment import aug2, equipment, move, noise
from models.images.opacities import with_opacities
from models.images.preprocess import stretch
from models.inference.reader import Images
from models.networks.compact_resnet import compact_resnet
from models.networks.restoring_autoencoder import restoring_autoencoder
from models.networks.textbook import textbook_cnn
from models.training.fitting import Batches, Log, Tell, fit
from models.training.recipe import Schedule

UNTOUCHED = 0.25
"""Share of the autoencoder's examples without an opacity: it has to know when to leave an image alone."""


def fitted_classifier(
    images: Images, labels: NDArray[np.float32], schedule: Schedule, seed: int, tell: Tell
) -> tuple[keras.Model, Log]:
    """Return the compact ResNet fitted with "aug2", smoothed labels and both classes weighing the same.

    Input shape
        images (images, size, size, 1), float32 in [0, 1]; labels (images,), 0 or 1.
    """

    def example(number: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return aug2(images[number, ..., 0], random)[..., np.newaxis], labels[number, np.newaxis]

    keras.utils.set_random_seed(seed)
    model = compact_resnet(schedule.size, 1)
    batches = Batches(len(images), example, schedule.batch, seed)
    return model, fit(model, batches, balanced_loss(labels, schedule), schedule, tell)


def fitted_baseline(
    images: Images, labels: NDArray[np.float32], schedule: Schedule, seed: int, tell: Tell
) -> tuple[keras.Model, Log]:
    """Return the textbook CNN fitted on the images as they are."""

    def example(number: int, _random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return images[number], labels[number, np.newaxis]

    keras.utils.set_random_seed(seed)
    model = textbook_cnn(schedule.size, 1)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return model, fit(model, Batches(len(images), example, schedule.batch, seed), loss, schedule, tell)


def fitted_autoencoder(normals: Images, schedule: Schedule, seed: int, tell: Tell) -> tuple[keras.Model, Log]:
    """Return the restoring autoencoder fitted on normal images of shape (images, size, size, 1)."""

    def example(number: int, random: np.random.Generator) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        clean = equipment(move(normals[number, ..., 0], random), random)
        opaque, mask = with_opacities(clean, random) if random.random() > UNTOUCHED else (clean, np.zeros_like(clean))
        targets = {"restored": clean[..., np.newaxis], "mask": mask[..., np.newaxis]}
        return stretch(noise(opaque, random))[..., np.newaxis], targets

    keras.utils.set_random_seed(seed)
    model = restoring_autoencoder(schedule.size, schedule.width)
    loss = {"restored": keras.losses.MeanAbsoluteError(), "mask": keras.losses.BinaryCrossentropy(from_logits=True)}
    return model, fit(model, Batches(len(normals), example, schedule.batch, seed), loss, schedule, tell)


def balanced_loss(labels: NDArray[np.float32], schedule: Schedule) -> object:
    """Return a cross-entropy on smoothed labels in which both classes weigh the same."""
    share, smoothing = float(labels.mean()), schedule.label_smoothing

    def loss(truth: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        smooth = truth * (1.0 - smoothing) + smoothing / 2.0
        entropy = keras.losses.binary_crossentropy(smooth, logits, from_logits=True)
        weight = truth[..., 0] / (2.0 * share) + (1.0 - truth[..., 0]) / (2.0 * (1.0 - share))
        return entropy * weight

    return loss
