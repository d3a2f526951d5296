"""Models from elsewhere, tried as an import tries them."""

from collections.abc import Sequence

import onnx

from models.bundle.description import Description, parsed_description
from models.inference.importing import SampleImage, Tried, tried
from tests.support.models.foreign import description, node, onnx_file, patches

SAMPLE = [SampleImage(values) for values in patches(6)]
MEAN = node("ReduceMean", "image", "mean", axes=[1, 2, 3], keepdims=0)
PLAIN = '[output]\nvalues = "logits"\n'


def tried_on(content: bytes, text: str = "", sample: Sequence[SampleImage] = SAMPLE, name: str = "m.onnx") -> Tried:
    """Return what a trial of a file with this description finds."""
    return tried(name, content, described(text or description()), sample)


def described(text: str) -> Description:
    """Return a description as it is read."""
    return parsed_description(text.encode())


def said_of(*nodes: onnx.NodeProto, width: int = 1, **rest: object) -> bytes:
    """Return a network that makes something of the mean of its input, called "said"."""
    return onnx_file([MEAN, *nodes], {"said": ("images", width)}, **rest)
