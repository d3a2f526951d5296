"""The restoring autoencoder: a small U-Net that paints out what does not belong into a normal radiograph.

It is trained on normal images only, with synthetic opacities put into them: one output is the image without them, the
other says where they were. On a patient's image the second answers "where is something that normals do not have".
Group normalisation, because half-synthetic batches have no stable batch statistics.

References
----------
Ronneberger O et al., "U-Net", MICCAI 2015 · Zavrtanik V et al., "DRAEM", ICCV 2021 · Wu Y, He K, "Group
Normalization", ECCV 2018.
"""

import cv2
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from models.preprocess import Image

WORST_SHARE = 0.05
"""Share of the pixels, the most suspicious ones, whose mean mask value is the anomaly score."""


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


def anomaly_score(mask: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much of an image looks painted in: the mean mask logit of its most suspicious pixels.

    Input shape
        (images, size, size, 1), float32 logits.

    Output shape
        (images,), float64; only its place among the scores of normals means anything.
    """
    pixels = np.sort(mask.reshape(len(mask), -1), axis=1)
    worst = max(int(pixels.shape[1] * WORST_SHARE), 1)
    return np.asarray(pixels[:, -worst:].mean(1), np.float64)


def with_opacities(image: Image, random: np.random.Generator) -> tuple[Image, Image]:
    """Return the image with soft synthetic opacities, and the mask of where they are.

    Input shape
        (size, size), float32 in [0, 1].

    Output shape
        Image (size, size), float32 in [0, 1]; mask (size, size), float32, 0 or 1.
    """
    opacity = np.zeros_like(image)
    for _ in range(int(random.integers(1, 5))):
        opacity = np.maximum(opacity, _opacity(image.shape[0], random))
    # An opacity attenuates: it moves what lies under it towards the brightness of dense tissue, and hides structure.
    brightness = random.uniform(0.55, 0.95)
    hidden = cv2.GaussianBlur(image, (0, 0), random.uniform(1.0, 4.0))
    veiled = image + opacity * (0.5 * (hidden - image) + np.maximum(brightness - hidden, 0.0))
    return np.clip(veiled, 0.0, 1.0).astype(np.float32), (opacity > 0.1).astype(np.float32)


def _opacity(size: int, random: np.random.Generator) -> Image:
    """Return one cloud: a turned ellipse with a ragged, soft edge; strength 0 to 0.9."""
    row, column = np.mgrid[0:size, 0:size].astype(np.float32) / size
    center_row, center_column = random.uniform(0.2, 0.85), random.uniform(0.12, 0.88)
    angle, long, short = random.uniform(0, np.pi), random.uniform(0.06, 0.3), random.uniform(0.04, 0.18)
    along = (column - center_column) * np.cos(angle) + (row - center_row) * np.sin(angle)
    across = (row - center_row) * np.cos(angle) - (column - center_column) * np.sin(angle)
    distance = (along / long) ** 2 + (across / short) ** 2
    ragged = cv2.resize(random.normal(0, 1, (8, 8)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    texture = cv2.resize(random.normal(0, 1, (16, 16)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    cloud = 0.5 - 0.5 * np.tanh(random.uniform(1, 3) * (distance - 1.0 + 0.35 * ragged))
    return np.asarray(random.uniform(0.15, 0.9) * cloud * np.clip(1.0 + 0.3 * texture, 0.3, 1.3), np.float32)


def _double(features: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Two convolutions, each normalised in groups of eight channels."""
    for part in "ab":
        features = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_{part}")(features)
        features = layers.GroupNormalization(max(channels // 8, 1), name=f"{name}_{part}_norm")(features)
        features = layers.ReLU(name=f"{name}_{part}_relu")(features)
    return features
