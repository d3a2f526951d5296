"""Classifiers by the name that a recipe gives. It knows architectures and no weights."""

from collections.abc import Callable

import keras

from models.networks.compact_resnet import compact_resnet
from models.networks.textbook import textbook, textbook_28, textbook_224

CLASSIFIERS: dict[str, Callable[[int, int], keras.Model]] = {
    "compact_resnet": compact_resnet,
    "textbook": textbook,
    "textbook_28": textbook_28,
    "textbook_224": textbook_224,
}
"""What builds each: (size, outputs) to an untrained model, (batch, size, size, channels) to logits (batch, outputs)."""


def classifier(network: str, size: int, classes: int) -> keras.Model:
    """Return an untrained classifier.

    Parameters
    ----------
    network
        A name of `CLASSIFIERS`.
    size
        Rows and columns of its input.
    classes
        How many classes there are, and so numbers that come out.
    """
    return CLASSIFIERS[network](size, classes)
