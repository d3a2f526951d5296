"""A network is fed and heard as its bundle describes it, and refused where it is not what is described."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.bundle.manifest import Calibration, Classifier
from models.inference.classify import Classify, prepared, softmax
from models.inference.network import NetworkError
from models.inference.reader import sigmoid
from models.inference.runtimes import load_network


def noise(count: int, size: int, seed: int = 0) -> NDArray[np.float32]:
    """Return network input of nothing in particular."""
    return np.random.default_rng(seed).random((count, size, size, 1)).astype(np.float32)


def channel_means(classes: int, channels: int, *, fixed: bool = False) -> bytes:
    """Return an ONNX network in NCHW whose output for a class is the mean of that channel, times ten."""
    weights = np.zeros((classes, channels, 1, 1), np.float32)
    weights[range(min(classes, channels)), range(min(classes, channels))] = 10.0
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["scores"]),
    ]
    batch = 1 if fixed else "images"
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, channels, 16, 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def classify(content: bytes, classes: int, calibration: Calibration | None = None, **known: Any) -> Classify:
    """Return a classifier of 16 x 16 pixels that ONNX Runtime runs."""
    described = Classifier(**{"file": "other.onnx", "size": 16, "layout": "NCHW", "output": "scores", **known})
    return Classify(described, calibration or Calibration(), classes, {"other.onnx": content}, 1)


def test_calibration_shifts_log_odds_and_leaves_logits() -> None:
    """Slope and intercept are applied before the sigmoid, and to nothing else."""
    images, plain = noise(5, 16), classify(channel_means(1, 1), 1)
    calibrated = classify(channel_means(1, 1), 1, Calibration(0.5, -2.0))
    np.testing.assert_array_equal(calibrated.logits(images), plain.logits(images))
    np.testing.assert_allclose(plain.logits(images)[:, 0], 10 * images.mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(plain.probabilities(images), sigmoid(plain.logits(images)))
    np.testing.assert_allclose(calibrated.probabilities(images), sigmoid(0.5 * plain.logits(images) - 2.0))
    assert plain.maps(images) is None


def test_exclusive_classes_share_one() -> None:
    """A softmax takes the slope of the calibration and not its intercept."""
    images = noise(5, 16)
    known = classify(channel_means(3, 3), 3, Calibration(0.5, 7.0), channels=3, activation="softmax")
    probabilities = known.probabilities(images)
    np.testing.assert_allclose(probabilities.sum(1), 1.0)
    np.testing.assert_allclose(probabilities, softmax(0.5 * known.logits(images)))


def test_outputs_that_are_probabilities_already_stay_what_they_are() -> None:
    """Without calibration; their log odds are what is calibrated."""
    images = noise(4, 16) / 20  # ten times the mean is a probability then
    plain = classify(channel_means(1, 1), 1, activation="none")
    np.testing.assert_allclose(plain.probabilities(images)[:, 0], 10 * images.mean((1, 2, 3)), rtol=1e-5)
    calibrated = classify(channel_means(1, 1), 1, Calibration(2.0, 0.0), activation="none")
    np.testing.assert_allclose(calibrated.probabilities(images), sigmoid(2.0 * plain.logits(images)))


def test_input_is_scaled_standardised_and_laid_out_as_the_manifest_says() -> None:
    """Grey in three channels, 0 to 255, minus the mean, by the deviation, channels first."""
    images = np.full((2, 16, 16, 1), 0.5, np.float32)
    mean, deviation = (127.5, 0.0, 27.5), (1.0, 127.5, 50.0)
    known = Classifier("x.onnx", 16, 3, "NCHW", 0.0, 255.0, mean, deviation)
    given = prepared(images, known)
    assert given.shape == (2, 3, 16, 16)
    assert given.flags.c_contiguous
    np.testing.assert_allclose(given[:, :, 0, 0], [[0.0, 1.0, 2.0]] * 2)
    assert prepared(images, replace(known, layout="NHWC")).shape == (2, 16, 16, 3)


def test_a_network_for_one_image_at_a_time_reads_many_all_the_same() -> None:
    """One by one."""
    images = noise(5, 16)
    one_by_one = classify(channel_means(1, 1, fixed=True), 1).logits(images)
    np.testing.assert_allclose(one_by_one, classify(channel_means(1, 1), 1).logits(images))


@pytest.mark.parametrize(
    ("classes", "known", "said"),
    [
        (2, {}, r"shape \(1, 1\) for one image, where 2 finite numbers"),
        (1, {"output": "logits"}, "has no output 'logits'; it has scores"),
        (1, {"map": "map"}, "has no map 'map'; it has scores"),
        (1, {"input": "pixels"}, "has no input 'pixels'; it has image"),
        (1, {"layout": "NHWC"}, "ONNX Runtime cannot run it"),
        (1, {"size": 32}, "ONNX Runtime cannot run it"),
        (1, {"map": "scores"}, r"the map 'scores' of shape \(1, 1\)"),
    ],
)
def test_a_network_that_does_not_fit_its_description_is_refused_when_loaded(
    classes: int, known: dict[str, Any], said: str
) -> None:
    """Not when the first image comes."""
    with pytest.raises(NetworkError, match=said):
        classify(channel_means(1, 1), classes, **known)


@pytest.mark.parametrize("name", ["x.tflite", "x.onnx"])
@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x08\x00garbage" * 40])
def test_a_file_that_is_no_network_is_refused(name: str, content: bytes) -> None:
    """Whatever its ending promises."""
    with pytest.raises(NetworkError, match=r"LiteRT cannot load it|it is no ONNX file"):
        load_network(name, content)


def test_a_file_of_another_kind_is_refused_by_its_ending() -> None:
    """No Keras file, no pickle."""
    with pytest.raises(NetworkError, match=r"ends in neither \.tflite"):
        load_network("classifier.keras", b"")
