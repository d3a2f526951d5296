"""The classifiers: the compact ResNet that serves, and the textbook CNN that it is measured against.

Architecture only: what trains them is `models.training.fitting`, what stores them is `models.networks.weights`.

References
----------
He K et al., "Deep Residual Learning for Image Recognition", CVPR 2016 · Lin M et al., "Network in Network", ICLR 2014
(global average pooling).
"""

import keras
from keras import layers

STAGES = (16, 32, 64, 128)
"""Channels of the residual stages; each after the first halves rows and columns."""

STAGE_OUTPUTS = tuple(f"block{number}_out" for number in range(len(STAGES)))
"""Names of the layers that end the stages."""


def compact_resnet(size: int, classes: int) -> keras.Model:
    """Return the untrained classifier: a stem, four residual blocks, average pooling, one linear layer.

    The head is linear on averaged features, so that the contribution of each place to a logit has a closed form.

    Input shape
        (batch, size, size, 1), float32 in [0, 1].

    Output shape
        (batch, classes), float32 logits, one for the presence of each class.
    """
    image = keras.Input((size, size, 1), name="image")
    features = _convolved(image, STAGES[0], "stem", stride=2)
    for number, channels in enumerate(STAGES):
        features = _residual(features, channels, f"block{number}", stride=1 if number == 0 else 2)
    pooled = layers.GlobalAveragePooling2D(name="pool")(features)
    return keras.Model(image, layers.Dense(classes, name="head")(pooled), name="compact_resnet")


def _residual(features: keras.KerasTensor, channels: int, name: str, *, stride: int) -> keras.KerasTensor:
    """Two convolutions around a shortcut, which is projected where its shape changes."""
    shortcut = features
    if stride != 1 or features.shape[-1] != channels:
        shortcut = layers.Conv2D(channels, 1, strides=stride, use_bias=False, name=f"{name}_shortcut")(features)
        shortcut = layers.BatchNormalization(name=f"{name}_shortcut_norm")(shortcut)
    changed = _convolved(features, channels, f"{name}_a", stride=stride)
    changed = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_b")(changed)
    changed = layers.BatchNormalization(name=f"{name}_b_norm")(changed)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, changed]))


def _convolved(features: keras.KerasTensor, channels: int, name: str, *, stride: int) -> keras.KerasTensor:
    """Convolution, normalisation, rectifier."""
    features = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False, name=name)(features)
    features = layers.BatchNormalization(name=f"{name}_norm")(features)
    return layers.ReLU(name=f"{name}_relu")(features)
