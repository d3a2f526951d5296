"""An address that takes no connection and refuses none: what is sent there is swallowed."""

import contextlib
import socket
from collections.abc import Iterator

_FULL_WITHIN = 8
_LOOK_S = 0.3


@contextlib.contextmanager
def swallowing() -> Iterator[int]:
    """Yield a port of the loopback address whose queue of connections is full, so that the system drops what comes."""
    with contextlib.ExitStack() as open_:
        listener = open_.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(_FULL_WITHIN):
            filling = open_.enter_context(socket.socket())
            filling.settimeout(_LOOK_S)
            try:
                filling.connect(listener.getsockname())
            except TimeoutError:
                yield listener.getsockname()[1]
                return
        raise RuntimeError("the queue of connections takes any number")
