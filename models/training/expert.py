"""A site's expert beside a champion: the champion stays as it is, and a linear head on its features answers for a site.

The head says two things of an image: the class, and whether it is of this site or of what the champion was made for.
The second decides how much the first counts: on images like those that it was made for, the champion answers, weight
for weight, so that next to nothing is forgotten; on the site's, the expert does. Its features are the means, and the
means of the squares, of what every stage of every member of the champion sees: both are means over places, so that its
map is in closed form, too.

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
from models.networks.catalogue import classifier
from models.networks.compact_resnet import STAGE_OUTPUTS
from models.networks.weights import assign
from models.training.export import LOGITS, MAP, with_map

Floats = NDArray[np.float64]

FEWEST_SPREAD = 1e-3
"""Least standard deviation that a feature is divided by: one that hardly changes says nothing."""

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


@dataclass(frozen=True, slots=True)
class Expert:
    """What stands beside a champion, in numbers that 16 bits hold."""

    kernel: NDArray[np.float32]  #: shape (features, 2): of the class, and of how much that counts
    bias: NDArray[np.float32]  #: shape (2,)

    def arrays(self) -> Arrays:
        """Return it by name, as a bundle keeps it."""
        return {"kernel": self.kernel, "bias": self.bias}


def expert_of(own: Head, share: Head) -> Expert:
    """Return the expert of a logit of the class, and one of how much that counts."""
    kernel = rounded_to_half(np.stack([own.kernel, share.kernel], axis=1))
    return Expert(kernel, rounded_to_half(np.array([own.bias, share.bias])))


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
        What stands beside them.
    """
    image = keras.Input(members[0].input_shape[1:], name="image")
    said = _said(members, image)
    logits, places = (keras.ops.mean(keras.ops.stack([one[name] for one in said]), axis=0) for name in (LOGITS, MAP))
    maps, first = [], 0
    for number, stage in enumerate(map(_with_squares, _stages(said))):
        place = layers.Conv2D(2, 1, use_bias=False, name=f"expert{number}")
        maps.append(place(stage))
        place.set_weights([expert.kernel[np.newaxis, np.newaxis, first : first + stage.shape[-1]]])
        first += stage.shape[-1]
    own = layers.Add()([_mean(one) for one in maps]) + expert.bias
    fine = layers.Add()([layers.AveragePooling2D(one.shape[1] // places.shape[1])(one) for one in maps]) + expert.bias
    share = keras.ops.sigmoid(own[:, 1:])
    shares = keras.ops.reshape(share, (-1, 1, 1, 1))
    answer = share * own[:, :1] + (1.0 - share) * logits
    return keras.Model(image, {LOGITS: answer, MAP: shares * fine[..., :1] + (1.0 - shares) * places}, name="beside")


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
