"""From a fitted Keras model to the LiteRT file that serves: the same numbers, run without TensorFlow.

It knows models and flatbuffers, no bundle. Everything is computed in 32 bits; weights are stored in 16 bits where that
loses nothing: where no normalisation that is folded into a convolution scales it any more.
"""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from models.networks.weights import scale_of

LOGITS, MAP = "logits", "map"
"""Names of an exported classifier's outputs."""

ROUNDING = 1e-6
"""How far from one a scale may be by 32-bit arithmetic; a 16-bit number times that rounds back to itself."""


def exported(model: keras.Model) -> bytes:
    """Return a fitted model with named outputs as a LiteRT flatbuffer for any number of images.

    Parameters
    ----------
    model
        Its weights are numbers that float16 holds (`models.networks.weights.round_to_half`); its outputs are a
        dictionary by name.

    Returns
    -------
    bytes
        The input is called "image"; equal weights give equal bytes.
    """
    module = tf.Module()
    module.variables_of_the_model = [variable.value for variable in model.variables]
    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")
    module.call = tf.function(lambda image: model(image, training=False), input_signature=[signature])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    if _exact_in_half(model):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def averaged(members: Sequence[keras.Model]) -> keras.Model:
    """Return the model whose named outputs are the means of its members', which all take the same input.

    The mean of maps is the map of the mean logits, so that it stays in closed form.
    """
    if len(members) == 1:
        return members[0]
    image = keras.Input(members[0].input_shape[1:], name="image")
    named = [keras.Model(one.input, one.output, name=f"member{number}") for number, one in enumerate(members, start=1)]
    said = [one(image) for one in named]
    # a mean over an axis: a factor of 1/3 would be rounded to 16 bits with the weights
    outputs = {name: keras.ops.mean(keras.ops.stack([one[name] for one in said]), axis=0) for name in said[0]}
    return keras.Model(image, outputs, name=members[0].name)


def with_map(model: keras.Model) -> keras.Model:
    """Return a classifier that also says which place of the image said how much of each logit.

    Where a linear head follows an average over places, the head on each place alone has the logits as its mean: the map
    is in closed form, `features . W + b`. Other classifiers get no map.

    Output shape
        {"logits": (batch, classes), "map": (batch, h, w, classes)}, float32.

    References
    ----------
    Zhou B et al., "Learning Deep Features for Discriminative Localization", CVPR 2016.
    """
    head, pool = model.layers[-1], model.layers[-2]
    if not (isinstance(head, layers.Dense) and isinstance(pool, layers.GlobalAveragePooling2D)):
        return keras.Model(model.input, {LOGITS: model.output}, name=model.name)
    place = layers.Conv2D(head.units, 1, name=MAP)
    outputs = {LOGITS: model.output, MAP: place(pool.input)}
    place.set_weights([head.kernel.numpy()[None, None], head.bias.numpy()])
    return keras.Model(model.input, outputs, name=model.name)


def _exact_in_half(model: keras.Model) -> bool:
    """Return whether folding normalisations into convolutions leaves numbers that 16 bits hold."""
    norms = (layer for layer in _layers(model) if isinstance(layer, layers.BatchNormalization))
    return all(np.allclose(scale_of(norm), 1.0, rtol=0.0, atol=ROUNDING) for norm in norms)


def _layers(model: keras.Model) -> Iterator[layers.Layer]:
    """Yield the layers of a model and of the models in it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer
