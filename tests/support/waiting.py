"""Waiting for something that another process does, without guessing how long it takes."""

import threading
import time
from collections.abc import Callable

_LOOK_AGAIN_S = 0.05


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    """Return as soon as `condition` is true; for things that announce themselves by no event that we could wait on.

    Parameters
    ----------
    condition
        Asked about twenty times a second, or as often as it can be where it takes longer.
    timeout_s
        How long, in seconds, before it is a failure.
    what
        The thing waited for, named in the error.

    Raises
    ------
    TimeoutError
        When it is still not true at the end.
    """
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not after {timeout_s:g} s")
        pause.wait(_LOOK_AGAIN_S)
