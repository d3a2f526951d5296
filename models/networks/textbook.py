"""The textbook CNN that the serving classifier is measured against. Architecture only.

References
----------
LeCun Y et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86(11), 1998.
"""

import keras
from keras import layers


def textbook_cnn(size: int, classes: int) -> keras.Model:
    """Return the untrained baseline: three convolutions with pooling, a dense layer, dropout, a linear layer.

    Input shape
        (batch, size, size, 1), float32 in [0, 1].

    Output shape
        (batch, classes), float32 logits.
    """
    image = features = keras.Input((size, size, 1), name="image")
    for number, channels in enumerate((32, 64, 128)):
        features = layers.Conv2D(channels, 3, activation="relu", name=f"conv{number}")(features)
        features = layers.MaxPooling2D(name=f"pool{number}")(features)
    hidden = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flat")(features))
    logits = layers.Dense(classes, name="head")(layers.Dropout(0.5, name="dropout")(hidden))
    return keras.Model(image, logits, name="textbook_cnn")
