"""Networks run by ONNX Runtime on the CPU. It knows ONNX files and tensors, no bundle."""

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from models.inference.network import Images, NetworkError, Outputs

REFUSALS = (
    errors.EPFail,
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoModel,
    errors.NotImplemented,
    errors.RuntimeException,
    RuntimeError,
    ValueError,
)
"""What ONNX Runtime raises where it cannot load or run a file; these have no ancestor of their own."""

SILENT = 4
"""Severity from which ONNX Runtime writes to standard error by itself; what matters is raised."""


class OnnxRuntime:
    """A network that ONNX Runtime has loaded.

    Parameters
    ----------
    content
        An ONNX file with one input of type float.
    threads
        Threads that one call may use.

    Raises
    ------
    NetworkError
        Where ONNX Runtime cannot load it, or it has another number of inputs than one.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = SILENT
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except REFUSALS as error:
            raise NetworkError(f"ONNX Runtime cannot load it: {error}") from error
        given = self._session.get_inputs()
        if len(given) != 1:
            raise NetworkError(f"it has {len(given)} inputs, where one is needed")
        self.inputs: tuple[str, ...] = (given[0].name,)
        self.outputs: tuple[str, ...] = tuple(found.name for found in self._session.get_outputs())
        self._batch = given[0].shape[0] if given[0].shape else None

    def __call__(self, images: Images) -> Outputs:
        """Return every output for images.

        Raises
        ------
        NetworkError
            Where the images have another shape or type than the input.
        """
        if self._batch == 1 and len(images) > 1:
            parts = [self._run(images[number : number + 1]) for number in range(len(images))]
            return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}
        return self._run(images)

    def _run(self, images: Images) -> Outputs:
        try:
            found = self._session.run(None, {self.inputs[0]: images})
        except REFUSALS as error:
            raise NetworkError(f"ONNX Runtime cannot run it: {error}") from error
        return dict(zip(self.outputs, found, strict=True))
