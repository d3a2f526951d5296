"""The restoring autoencoder: a small U-Net that paints out what does not belong into a normal radiograph.

It is trained on normal images only, with synthetic pathology put into them: one output is the image without it, the
other says where it was. On a patient's image the second answers "where is something that normals do not have". It works
at half the size of its input, where disease is seen as well and everything costs a quarter. Group normalisation,
because half-synthetic batches have no stable batch statistics.

References
----------
Ronneberger O et al., "U-Net", MICCAI 2015 · Zavrtanik V et al., "DRAEM", ICCV 2021 · Wu Y, He K, "Group
Normalization", ECCV 2018.
"""

import keras
from keras import layers

GROWTH = (2, 3, 4)
"""Channels of the three lower levels, in widths of the first."""

EPSILON = 2.0**-10
"""Keeps normalisation finite; near the usual 0.001, and exact in 16 bits, in which exported constants are stored."""


def restoring_autoencoder(size: int, width: int) -> keras.Model:
    """Return the untrained U-Net: a stem that halves, three levels down, three up, two heads.

    Input shape
        (batch, size, size, 1), float32 in [0, 1]; size a multiple of 16, width of 8.

    Output shape
        {"restored": (batch, size / 2, size / 2, 1) float32, the image as if normal; "mask": of that shape, float32
        logits, positive where something was painted in}.
    """
    image = keras.Input((size, size, 1), name="image")
    features = trunk(image, width)
    heads = {name: layers.Conv2D(1, 1, name=name)(features) for name in ("restored", "mask")}
    return keras.Model(image, heads, name="restoring_autoencoder")


def trunk(image: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Return the U-Net's features of an image, shape (batch, size / 2, size / 2, width)."""
    features = _convolved(_convolved(image, width, "stem", 2), width, "down0")
    skips = []
    for level, growth in enumerate(GROWTH, start=1):
        skips.append(features)
        features = layers.MaxPooling2D(name=f"pool{level}")(features)
        for part in "ab":
            features = _convolved(features, width * growth, f"down{level}_{part}")
    for level, skip in reversed(list(enumerate(skips))):
        up = layers.UpSampling2D(name=f"up{level}")(features)
        features = _convolved(layers.Concatenate(name=f"join{level}")([up, skip]), skip.shape[-1], f"out{level}")
    return _convolved(features, width, "last")


def _convolved(features: keras.KerasTensor, channels: int, name: str, stride: int = 1) -> keras.KerasTensor:
    """Convolution, normalisation in groups of eight channels, rectifier."""
    features = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False, name=name)(features)
    features = layers.GroupNormalization(max(channels // 8, 1), epsilon=EPSILON, name=f"{name}_norm")(features)
    return layers.ReLU(name=f"{name}_relu")(features)
