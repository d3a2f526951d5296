"""Waiting for something that another process does, without guessing how long it takes."""

import threading
import time
from collections.abc import Callable

_LOOK_AGAIN_S = 0.05


def wait_until(
    condition: Callable[[], object], timeout_s: float, what: str, look_again_s: float = _LOOK_AGAIN_S
) -> None:
    """Return as soon as `condition` is true; for things that announce themselves by no event that we could wait on.

    Parameters
    ----------
    condition
        Asked again and again.
    timeout_s
        How long, in seconds, before it is a failure.
    what
        The thing waited for, named in the error.
    look_again_s
        The pause between two looks, in seconds.

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
        pause.wait(look_again_s)
