"""The restoring autoencoder: a small U-Net that paints out what does not belong into a normal radiograph.

It is trained on normal images only, with synthetic opacities put into them: one output is the image without them, the
other says where they were. On a patient's image the second answers "where is something that normals do not have".
Group normalisation, because half-synthetic batches have no stable batch statistics.

References
----------
Ronneberger O et al., "U-Net", MICCAI 2015 · Zavrtanik V et al., "DRAEM", ICCV 2021 · Wu Y, He K, "Group
Normalization", ECCV 2018.
"""

import keras
from keras import layers


def restoring_autoencoder(size: int, width: int) -> keras.Model:
    """Return the untrained U-Net: three levels down, three up, two heads.

    Input shape
        (batch, size, size, 1), float32 in [0, 1]; size a multiple of 8.

    Output shape
        {"restored": (batch, size, size, 1) float32, the image as if normal; "mask": (batch, size, size, 1) float32
        logits, positive where something was painted in}.
    """
    image = keras.Input((size, size, 1), name="image")
    features, skips = _double(image, width, "down0"), []
    for level in (1, 2, 3):
        skips.append(features)
        features = _double(layers.MaxPooling2D(name=f"pool{level}")(features), width * 2**level, f"down{level}")
    for level in (2, 1, 0):
        up = layers.UpSampling2D(name=f"up{level}")(features)
        features = _double(layers.Concatenate(name=f"join{level}")([up, skips[level]]), width * 2**level, f"out{level}")
    heads = {name: layers.Conv2D(1, 1, name=name)(features) for name in ("restored", "mask")}
    return keras.Model(image, heads, name="restoring_autoencoder")


def _double(features: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Two convolutions, each normalised in groups of eight channels."""
    for part in "ab":
        features = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_{part}")(features)
        features = layers.GroupNormalization(max(channels // 8, 1), name=f"{name}_{part}_norm")(features)
        features = layers.ReLU(name=f"{name}_{part}_relu")(features)
    return features
