"""Network files from elsewhere, looked through before a runtime sees them: nothing but standard operators, all inside.

An ONNX file may name operators that a library brings, and files beside it that hold its values; a LiteRT file may name
operators of a program's own, TensorFlow's among them ("Flex"). Both are refused with a name. It knows the two formats,
and neither what a network computes nor how it is run.

References
----------
Open Neural Network Exchange, intermediate representation specification, onnx/docs/IR.md.
LiteRT schema, tflite/converter/schema/schema.fbs.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from models.inference.network import NetworkError

if TYPE_CHECKING:  # its import costs a quarter of a second, and most bundles do not need it
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

STANDARD_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Sets of operators that the ONNX standard defines."""

VENDORS = ("ai.onnx", "com.microsoft", "com.ms", "com.xilinx", "org.pytorch.aten")
"""Sets of operators that runtimes bring, with all sets below them."""

FLEX = "Flex"
"""How the names of TensorFlow's operators in a LiteRT file begin."""


def refuse_foreign(name: str, content: bytes) -> None:
    """Refuse a network file that needs what is not in it or not in its format's standard.

    Parameters
    ----------
    name
        Of the file; the ending tells the format.
    content
        Its bytes.

    Raises
    ------
    NetworkError
        Naming the operator or the tensor, or saying that it is no such file.
    """
    if name.endswith(".onnx"):
        _refuse_foreign_onnx(content)
    elif name.endswith(".tflite"):
        _refuse_foreign_litert(content)


def _refuse_foreign_litert(content: bytes) -> None:
    for operator in _custom_operators(content):
        if operator.startswith(FLEX):
            way_out = "convert the model with built-in operators only (TFLITE_BUILTINS, without SELECT_TF_OPS)"
            raise NetworkError(f"it needs TensorFlow for the operator {operator.removeprefix(FLEX)}: {way_out}")
        raise NetworkError(f"it uses the custom operator {operator!r}, which is no part of LiteRT and is not run")


def _custom_operators(content: bytes) -> list[str]:
    """Return the names of operators that are not built in."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 four thousand lines, for an import alone

    if content[4:8] != b"TFL3":
        raise NetworkError("it is no LiteRT file: it does not begin as one")
    try:
        model = schema.Model.GetRootAsModel(content, 0)
        codes = [model.OperatorCodes(place) for place in range(model.OperatorCodesLength())]
        names = [code.CustomCode() for code in codes if code.BuiltinCode() == schema.BuiltinOperator.CUSTOM]
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise NetworkError("it is no LiteRT file: its list of operators cannot be read") from error
    return [(name or b"").decode("utf-8", "replace") for name in names]


def _refuse_foreign_onnx(content: bytes) -> None:
    model = _parsed(content)
    _refuse_borrowed(model)
    defaults = [attribute for function in model.functions for attribute in function.attribute_proto]
    outer = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    nodes = list(_nodes([*outer, *(node for graph in _graphs_in(defaults) for node in graph.node)]))
    own = {(function.domain, function.name) for function in model.functions}
    for node in nodes:
        if node.domain not in STANDARD_DOMAINS and (node.domain, node.op_type) not in own:
            raise NetworkError(
                f"it uses the operator {node.op_type} of {node.domain}, which is not in the ONNX standard: export the "
                "model with standard operators only"
            )
    attributes = [*defaults, *(attribute for node in nodes for attribute in node.attribute)]
    for tensor in _tensors(model.graph, attributes):
        if tensor.data_location or tensor.external_data:
            called = tensor.name or "a constant"
            raise NetworkError(f"it keeps the values of {called} in another file: save the model as one file")


def _refuse_borrowed(model: "ModelProto") -> None:
    """Refuse functions under a name that a runtime may know: it would run its own code instead of the function's."""
    for function in model.functions:
        domain = function.domain
        if not domain or any(domain == vendor or domain.startswith(f"{vendor}.") for vendor in VENDORS):
            raise NetworkError(
                f"it defines the function {function.name} in {domain or 'the standard'}, where runtimes have operators "
                "of their own: export the model with its functions written out, or in a domain of its own"
            )


def _parsed(content: bytes) -> "ModelProto":
    import onnx  # noqa: PLC0415 only for a file that needs it
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # noqa: PLC0415 the same

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise NetworkError(f"it is no ONNX file: {error}") from error
    if not model.graph.node:
        raise NetworkError("it is no ONNX file: it holds no operators")
    return model


def _nodes(nodes: Iterable["NodeProto"]) -> Iterator["NodeProto"]:
    """Yield nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for graph in _graphs_in(node.attribute):
            yield from _nodes(graph.node)


def _graphs_in(attributes: Iterable["AttributeProto"]) -> Iterator["GraphProto"]:
    for attribute in attributes:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _tensors(graph: "GraphProto", attributes: list["AttributeProto"]) -> Iterator["TensorProto"]:
    """Yield every tensor that is stored in a graph, in the graphs inside attributes, and in the attributes."""
    for each in (graph, *_graphs_in(attributes)):
        yield from (*each.initializer, *_of_sparse(each.sparse_initializer))
    for attribute in attributes:
        yield from (attribute.t, *attribute.tensors)
        yield from _of_sparse((attribute.sparse_tensor, *attribute.sparse_tensors))


def _of_sparse(sparse: Iterable["SparseTensorProto"]) -> Iterator["TensorProto"]:
    for each in sparse:
        yield from (each.values, each.indices)
