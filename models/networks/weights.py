"""A network's variables as named arrays, and back.

It knows Keras models built by code and names such as `block0_a/kernel`; it opens no file.
"""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from models.bundle.folder import Arrays, BundleError
from models.bundle.half import rounded_to_half


def arrays_of(model: keras.Model) -> Arrays:
    """Return a copy of every weight, by its path in the model: layer, then variable."""
    return {variable.path: variable.value.numpy().astype(np.float32) for variable in model.weights}


def round_to_half(model: keras.Model) -> None:
    """Round every weight in place to a number that float16 holds: once, before anything is measured with them.

    A convolution first takes over the scale of the batch normalisation behind it, because the two are one when
    exported, and that one's weights are what 16 bits must hold. The normalisation keeps its few numbers in 32 bits.

    Raises
    ------
    ValueError
        Where a weight is beyond that range or is no number; the message names it.
    """
    pairs = _normalised(model)
    for convolution, norm in pairs:
        _take_over_scale(model, convolution, norm)
    done = {variable.path for pair in pairs for layer in pair for variable in layer.weights}
    for variable in model.weights:
        if variable.path not in done:
            variable.assign(_rounded(model, variable, variable.value.numpy()))


def scale_of(norm: layers.BatchNormalization) -> NDArray[np.float64]:
    """Return what a batch normalisation multiplies each channel by when it serves."""
    gamma, variance = (value.numpy().astype(np.float64) for value in (norm.gamma, norm.moving_variance))
    return np.asarray(gamma / np.sqrt(variance + norm.epsilon), np.float64)


def _normalised(model: keras.Model) -> list[tuple[layers.Conv2D, layers.BatchNormalization]]:
    """Return the convolutions without bias that a batch normalisation follows, each with it."""
    plain = (layer for layer in model.layers if isinstance(layer, layers.Conv2D) and not layer.use_bias)
    by_output = {id(layer.output): layer for layer in plain}
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    return [(by_output[id(norm.input)], norm) for norm in norms if id(norm.input) in by_output]


def _take_over_scale(model: keras.Model, convolution: layers.Conv2D, norm: layers.BatchNormalization) -> None:
    """Leave what the two give together as it is, but for the rounding; the normalisation scales by one afterwards."""
    scale = scale_of(norm)
    mean = norm.moving_mean.numpy() * scale
    # variance = gamma^2 - epsilon must stay above 0
    gamma = np.maximum(np.abs(norm.gamma.numpy()), 2.0 * np.sqrt(norm.epsilon))
    bias = _rounded(model, norm.beta, norm.beta.numpy() - mean)
    convolution.kernel.assign(_rounded(model, convolution.kernel, convolution.kernel.numpy() * scale))
    norm.gamma.assign(gamma)
    norm.moving_variance.assign(gamma**2 - norm.epsilon)
    norm.moving_mean.assign(mean)
    norm.beta.assign(bias + mean)


def _rounded(model: keras.Model, variable: keras.Variable, value: NDArray[Any]) -> NDArray[np.float32]:
    try:
        return rounded_to_half(value)
    except ValueError as error:
        raise ValueError(f"{model.name}: {variable.path}: {error}") from error


def assign(model: keras.Model, arrays: Arrays) -> None:
    """Put stored weights into a model that code has built.

    Raises
    ------
    BundleError
        Where a variable is missing, unknown, or of another shape; the message names it.
    """
    variables = {variable.path: variable for variable in model.weights}
    if different := sorted(set(variables) ^ set(arrays)):
        raise BundleError(f"{model.name} and its weights differ in the variable {different[0]}")
    for name, variable in variables.items():
        if tuple(variable.shape) != arrays[name].shape:
            raise BundleError(f"{model.name}: {name} has the shape {arrays[name].shape}, not {tuple(variable.shape)}")
        variable.assign(arrays[name])
