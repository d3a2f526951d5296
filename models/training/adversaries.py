"""Generator and discriminator taking turns: one step of each at a time, the other one held still.

It knows the two networks, their losses and what both may see; data, epochs and files are `models.training.gan`'s.
Every random choice follows from the seeds that are handed in.

References
----------
Goodfellow I et al., "Generative Adversarial Nets", NeurIPS 2014 (the non-saturating loss) · Mescheder L et al., "Which
Training Methods for GANs do actually Converge?", ICML 2018 (the penalty on the slope at real images) · Karras T et al.,
"Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020 (that penalty on some steps only) · Zhao S et al.,
"Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020 · Yazici Y et al., "The Unusual
Effectiveness of Averaging in GAN Training", ICLR 2019.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.networks.dcgan import discriminator, generator
from models.training.gan_recipe import GanSchedule

Numbers = dict[str, NDArray[Any]]
"""Everything that two adversaries have learned, by stable names."""

MOMENTUM, SQUARES = 0.0, 0.99
"""What Adam keeps of past gradients and of their squares: no momentum, because the opponent moves."""


class Adversaries:
    """The two networks, the generator's average, and their optimisers.

    Parameters
    ----------
    schedule
        Architecture, labels and rates.
    seed
        First weights, and all later randomness of the augmentation.
    """

    def __init__(self, schedule: GanSchedule, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        self._schedule, self._seed = schedule, seed
        size, widest, labels = schedule.size, schedule.widest, len(schedule.labels)
        self.generator, self.averaged = (
            generator(size, schedule.latent, labels, schedule.generator_width, widest) for _ in range(2)
        )
        self.discriminator = discriminator(size, labels, schedule.discriminator_width, widest)
        self.averaged.set_weights(self.generator.get_weights())
        self._optimizers = {
            network.name: _optimizer(network, schedule.rate) for network in (self.generator, self.discriminator)
        }
        self._judge = tf.function(self._judge_step, reduce_retracing=True)
        self._flatten = tf.function(self._penalty_step, reduce_retracing=True)
        self._paint = tf.function(self._paint_step, reduce_retracing=True)

    def turn(
        self, step: int, images: NDArray[np.float32], labels: NDArray[np.float32], latent: NDArray[np.float32]
    ) -> tuple[float, float]:
        """Let the discriminator learn once, then the generator, and return their losses.

        Parameters
        ----------
        step
            Number of the turn, from 0; decides the augmentation, and whether the penalty is due.
        images
            Real ones, shape (batch, size, size, 1), float32 in [-1, 1].
        labels
            Of the real images and of those to be painted, shape (batch, labels), one-hot.
        latent
            Standard normal, shape (2, batch, latent): for the discriminator's step and for the generator's.
        """
        seeds = tf.random.split(tf.constant([self._seed, step], tf.int32), 4)
        judged = self._judge(images, labels, latent[0], seeds)
        if step % self._schedule.penalty_every == 0:
            self._flatten(images, labels, seeds[3])
        kept = np.float32(min(self._schedule.averaging, (1 + step) / (10 + step)))  # a young average would be the start
        return float(judged), float(self._paint(labels, latent[1], seeds[2], kept))

    def numbers(self) -> Numbers:
        """Return a copy of all weights and of the optimisers' state."""
        return {name: np.array(variable.numpy()) for name, variable in self._variables().items()}

    def restore(self, numbers: Numbers) -> None:
        """Put back what `numbers` returned.

        Raises
        ------
        KeyError, ValueError
            Where they belong to other networks.
        """
        for name, variable in self._variables().items():
            variable.assign(numbers[name])

    def _variables(self) -> dict[str, Any]:
        networks = {"generator": self.generator, "averaged": self.averaged, "discriminator": self.discriminator}
        owners = {name: network.weights for name, network in networks.items()}
        owners |= {f"{name}-optimizer": optimizer.variables for name, optimizer in self._optimizers.items()}
        return {
            f"{owner}/{number:03}": variable.value
            for owner, variables in owners.items()
            for number, variable in enumerate(variables)
        }

    def _judge_step(self, images: tf.Tensor, labels: tf.Tensor, latent: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        """Teach the discriminator to tell real from painted; the generator stands still."""
        painted = self.generator(tf.concat([latent, labels], axis=1), training=True)
        with tf.GradientTape() as tape:
            real = self.discriminator({"image": seen(images, seeds[0]), "label": labels}, training=True)
            false = self.discriminator({"image": seen(painted, seeds[1]), "label": labels}, training=True)
            loss = tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(false))
        self._learn(self.discriminator, tape, loss)
        return loss

    def _penalty_step(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> None:
        """Teach the discriminator to be flat where images are real."""
        changed = seen(images, seed)
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(changed)
                logits = tf.reduce_sum(self.discriminator({"image": changed, "label": labels}, training=True))
            slope = tf.reduce_mean(tf.reduce_sum(tf.square(inner.gradient(logits, changed)), (1, 2, 3)))
            loss = 0.5 * self._schedule.penalty * self._schedule.penalty_every * slope
        self._learn(self.discriminator, tape, loss)

    def _paint_step(self, labels: tf.Tensor, latent: tf.Tensor, seed: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        """Teach the generator to be taken for real; the discriminator is frozen."""
        with tf.GradientTape() as tape:
            painted = seen(self.generator(tf.concat([latent, labels], axis=1), training=True), seed)
            logits = self.discriminator({"image": painted, "label": labels}, training=False)
            loss = tf.reduce_mean(tf.nn.softplus(-logits))
        self._learn(self.generator, tape, loss)
        for average, weight in zip(self.averaged.weights, self.generator.weights, strict=True):
            average.assign(kept * average + (1.0 - kept) * weight)
        return loss

    def _learn(self, network: keras.Model, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        """Move this network's weights and no other's."""
        weights = network.trainable_variables
        gradients = [
            tf.zeros_like(weight) if gradient is None else gradient  # a bias has no part in a slope
            for gradient, weight in zip(tape.gradient(loss, weights), weights, strict=True)
        ]
        self._optimizers[network.name].apply(gradients, weights)


def seen(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return images as the discriminator sees them, real and painted alike: brighter, flatter, moved, partly hidden.

    A few thousand images are soon known by heart; changes that a gradient can pass through keep that from paying.
    Never mirrored: the heart is on the left.

    Input shape
        images (batch, size, size, 1), float32 in [-1, 1]; seed (2,), int32.

    Output shape
        (batch, size, size, 1), float32 around [-1, 1].
    """
    chance = tf.random.stateless_uniform((6, tf.shape(images)[0]), seed)
    size = images.shape[1]
    toned = _toned(images, chance[0] - 0.5, chance[1] + 0.5)
    moved = _moved(toned, _whole(chance[2], 2 * (size // 8) + 1), _whole(chance[3], 2 * (size // 8) + 1))
    return _hidden(moved, _whole(chance[4], size + 1), _whole(chance[5], size + 1))


def _toned(images: tf.Tensor, brighter: tf.Tensor, contrast: tf.Tensor) -> tf.Tensor:
    images += 0.6 * brighter[:, None, None, None]
    middle = tf.reduce_mean(images, (1, 2, 3), keepdims=True)
    return (images - middle) * contrast[:, None, None, None] + middle


def _moved(images: tf.Tensor, down: tf.Tensor, across: tf.Tensor) -> tf.Tensor:
    """Shift by up to an eighth of each side; grey comes in."""
    size, margin = images.shape[1], images.shape[1] // 8
    framed = tf.pad(images, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
    rows = tf.gather(framed, down[:, None] + tf.range(size)[None], axis=1, batch_dims=1)
    return tf.gather(rows, across[:, None] + tf.range(size)[None], axis=2, batch_dims=1)


def _hidden(images: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
    """Grey out a square of half of each side."""
    size = images.shape[1]
    place = tf.range(size)[None]
    inside = (tf.abs(place - row[:, None]) < size // 4)[:, :, None] & (tf.abs(place - column[:, None]) < size // 4)[
        :, None
    ]
    return tf.where(inside[..., None], 0.0, images)


def _whole(chance: tf.Tensor, below: int) -> tf.Tensor:
    """Return numbers from 0 to `below` - 1 for numbers from 0 to below 1."""
    return tf.cast(chance * below, tf.int32)


def _optimizer(network: keras.Model, rate: float) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.Adam(rate, MOMENTUM, SQUARES)
    optimizer.build(network.trainable_variables)
    return optimizer


def exported_generator(network: keras.Model) -> bytes:
    """Return a generator as LiteRT runs it, one image at a time, its weights in 16 bits.

    The input is called `style`, the output `image`.
    """
    style = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32, name="style")
    paint = tf.function(lambda style: {"image": network(style, training=False)}, input_signature=[style])
    owner = tf.Module()
    owner.variables_in_use = [weight.value for weight in network.weights]  # the converter must find them
    converter = tf.lite.TFLiteConverter.from_concrete_functions([paint.get_concrete_function()], owner)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())
