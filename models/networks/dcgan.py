"""The conditional DCGAN: a generator that paints radiographs of a wanted label, and the discriminator that judges them.

Architecture only: `models.training.adversaries` lets the two learn from each other, and `models.inference.generator`
runs the exported generator without TensorFlow. Transposed and strided convolutions as in the DCGAN; the label sets
scale and offset after each normalisation of the generator, and the discriminator compares it with what it sees.

References
----------
Radford A et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
ICLR 2016 · Miyato T, Koyama M, "cGANs with Projection Discriminator", ICLR 2018 · Brock A et al., "Large Scale GAN
Training for High Fidelity Natural Image Synthesis", ICLR 2019 (latent values in every normalisation) · Karras T et al.,
"Progressive Growing of GANs", ICLR 2018 (deviation within the batch).
"""

import keras
from keras import layers, ops

SMALLEST = 7
"""Rows and columns up to which the image is not halved any further; the generator starts from there."""

SLOPE = 0.2
"""Of the leaky rectifiers, for values below 0."""

JUDGED = 128
"""Numbers by which the discriminator describes an image, before it compares them with the label."""


def generator(size: int, latent: int, labels: int, width: int, widest: int) -> keras.Model:
    """Return the untrained generator: a dense layer, then transposed convolutions that double.

    Parameters
    ----------
    size
        Rows and columns of its images; halved as often as it is even, it must reach 7 or less.
    latent
        Numbers that make one image differ from the next.
    labels
        Labels to choose from.
    width
        Channels at half of the image's size would be twice this, at a quarter four times, and so on.
    widest
        Channels at most.

    Input shape
        (batch, latent + labels), float32: standard normal values, then the label one-hot.

    Output shape
        (batch, size, size, 1), float32 in [-1, 1].
    """
    rows, style = smallest(size), keras.Input((latent + labels,), name="style")
    channels = _channels(size, rows, width, widest)
    features = layers.Reshape((rows, rows, channels), name="grid")(layers.Dense(rows**2 * channels, name="seed")(style))
    features = _styled(features, style, f"at{rows}")
    while rows < size // 2:
        rows *= 2
        channels = _channels(size, rows, width, widest)
        features = layers.Conv2DTranspose(channels, 4, 2, padding="same", use_bias=False, name=f"up{rows}")(features)
        features = _styled(features, style, f"at{rows}")
    image = layers.Conv2DTranspose(1, 4, 2, padding="same", activation="tanh", name="image")(features)
    return keras.Model(style, image, name="generator")


def discriminator(size: int, labels: int, width: int, widest: int) -> keras.Model:
    """Return the untrained discriminator: strided convolutions that halve, then a comparison with the label.

    Parameters
    ----------
    size, labels, width, widest
        As of the generator.

    Input shape
        {"image": (batch, size, size, 1) in [-1, 1]; "label": (batch, labels), one-hot}, both float32.

    Output shape
        (batch, 1), float32 logits, positive where the image looks real and of its label.
    """
    image, label = keras.Input((size, size, 1), name="image"), keras.Input((labels,), name="label")
    features, rows = image, size
    while rows > smallest(size):
        rows //= 2
        channels = _channels(size, rows, width, widest)
        features = layers.Conv2D(channels, 4, 2, padding="same", name=f"down{rows}")(features)
        features = layers.LeakyReLU(SLOPE, name=f"down{rows}_relu")(features)
    features = layers.Concatenate(name="varied")([features, _variety(features)])
    features = layers.Conv2D(widest, 3, padding="same", name="last")(features)
    features = layers.LeakyReLU(SLOPE, name="last_relu")(features)
    judged = layers.Dense(JUDGED, name="judged")(layers.Flatten(name="flat")(features))
    judged = layers.LeakyReLU(SLOPE, name="judged_relu")(judged)
    wanted = layers.Dense(JUDGED, use_bias=False, name="wanted")(label)
    fitting = ops.sum(judged * wanted, axis=-1, keepdims=True) / JUDGED**0.5
    logits = layers.Add(name="logits")([layers.Dense(1, name="real")(judged), fitting])
    return keras.Model({"image": image, "label": label}, logits, name="discriminator")


def smallest(size: int) -> int:
    """Return the rows of the grid between generator and discriminator: `size` halved until it is 7 or less.

    Raises
    ------
    ValueError
        Where an odd number above 7 is met on the way.
    """
    rows = size
    while rows > SMALLEST:
        if rows % 2:
            raise ValueError(f"an image of {size} rows cannot be halved down to {SMALLEST} or less: use 64, 96 or 128")
        rows //= 2
    return rows


def _channels(size: int, rows: int, width: int, widest: int) -> int:
    return min(width * (size // rows), widest)


def _styled(features: keras.KerasTensor, style: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Normalise, then scale and move each channel as latent values and label say, then rectify."""
    channels = features.shape[-1]
    start = keras.initializers.RandomNormal(0.0, 0.02)
    said = layers.Dense(2 * channels, kernel_initializer=start, name=f"{name}_style")(style)
    scale, offset = ops.split(layers.Reshape((1, 1, 2 * channels), name=f"{name}_shaped")(said), 2, axis=-1)
    plain = layers.BatchNormalization(center=False, scale=False, momentum=0.9, name=f"{name}_norm")(features)
    return layers.LeakyReLU(SLOPE, name=f"{name}_relu")(plain * (1.0 + scale) + offset)


def _variety(features: keras.KerasTensor) -> keras.KerasTensor:
    """Return how much the batch differs within itself, as one more channel: a generator that repeats itself shows."""
    deviation = ops.mean(ops.sqrt(ops.var(features, axis=0) + 1e-6))
    return ops.ones_like(features[..., :1]) * deviation
