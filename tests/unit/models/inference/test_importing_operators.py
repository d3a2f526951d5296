"""What an imported file may hold: operators of the standard, functions of its own, and all of its values."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.inference.foreign import refuse_foreign
from models.inference.importing import ImportRefused
from models.inference.network import NetworkError
from models.inference.runtimes import load_network
from tests.support.models.foreign import (
    SIZE,
    description,
    litert_with_determinant,
    node,
    onnx_file,
    quantised_litert,
)
from tests.unit.models.inference.imported import PLAIN, said_of, tried_on

ONE = {"said": ("images", 1)}


def test_operators_that_are_not_in_the_standard_are_refused_by_name() -> None:
    """Also inside a function of the file's own, and inside a branch."""
    foreign = node("Magic", "image", "said", domain="org.example")
    then = helper.make_graph([node("Magic", "image", "inner", domain="org.example")], "then", [], [
        helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
    ])  # fmt: skip
    branch = node("If", "flag", "said", then_branch=then, else_branch=then)
    for nodes in ([foreign], [branch]):
        content = onnx_file(nodes, ONE, domains=["org.example"], constants={"flag": np.array(True)})
        with pytest.raises(NetworkError, match=r"operator Magic of org\.example.*ONNX standard"):
            load_network("m.onnx", content)


def test_functions_that_the_file_defines_itself_are_its_own() -> None:
    """They are made of standard operators, and are run."""
    model = onnx.load_model_from_string(
        said_of(node("Double", "mean", "said", domain="org.example"), domains=["org.example"])
    )
    sets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("org.example", "Double", ["a"], ["b"], [node("Add", "a a", "b")], sets))
    network = load_network("m.onnx", model.SerializeToString())
    image = np.ones((1, 1, SIZE, SIZE), np.float32)
    assert network(image)["said"] == pytest.approx([2.0])


@pytest.mark.parametrize("domain", ["com.microsoft", "com.microsoft.nchwc", "ai.onnx.ml", ""])
def test_functions_under_a_runtimes_names_are_refused(domain: str) -> None:
    """The runtime would run what it knows by that name, and not what the file says."""
    content = said_of(node("Gelu", "mean", "said", domain="org.example"), domains=["org.example"])
    model = onnx.load_model_from_string(content)
    sets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function(domain, "Gelu", ["a"], ["b"], [node("Add", "a a", "b")], sets))
    with pytest.raises(NetworkError, match=r"defines the function Gelu in .*of their own"):
        refuse_foreign("m.onnx", model.SerializeToString())


def test_what_a_function_holds_by_default_is_looked_through() -> None:
    """Values in another file and operators of elsewhere, in the attributes that a function brings."""
    constant = numpy_helper.from_array(np.zeros(64, np.float32), "inline")
    onnx.external_data_helper.set_external_data(constant, "../weights.bin")
    foreign = helper.make_graph([node("Magic", "", "a", domain="org.elsewhere")], "inner", [], [])
    sets, body = [helper.make_opsetid("", 17)], [node("Add", "a a", "b")]
    content = said_of(node("Double", "mean", "said", domain="org.example"), domains=["org.example"])
    for held, message in ((constant, "values of inline in another file"), (foreign, "operator Magic")):
        model, defaults = onnx.load_model_from_string(content), [helper.make_attribute("held", held)]
        model.functions.append(
            helper.make_function("org.example", "Double", ["a"], ["b"], body, sets, attribute_protos=defaults)
        )
        with pytest.raises(NetworkError, match=message):
            refuse_foreign("m.onnx", model.SerializeToString())


def test_values_that_lie_in_another_file_are_refused_by_name() -> None:
    """Whatever that file is: an ONNX file is one file here."""
    constants = {"slope": np.full(64, 2.0, np.float32)}
    model = onnx.load_model_from_string(said_of(node("Mul", "mean slope", "said"), constants=constants))
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../weights.bin")
    with pytest.raises(NetworkError, match="values of slope in another file"):
        load_network("m.onnx", model.SerializeToString())
    constant = numpy_helper.from_array(np.zeros(64, np.float32), "inline")
    onnx.external_data_helper.set_external_data(constant, "../weights.bin")
    hidden = said_of(node("Constant", "", "slope", value=constant), node("Mul", "mean slope", "said"))
    with pytest.raises(NetworkError, match="in another file"):
        load_network("m.onnx", hidden)


@pytest.mark.parametrize("flex", [True, False])
def test_operators_that_litert_does_not_have_are_refused_by_name(*, flex: bool) -> None:
    """TensorFlow's with the way out, a program's own as such."""
    expected = "needs TensorFlow for the operator MatrixDeterminant.*TFLITE_BUILTINS" if flex else "custom operator"
    with pytest.raises(NetworkError, match=expected):
        refuse_foreign("m.tflite", litert_with_determinant(flex=flex))


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")  # of the converter that makes the model
def test_a_quantised_input_is_refused_with_the_way_out() -> None:
    """What a byte would stand for, no description says."""
    with pytest.raises(ImportRefused, match="its input holds uint8, where float32 is needed"):
        tried_on(quantised_litert(), description(output=PLAIN, read=f"[input]\nsize = {SIZE}\n"), name="m.tflite")


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite"])
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\x1c\0\0\0TFL3" + b"\xff" * 40, b"PK\x03\x04 no model at all"])
def test_a_file_that_is_no_model_is_refused(name: str, content: bytes) -> None:
    """In words, whatever its bytes."""
    with pytest.raises(ImportRefused, match=r"no (ONNX|LiteRT) file"):
        tried_on(content, name=name)
