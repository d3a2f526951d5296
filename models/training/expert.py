"""A site's expert beside a champion: the champion stays as it is, and a linear head on its features answers for a site.

The head says two things of an image: the class, and whether it is of this site or of what the champion was made for.
The second decides how much the first counts: on images like those that it was made for, the champion answers, weight
for weight, so that next to nothing is forgotten; on the site's, the expert does. Its features are the means, and the
means of the squares, of what every stage of every member of the champion sees: both are means over places, so that its
map is in closed form, too. Whose image it is, it says by their logarithms.

References
----------
Jacobs R, Jordan M, Nowlan S, Hinton G, "Adaptive Mixtures of Local Experts", Neural Computation 3(1), 1991 · Alain G,
Bengio Y, "Understanding intermediate layers using linear classifier probes", 2016 (every stage, not the last alone).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.bundle.folder import Arrays
from models.bundle.half import rounded_to_half
from models.data.labelled import Images
from models.inference.network import in_batches
from models.networks.classifiers import classifier
from models.networks.compact_resnet import STAGE_OUTPUTS
from models.networks.weights import assign
from models.training.litert_export import LOGITS, MAP, with_map

Floats = NDArray[np.float64]

FEWEST_SPREAD = 1e-3
"""Least standard deviation that a feature is divided by: one that hardly changes says nothing."""

FLOOR = 0.01
"""What is added to a feature, none of which is below 0, before its logarithm is taken."""

ITERATIONS = 2000


@dataclass(frozen=True, slots=True)
class Head:
    """A logit that is linear in features."""

    kernel: Floats  #: shape (features,)
    bias: float

    def __call__(self, features: NDArray[np.float32]) -> Floats:
        """Return the logits of features of shape (images, features)."""
        return np.asarray(features.astype(np.float64) @ self.kernel + self.bias, np.float64)

    def scaled(self, scale: float, shift: float) -> "Head":
        """Return the head whose logits are these times `scale`, plus `shift`."""
        return Head(self.kernel * scale, self.bias * scale + shift)

    def rounded(self) -> "Head":
        """Return the head in numbers that 16 bits hold."""
        return Head(rounded_to_half(self.kernel).astype(np.float64), float(rounded_to_half(np.array([self.bias]))[0]))


@dataclass(frozen=True, slots=True)
class Expert:
    """What stands beside a champion."""

    own: Head  #: the class, by features
    share: Head  #: how much that counts, by `logarithms` of features

    def arrays(self) -> Arrays:
        """Return it by name, as a bundle keeps it."""
        kept = {"class": self.own, "share": self.share}
        kernels = {f"{name}/kernel": one.kernel.astype(np.float32) for name, one in kept.items()}
        return kernels | {f"{name}/bias": np.array([one.bias], np.float32) for name, one in kept.items()}


def member_network(network: str, size: int, arrays: Mapping[str, NDArray[Any]]) -> keras.Model:
    """Return one of the champion's classifiers as it answers, with its map and what its stages see."""
    model = classifier(network, size, 1)
    assign(model, dict(arrays))
    seen = {name: model.get_layer(name).output for name in STAGE_OUTPUTS}
    return keras.Model(model.input, {**with_map(model).output, **seen})


def described(members: Sequence[keras.Model], images: Images) -> NDArray[np.float32]:
    """Return the features of images (images, size, size, 1), shape (images, features)."""
    image = keras.Input(members[0].input_shape[1:], name="image")
    means = [_mean(_with_squares(one)) for one in _stages(_said(members, image))]
    network = keras.Model(image, keras.ops.concatenate(means, axis=1))
    compiled = tf.function(partial(network, training=False), reduce_retracing=True)
    return np.asarray(in_batches(compiled, images), np.float32)


def logarithms(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithms of features of any shape."""
    return np.asarray(np.log(features + np.float32(FLOOR)), np.float32)


def fitted_head(
    features: NDArray[np.float32], truth: NDArray[np.bool_], weights: NDArray[np.float64], strength: float
) -> Head:
    """Return a logistic regression with a ridge penalty on standardised features, both kinds weighing the same.

    Parameters
    ----------
    features
        Shape (images, features).
    truth
        Which of the images are of the kind that the logit is for.
    weights
        Of each image.
    strength
        Inverse of the penalty, for images that weigh 1.
    """
    whole = features.astype(np.float64)
    centre, spread = whole.mean(0), np.maximum(whole.std(0), FEWEST_SPREAD)
    balanced = weights.copy()
    for kind in (truth, ~truth):
        balanced[kind] *= weights.sum() / (2.0 * weights[kind].sum())
    fitted = LogisticRegression(C=strength, max_iter=ITERATIONS).fit((whole - centre) / spread, truth, balanced)
    kernel = fitted.coef_[0] / spread
    return Head(kernel, float(fitted.intercept_[0] - centre @ kernel))


def beside(members: Sequence[keras.Model], expert: Expert) -> keras.Model:
    """Return the network that answers with the champion's word or the expert's, as the expert says whose image it is.

    Parameters
    ----------
    members
        The champion's classifiers (`member_network`), of which the mean answers; their input a multiple of 16.
    expert
        What stands beside them, in numbers that 16 bits hold.
    """
    image = keras.Input(members[0].input_shape[1:], name="image")
    said = _said(members, image)
    logits, places = (keras.ops.mean(keras.ops.stack([one[name] for one in said]), axis=0) for name in (LOGITS, MAP))
    stages = [_with_squares(one) for one in _stages(said)]
    features = keras.ops.concatenate([_mean(one) for one in stages], axis=1)
    own = _dense(expert.own, "class")(features)
    share = keras.ops.sigmoid(_dense(expert.share, "share")(keras.ops.log(features + FLOOR)))
    shares = keras.ops.reshape(share, (-1, 1, 1, 1))
    outputs = {
        LOGITS: share * own + (1.0 - share) * logits,
        MAP: shares * _places(stages, expert.own, places.shape[1]) + (1.0 - shares) * places,
    }
    return keras.Model(image, outputs, name="beside")


def _dense(head: Head, name: str) -> layers.Dense:
    layer = layers.Dense(1, name=name)
    layer.build((None, len(head.kernel)))
    layer.set_weights([head.kernel[:, np.newaxis], np.array([head.bias])])
    return layer


def _places(stages: Sequence[keras.KerasTensor], head: Head, size: int) -> keras.KerasTensor:
    """Return what each place says for the logit of a head, which is their mean; shape (batch, size, size, 1)."""
    maps, first = [], 0
    for number, stage in enumerate(stages):
        place = layers.Conv2D(1, 1, use_bias=False, name=f"places{number}")
        maps.append(layers.AveragePooling2D(stage.shape[1] // size)(place(stage)))
        place.set_weights([head.kernel[np.newaxis, np.newaxis, first : first + stage.shape[-1], np.newaxis]])
        first += stage.shape[-1]
    return layers.Add()(maps) + head.bias


def _said(members: Sequence[keras.Model], image: keras.KerasTensor) -> list[dict[str, keras.KerasTensor]]:
    """Return the named outputs of each member for one input."""
    named = [keras.Model(one.input, one.output, name=f"member{number}") for number, one in enumerate(members, 1)]
    return [one(image) for one in named]


def _stages(said: Sequence[Mapping[str, keras.KerasTensor]]) -> list[keras.KerasTensor]:
    return [one[name] for one in said for name in STAGE_OUTPUTS]


def _with_squares(stage: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.concatenate([stage, stage * stage], axis=-1)


def _mean(stage: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.mean(stage, axis=(1, 2))
