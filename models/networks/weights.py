"""A network's variables as named arrays, and back.

It knows Keras models built by code and names such as `block0_a/kernel`; it opens no file.
"""

import keras
import numpy as np

from models.bundle.folder import Arrays, BundleError
from models.bundle.half import rounded_to_half


def arrays_of(model: keras.Model) -> Arrays:
    """Return a copy of every weight, by its path in the model: layer, then variable."""
    return {variable.path: variable.value.numpy().astype(np.float32) for variable in model.weights}


def round_to_half(model: keras.Model) -> None:
    """Round every weight in place to a number that float16 holds: once, before anything is measured with them.

    Raises
    ------
    ValueError
        Where a weight is beyond that range or is no number; the message names it.
    """
    for variable in model.weights:
        try:
            variable.assign(rounded_to_half(variable.value.numpy()))
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
