"""Keras models of this project as ONNX files, for comparison only: nothing that ships is made by this.

It knows the layers that the networks here are built of, and refuses others by name. Keras keeps channels last and ONNX
first, so the input is transposed once, and each output back.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

OPSET, IR_VERSION = 21, 10
TO_FIRST, TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


class _Graph:
    """Nodes and weights, in the order in which they are computed."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[TensorProto] = []

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node and return its output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Append a weight and return its name."""
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def onnx_of(model: keras.Model) -> bytes:
    """Return a fitted model whose outputs are a dictionary by name as an ONNX file for any number of images.

    Raises
    ------
    KeyError
        Where a layer is of a kind that is not known here.
    """
    graph = _Graph()
    names = {id(model.inputs[0]): graph.add("Transpose", ["image"], "image_first", perm=TO_FIRST)}
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        names[id(layer.output)] = LAYERS[type(layer)](graph, layer, [names[id(tensor)] for tensor in given])
    for name, tensor in model.output.items():
        _out(graph, names[id(tensor)], name, len(tensor.shape))
    return _file(graph, model)


def _out(graph: _Graph, given: str, name: str, rank: int) -> None:
    if rank == len(TO_LAST):
        graph.add("Transpose", [given], name, perm=TO_LAST)
    else:
        graph.add("Identity", [given], name)


def _file(graph: _Graph, model: keras.Model) -> bytes:
    def described(name: str, tensor: Any) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["images", *tensor.shape[1:]])

    outputs = [described(name, tensor) for name, tensor in model.output.items()]
    inputs = [described("image", model.inputs[0])]
    made = helper.make_graph(graph.nodes, model.name, inputs, outputs, graph.weights)
    file: ModelProto = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(file, full_check=True)
    return bytes(file.SerializeToString())


def _answer(layer: Any) -> str:
    """Return the name of what a layer gives; an output of the model may have the layer's own name."""
    return f"{layer.name}_answer"


def _convolution(graph: _Graph, layer: Any, given: list[str]) -> str:
    kernel = graph.constant(f"{layer.name}_kernel", layer.kernel.numpy().transpose(3, 2, 0, 1))
    bias = [graph.constant(f"{layer.name}_bias", layer.bias.numpy())] if layer.use_bias else []
    padding = "SAME_UPPER" if layer.padding == "same" else "VALID"
    return graph.add("Conv", [*given, kernel, *bias], _answer(layer), strides=layer.strides, auto_pad=padding)


def _batch_norm(graph: _Graph, layer: Any, given: list[str]) -> str:
    values = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    names = [graph.constant(f"{layer.name}_{number}", value.numpy()) for number, value in enumerate(values)]
    return graph.add("BatchNormalization", [*given, *names], _answer(layer), epsilon=layer.epsilon)


def _group_norm(graph: _Graph, layer: Any, given: list[str]) -> str:
    scale = graph.constant(f"{layer.name}_gamma", layer.gamma.numpy())
    bias = graph.constant(f"{layer.name}_beta", layer.beta.numpy())
    groups, epsilon = layer.groups, layer.epsilon
    return graph.add("GroupNormalization", [*given, scale, bias], _answer(layer), num_groups=groups, epsilon=epsilon)


def _max_pool(graph: _Graph, layer: Any, given: list[str]) -> str:
    return graph.add("MaxPool", given, _answer(layer), kernel_shape=layer.pool_size, strides=layer.strides)


def _upsampling(graph: _Graph, layer: Any, given: list[str]) -> str:
    scales = graph.constant(f"{layer.name}_scales", np.array([1, 1, *layer.size], np.float32))
    return graph.add(
        "Resize",
        [*given, "", scales],
        _answer(layer),
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )


def _average(graph: _Graph, layer: Any, given: list[str]) -> str:
    pooled = graph.add("GlobalAveragePool", given, f"{layer.name}_places")
    return graph.add("Flatten", [pooled], _answer(layer))


def _dense(graph: _Graph, layer: Any, given: list[str]) -> str:
    kernel = graph.constant(f"{layer.name}_kernel", layer.kernel.numpy())
    return graph.add("Gemm", [*given, kernel, graph.constant(f"{layer.name}_bias", layer.bias.numpy())], _answer(layer))


def _plain(operator: str, **attributes: int) -> Callable[[_Graph, Any, list[str]], str]:
    return lambda graph, layer, given: graph.add(operator, given, _answer(layer), **attributes)


LAYERS: dict[type, Callable[[_Graph, Any, list[str]], str]] = {
    layers.Add: _plain("Add"),
    layers.BatchNormalization: _batch_norm,
    layers.Concatenate: _plain("Concat", axis=1),
    layers.Conv2D: _convolution,
    layers.Dense: _dense,
    layers.GlobalAveragePooling2D: _average,
    layers.GroupNormalization: _group_norm,
    layers.MaxPooling2D: _max_pool,
    layers.ReLU: _plain("Relu"),
    layers.UpSampling2D: _upsampling,
}
