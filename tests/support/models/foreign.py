"""Models from elsewhere, small enough to be built by a test, with the descriptions that belong to them."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

SIZE = 32
CLASS = """
[[classes]]
name = "opacity"
finding = ["128477000", "SCT", "Abscess"]
site = ["39607008", "SCT", "Lung"]
threshold = 0.6
"""
REST = """
[data]
name = "drawn patches"
licence = "none needed"
attribution = "Drawn by the tests."
"""
MODEL = '[model]\nname = "patch-finder"\nversion = "2.1"\n'
INPUT = f'[input]\nsize = {SIZE}\nlayout = "NCHW"\nlow = -1.0\nhigh = 1.0\n'
LOGITS = '[output]\nvalues = "logits"\nname = "logits"\nmap = "map"\n'


def description(*, output: str = LOGITS, read: str = INPUT, classes: str = CLASS) -> str:
    """Return what an owner would write of a model: of the patch finder, where nothing else is given."""
    return f"{MODEL}\n{classes}\n{read}\n{output}\n{REST}"


def node(operator: str, read: str, written: str, **attributes: object) -> NodeProto:
    """Return one operator of a network; several inputs are separated by a blank."""
    return helper.make_node(operator, read.split(), written.split(), **attributes)


def onnx_file(
    nodes: Sequence[NodeProto],
    outputs: Mapping[str, Sequence[int | str]],
    *,
    constants: Mapping[str, np.ndarray] | None = None,
    image: Sequence[int | str] = ("images", 1, SIZE, SIZE),
    kind: int = TensorProto.FLOAT,
    domains: Sequence[str] = (),
) -> bytes:
    """Return an ONNX file of these operators; its input is called "image"."""
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(image))],
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    sets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return bytes(helper.make_model(graph, opset_imports=sets, ir_version=8).SerializeToString())


def patch_finder() -> bytes:
    """Return a network for images in [-1, 1] that finds bright patches: a map of 8 x 8, and its mean as the logit."""
    nodes = [
        node("AveragePool", "image", "pooled", kernel_shape=[4, 4], strides=[4, 4]),
        node("Mul", "pooled slope", "scaled"),
        node("Add", "scaled intercept", "places"),
        node("Transpose", "places", "map", perm=[0, 2, 3, 1]),
        node("ReduceMean", "map", "logits", axes=[1, 2], keepdims=0),
    ]
    constants = {"slope": np.array(30.0, np.float32), "intercept": np.array(20.5, np.float32)}
    return onnx_file(nodes, {"logits": ("images", 1), "map": ("images", 8, 8, 1)}, constants=constants)


def patches(count: int, seed: int = 0) -> list[np.ndarray]:
    """Return grey pictures of odd sizes, half of them with a bright patch; uint8."""
    random = np.random.default_rng(seed)
    return [_picture(random, patched=number % 2 == 1) for number in range(count)]


def _picture(random: np.random.Generator, *, patched: bool) -> np.ndarray:
    rows, columns = random.integers(44, 60, 2)
    picture = random.integers(0, 60, (rows, columns)).astype(np.uint8)
    picture[:6, :6] = 250
    if patched:
        top, left = random.integers(8, 20, 2)
        picture[top : top + 20, left : left + 20] = 250
    return picture


@cache
def keras_litert() -> bytes:
    """Return a small Keras network for images in [0, 1] as a LiteRT file: two exclusive classes, as logits."""
    import keras  # noqa: PLC0415 - only the tests that need it pay for it
    import tensorflow as tf  # noqa: PLC0415

    keras.utils.set_random_seed(1)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    features = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(image)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, keras.layers.Dense(2, name="said")(pooled))
    return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


@cache
def litert_with_determinant(*, flex: bool) -> bytes:
    """Return a LiteRT file with an operator that LiteRT does not have: TensorFlow's own, or a nameless custom one."""
    import tensorflow as tf  # noqa: PLC0415 - only the tests that need it pay for it

    signature = tf.TensorSpec((1, SIZE, SIZE, 1), tf.float32, name="image")
    function = tf.function(lambda image: tf.linalg.det(image[..., 0])[:, None], input_signature=[signature])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], None)
    if flex:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    else:
        converter.allow_custom_ops = True
    return bytes(converter.convert())


@cache
def quantised_litert() -> bytes:
    """Return a LiteRT file that wants bytes for its input, as converters make them for microcontrollers."""
    import tensorflow as tf  # noqa: PLC0415 - only the tests that need it pay for it

    signature = tf.TensorSpec((1, SIZE, SIZE, 1), tf.float32, name="image")
    function = tf.function(lambda image: tf.reduce_mean(image, axis=(1, 2)), input_signature=[signature])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], None)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.ones((1, SIZE, SIZE, 1), np.float32) * step] for step in (0, 1))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    return bytes(converter.convert())
