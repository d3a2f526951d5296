"""Grad-CAM: where a network looked whose answer has no closed form, such as the textbook CNNs.

For measuring only: it needs the weights for retraining and TensorFlow, which are loaded late. What serves explains
itself by its closed form or not at all.

References
----------
Selvaraju R et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import open_bundle
from models.bundle.manifest import Manifest
from models.inference.classify import prepared
from models.inference.network import Images, in_batches

WEIGHTS = "classifier.npz"


def bundle_maps(bundle: Path, manifest: Manifest) -> Callable[[Images], NDArray[np.float32]] | None:
    """Return the function from network input to maps (images, h, w, classes); None where there is nothing to build.

    Nothing is built where a bundle has no weights for retraining, as an imported one.
    """
    if WEIGHTS not in manifest.files:
        return None
    from models.networks.classifiers import classifier  # noqa: PLC0415 TensorFlow only where it is needed

    model = classifier(manifest.recipe["classifier"]["network"], manifest.classifier.size, len(manifest.classes))
    arrays = open_bundle(bundle).arrays["classifier"]
    for variable in model.weights:
        variable.assign(arrays[variable.path])
    return lambda images: in_batches(lambda some: grad_cam(model, prepared(some, manifest.classifier)), images)


def grad_cam(model: Any, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much each place of the last convolution speaks for each class, shape (images, h, w, classes).

    Input shape
        What the Keras model takes, (images, size, size, channels), float32; its output is (images, classes) logits.

    Output shape
        float32, 0 or more: the channels of the last feature map, each weighted by the mean gradient of the logit.
    """
    import keras  # noqa: PLC0415 TensorFlow only where it is needed
    import tensorflow as tf  # noqa: PLC0415 the same

    last = next(layer.output for layer in reversed(model.layers) if len(layer.output.shape) == 4)
    both = keras.Model(model.input, [last, model.output])
    with tf.GradientTape(persistent=True) as tape:
        features, logits = both(images, training=False)
        of_classes = tf.unstack(logits, axis=1)
    weights = tf.stack([tf.reduce_mean(tape.gradient(one, features), axis=(1, 2)) for one in of_classes], axis=-1)
    return np.asarray(tf.nn.relu(tf.einsum("nhwk,nkc->nhwc", features, weights)), np.float32)
