"""Networks run by LiteRT on the CPU (XNNPACK). It knows flatbuffers and tensors, no bundle."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from models.inference.network import Images, NetworkError, Outputs

Run = Callable[[NDArray[Any]], Outputs]


class LiteRT:
    """A network that an interpreter has loaded.

    The tensors keep the shape of the last call, so that image after image costs no new allocation; a batch of another
    size reshapes them. A network whose batch is fixed at one image gets its images one by one.

    Parameters
    ----------
    content
        A LiteRT flatbuffer with one input.
    threads
        Threads that one call may use.

    Raises
    ------
    NetworkError
        Where LiteRT cannot load it, or it has another number of inputs than one.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        try:
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise NetworkError(f"LiteRT cannot load it: {_first_line(error)}") from error
        details = interpreter.get_input_details()
        if len(details) != 1:
            raise NetworkError(f"it has {len(details)} inputs, where one is needed")
        if details[0]["dtype"] is not np.float32:
            kind = np.dtype(details[0]["dtype"]).name
            raise NetworkError(f"its input holds {kind}, where float32 is needed: convert it with float inputs")
        self._shape: tuple[int, ...] = tuple(int(side) for side in details[0]["shape_signature"])
        self.inputs, self.outputs, self._run = _by_signature(interpreter) or _by_tensors(interpreter)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the input; -1 stands for any number of images."""
        return self._shape

    def __call__(self, images: Images) -> Outputs:
        """Return every output for images.

        Raises
        ------
        NetworkError
            Where the images have another shape than the input.
        """
        if images.shape[1:] != self._shape[1:]:
            raise NetworkError(f"an image has the shape {images.shape[1:]}, where the input takes {self._shape[1:]}")
        if self._shape[0] == 1 and len(images) > 1:
            parts = [self._run(images[number : number + 1]) for number in range(len(images))]
            return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}
        return self._run(images)


def _by_signature(interpreter: Any) -> tuple[tuple[str, ...], tuple[str, ...], Run] | None:
    """Return names and a call by the file's own names for inputs and outputs; None where it gives none."""
    signatures = interpreter.get_signature_list()
    if not signatures:
        return None
    key, names = next(iter(signatures.items()))
    runner, (given,) = interpreter.get_signature_runner(key), names["inputs"]

    def run(images: NDArray[Any]) -> Outputs:
        found: Outputs = runner(**{given: images})
        return found

    return (given,), tuple(names["outputs"]), run


def _by_tensors(interpreter: Any) -> tuple[tuple[str, ...], tuple[str, ...], Run]:
    """Return names and a call by tensor, for files that were converted without a signature."""
    (given,), found = interpreter.get_input_details(), interpreter.get_output_details()

    def run(images: NDArray[Any]) -> Outputs:
        if tuple(interpreter.get_input_details()[0]["shape"]) != images.shape:
            interpreter.resize_tensor_input(given["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        return {output["name"]: interpreter.get_tensor(output["index"]) for output in found}

    return (given["name"],), tuple(output["name"] for output in found), run


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
