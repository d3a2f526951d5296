"""Which runtime a network's file needs. It knows no bundle, nor what outputs mean."""

from models.inference.network import Network, NetworkError


def load_network(name: str, content: bytes, threads: int = 1) -> Network:
    """Return a network that is ready to run.

    Parameters
    ----------
    name
        Of its file; the ending tells the runtime: .tflite for LiteRT, .onnx for ONNX Runtime.
    content
        The file's bytes.
    threads
        Threads that one call may use.

    Raises
    ------
    NetworkError
        Where there is no runtime for the ending, or the runtime cannot load the file.
    """
    if name.endswith(".tflite"):
        from models.inference.litert import LiteRT  # noqa: PLC0415 only the runtime that is needed is imported

        return LiteRT(content, threads)
    if name.endswith(".onnx"):
        from models.inference.foreign import refuse_foreign  # noqa: PLC0415 the same
        from models.inference.onnx_runtime import OnnxRuntime  # noqa: PLC0415 the same

        refuse_foreign(name, content)  # before the runtime looks for anything beside the file
        return OnnxRuntime(content, threads)
    raise NetworkError(f"{name} ends in neither .tflite (LiteRT) nor .onnx (ONNX Runtime)")
