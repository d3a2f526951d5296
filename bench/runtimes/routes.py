"""The ways to run one network: Keras twice, LiteRT, ONNX Runtime. Each takes images and returns outputs by name."""

# ruff: noqa: PLC0415 - each way imports what it needs when it is asked for, because its start is measured

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import STARTER
from models.bundle.folder import open_bundle

Outputs = dict[str, NDArray[np.float32]]
Route = Callable[[NDArray[np.float32]], Outputs]

NAMES = ("model.predict", "tf.function", "LiteRT", "ONNX Runtime")
NETWORKS = ("classifier", "autoencoder")


def keras_model(bundle: Path, network: str, threads: int) -> Any:
    """Return one network of a bundle as a Keras model with its weights and named outputs.

    Of a classifier of several members it is the first: what one costs is compared.
    """
    from models.networks.compact_resnet import compact_resnet
    from models.networks.restoring_autoencoder import restoring_autoencoder
    from models.networks.weights import assign
    from models.training.litert_export import with_map
    from models.training.threads import limit_threads

    limit_threads(threads)

    opened = open_bundle(bundle)
    manifest = opened.manifest
    if network == "classifier":
        model = compact_resnet(manifest.classifier.size, len(manifest.classes))
        assign(model, opened.arrays[network])
        return with_map(model)
    part = next(part for part in (manifest.anomaly.parts if manifest.anomaly else ()) if part.kind == "restoring")
    model = restoring_autoencoder(part.size, part.width)
    assign(model, opened.arrays[network])
    return model


def write_exports(bundle: Path, network: str, path: Path, threads: int) -> None:
    """Write one network of a bundle as an ONNX file, and as a LiteRT file beside it."""
    from bench.runtimes.keras_as_onnx import onnx_of
    from models.training.litert_export import exported

    model = keras_model(bundle, network, threads)
    path.write_bytes(onnx_of(model))
    path.with_suffix(".tflite").write_bytes(exported(model))


def route(name: str, bundle: Path, network: str, onnx: Path, threads: int) -> Route:
    """Return one way to run a network, loaded; it imports what that way needs and nothing else.

    Parameters
    ----------
    name
        One of `NAMES`.
    bundle
        The bundle's folder.
    network
        One of `NETWORKS`.
    onnx
        The network as an ONNX file, with its LiteRT file beside it.
    threads
        Threads of one call.
    """
    if name in {"model.predict", "tf.function"}:
        model = keras_model(bundle, network, threads)
        return _predicted(model) if name == "model.predict" else _traced(model)
    if name == "LiteRT":
        from models.inference.litert import LiteRT

        return LiteRT(onnx.with_suffix(".tflite").read_bytes(), threads)
    from models.inference.onnx_runtime import OnnxRuntime

    return OnnxRuntime(onnx.read_bytes(), threads)


def input_size(network: str) -> int:
    """Return rows and columns of what a network of the starter takes."""
    manifest = open_bundle(STARTER).manifest
    if network == "classifier" or manifest.anomaly is None:
        return manifest.classifier.size
    return next(part.size for part in manifest.anomaly.parts if part.kind == "restoring")


def _predicted(model: Any) -> Route:
    return lambda images: model.predict(images, batch_size=len(images), verbose=0)


def _traced(model: Any) -> Route:
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]
    traced = tf.function(lambda images: model(images, training=False), input_signature=signature)
    return lambda images: {name: value.numpy() for name, value in traced(images).items()}
