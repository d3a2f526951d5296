"""The textbook CNNs: convolutions with pooling, a dense layer, dropout, and one number a class. Architecture only.

What comes out are logits: the softmax (or, of a single class, the sigmoid) that ends them in the books is taken in
the loss and by the reader, where it costs no precision.

References
----------
LeCun Y et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86(11), 1998 · Srivastava N et
al., "Dropout", JMLR 15, 2014.
"""

import keras
from keras import layers


def textbook_28(size: int, classes: int) -> keras.Model:
    """Return the untrained network for small images such as digits: two convolutions, 455 thousand parameters.

    Input shape
        (batch, 28, 28, 1), float32 in [0, 1].

    Output shape
        (batch, classes), float32 logits.
    """
    return _textbook((size, size, 1), (32, 64), classes, "textbook_28", kernel=5, padding="same")


def textbook_224(size: int, classes: int) -> keras.Model:
    """Return the untrained network for photographs: three convolutions, 11 million parameters in its dense layer.

    Input shape
        (batch, 224, 224, 3), float32 in [0, 1]; a grey image three times over.

    Output shape
        (batch, classes), float32 logits.
    """
    return _textbook((size, size, 3), (32, 64, 128), classes, "textbook_224")


def textbook(size: int, classes: int) -> keras.Model:
    """Return the untrained baseline of any size that the serving classifier is measured against.

    Input shape
        (batch, size, size, 1), float32 in [0, 1].

    Output shape
        (batch, classes), float32 logits.
    """
    return _textbook((size, size, 1), (32, 64, 128), classes, "textbook")


def _textbook(
    shape: tuple[int, int, int],
    widths: tuple[int, ...],
    classes: int,
    name: str,
    *,
    kernel: int = 3,
    padding: str = "valid",
) -> keras.Model:
    image = features = keras.Input(shape, name="image")
    for number, channels in enumerate(widths):
        features = layers.Conv2D(channels, kernel, padding=padding, activation="relu", name=f"conv{number}")(features)
        features = layers.MaxPooling2D(name=f"pool{number}")(features)
    hidden = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flat")(features))
    logits = layers.Dense(classes, name="head")(layers.Dropout(0.5, name="dropout")(hidden))
    return keras.Model(image, logits, name=name)
